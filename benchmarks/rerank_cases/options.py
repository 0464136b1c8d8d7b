"""What training options are worth: learned task weights, and adversarial shifts of the embeddings.

Dress rentals with the ratings that were given to them are two tasks. A run is trained as ever;
from its training requests rankers are trained anew, each with one option changed, and all rank the
same candidates of the same requests.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.rerank_cases.asked import Asked, bounds, case, told
from benchmarks.rerank_cases.context import NDCG, ndcg_of_each
from benchmarks.rerank_cases.context_sets import rated_dresses
from benchmarks.sections import Found, rows
from engine import layout
from engine.build import build, lessons_of
from engine.evaluate.bootstrap import difference_interval
from engine.evaluate.protocol import first_baskets
from engine.runtime import load_run
from engine.vocabulary import load_interactions
from retrieval.rerank.config import RerankConfig

FOLDER = Path("runs/context/rated")


@dataclass(frozen=True, slots=True)
class Option:
    """One setting that differs from what training does by default."""

    name: str
    title: str
    changed: dict[str, bool | float]


OPTIONS = (
    Option("tasks_alike", "tasks weighed alike", {"learned_task_weights": False}),
    Option("fgm_small", "FGM, shift of 0.1", {"adversarial_epsilon": 0.1}),
    Option("fgm_large", "FGM, shift of 1", {"adversarial_epsilon": 1.0}),
)


def run(asked: Asked) -> Found:
    """Train with each option and compare with the default, paired over users."""
    shop = rated_dresses(asked.data, FOLDER)
    build(shop.dataset, shop.config, FOLDER / "run", as_of_unix_s=shop.as_of_unix_s)
    loaded = load_run(FOLDER / "run")
    lessons = lessons_of(
        shop.dataset, shop.config, FOLDER / ".stages", as_of_unix_s=shop.as_of_unix_s
    )
    examples = layout.load_examples(lessons.requests)
    events = load_interactions(shop.dataset, loaded.vocabulary)
    requests = first_baskets(events, shop.as_of_unix_s, min_users=shop.config.min_users)
    requests = requests.sample(shop.max_requests, seed=0)

    def ndcg(config: RerankConfig) -> NDCG:
        rankers = []
        for seed in asked.seeds:
            model = lessons.fit(examples, config, seed).model
            model.items = loaded.model.items
            rankers.append((model, None))
        return np.mean(ndcg_of_each(loaded, requests, rankers), axis=0)

    usual = ndcg(shop.config.rerank)
    lines = [("as by default", f"{usual.mean():.4f}", "")]
    cases = []
    for option in OPTIONS:
        changed = ndcg(shop.config.rerank.model_copy(update=option.changed))
        gain = difference_interval(changed, usual)
        cases += [case(f"option_{option.name}", gain.estimate, "NDCG@10")]
        cases += bounds(f"option_{option.name}", gain)
        lines.append((option.title, f"{changed.mean():.4f}", told(gain)))
    tasks = ", ".join(loaded.model.shape.task_names)
    note = (
        f"{shop.name}: NDCG@10 of {len(requests):,} users' first basket after the cut, all items "
        f"ranked; tasks {tasks}; mean of {len(asked.seeds)} seeds, difference paired over users "
        "with its 95% interval."
    )
    table = rows(("training", "NDCG@10", "gain, 95 % interval"), lines)
    return Found(tuple(cases), f"{table}\n\n{note}")
