"""What each ingredient of the graph stage's own vectors is worth, on Amazon Beauty.

One table: the trained network with everything, and without content, triples, time decay or the
contrastive term. Content is the idf-weighted attributes; triples are the same attributes as nodes
of the graph. Time split at the 90% quantile, full ranking; a third of the width and of the epochs
that quality would ask for, since only differences matter here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.graph_cases.beauty import beauty_tables, protocols
from benchmarks.graph_cases.figures import Row, row
from benchmarks.graph_cases.ranking import Question, Ranking, gain, mean_of, rank
from engine.evaluate.bootstrap import Interval
from graph import GraphConfig, build_graph, fit
from graph.relation_filter import shared_facts

SECONDS_PER_DAY = 86_400
FOREVER_DAYS = 1e6
SEEDS = (0, 1, 2)
FULL = GraphConfig(
    width=32,
    epochs=2,
    half_life_days=365,
    popularity_half_life_days=90,
    validation_days=60,
    batch_size=8192,
    n_negatives=512,
    contrastive_weight=0.05,
)
TIMELESS = {"half_life_days": FOREVER_DAYS, "popularity_half_life_days": FOREVER_DAYS}


@dataclass(frozen=True, slots=True)
class Ablation:
    """The vectors without one ingredient, and what the ingredient adds to Recall@20."""

    row: Row
    worth: Interval
    """Recall@20 with everything less that without it, paired over users."""


def ablations(data: Path, seeds: tuple[int, ...] = SEEDS) -> tuple[Ablation, ...]:
    """Measure everything, and everything but one, averaged over seeds."""
    _, _, asked = next(protocols(beauty_tables(data)))
    whole = _measured("everything", asked, FULL, seeds)
    others = (
        _measured("without content", asked, FULL, seeds, content=False),
        _measured("without triples", asked, FULL, seeds, triples=False),
        _measured("without time decay", asked, FULL.model_copy(update=TIMELESS), seeds),
        _measured(
            "without contrastive term",
            asked,
            FULL.model_copy(update={"contrastive_weight": 0.0}),
            seeds,
        ),
        _measured("without training", asked, FULL.model_copy(update={"epochs": 0}), seeds),
    )
    return tuple(Ablation(row("time", found), gain(whole, found)) for found in (whole, *others))


def _measured(
    name: str,
    asked: Question,
    config: GraphConfig,
    seeds: tuple[int, ...],
    *,
    content: bool = True,
    triples: bool = True,
) -> Ranking:
    past = asked.past
    facts = shared_facts(past.item_facts[0], past.n_items).steps[0].toarray()
    vectors = facts.astype(np.float32) if content else np.zeros((past.n_items, 1), np.float32)
    known = np.zeros(past.n_items, np.bool_)
    known[past.item_facts[0].head_rows] = content
    if not triples:
        past = replace(past, item_facts=())
    moment = int(past.at_unix_s.max()) + SECONDS_PER_DAY
    kg = build_graph(past, as_of_unix_s=moment, half_life_days=config.half_life_days)
    runs = []
    for seed in seeds:
        found = fit(kg, past, vectors, known, config, seed=seed)
        runs.append(
            rank(name, lambda rows, v=found: v.users[rows] @ v.items.T, asked)  # type: ignore[misc]
        )
    return mean_of(name, runs)
