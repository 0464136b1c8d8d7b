"""What each rule of a policy does to lists, on the held-out baskets of a run.

    python -m benchmarks.policy data/complete-journey runs/demo --requests 500

Every request is scored once; then each policy fills its list of ten. Reported are the NDCG@10
against the first basket after the run's end, the share of slots that new items and small brands
have, how many distinct items all lists hold, how alike the items of a list are (mean cosine of
their content vectors), and what the rules cost per list.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from engine.asking import allowed_candidates, scores_of
from engine.dataset import Dataset
from engine.evaluate.metrics import ndcg_at_k
from engine.evaluate.protocol import EvaluationSet, first_baskets
from engine.evaluate.run import EngineRanker
from engine.policy.compiled import Compiled, Scores, compile_policy, place
from engine.policy_rules import Policy
from engine.recommend import Engine
from engine.runtime import Run
from engine.scoring import Asked, score
from engine.vocabulary import Vocabulary, load_interactions

K = 10
POLICIES = {
    "none": {},
    "max_per_group: 2": {"max_per_group": 2},
    "mmr, weight 1": {"diversity": {"method": "mmr", "weight": 1.0}},
    "mmr, weight 2": {"diversity": {"method": "mmr", "weight": 2.0}},
    "dpp, weight 0.3": {"diversity": {"method": "dpp", "weight": 0.3}},
    "dpp, weight 1": {"diversity": {"method": "dpp", "weight": 1.0}},
    "new items, 2 % of traffic": {"exposure": [{"of": "new", "share": 0.02}]},
    "new items, 5 % of traffic": {"exposure": [{"of": "new", "share": 0.05}]},
    "new items, 10 % of each list": {"exposure": [{"of": "new", "share": 0.1, "over": "list"}]},
    "small brands, 10 % of traffic": {"exposure": [{"of": "small_brands", "share": 0.1}]},
    "small brands, 20 % of traffic": {"exposure": [{"of": "small_brands", "share": 0.2}]},
    "epsilon 0.1, pool 50": {"exploration": {"epsilon": 0.1}},
    "thompson, spread 0.5": {"exploration": {"method": "thompson", "spread": 0.5}},
    "thompson, spread 1": {"exploration": {"method": "thompson", "spread": 1.0}},
}


@dataclass(frozen=True, slots=True)
class Effect:
    """Of one policy."""

    policy: str
    ndcg_at_10: float
    new_share: float
    small_brand_share: float
    distinct_items: int
    likeness: float
    ms_per_list: float


def main() -> None:
    """Print a table, and write the figures if asked."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("dataset", type=Path)
    arguments.add_argument("run", type=Path)
    arguments.add_argument("--requests", type=int, default=500)
    arguments.add_argument("--store-url", default="sqlite:////tmp/vitrine-policy-benchmark.sqlite")
    arguments.add_argument("--json", type=Path)
    given = arguments.parse_args()
    torch.set_num_threads(1)
    with Engine.open(given.run, store_url=given.store_url) as engine:
        asked = _requests(engine, Dataset.open(given.dataset)).sample(given.requests, 0)
        scored = _scored(engine, asked)
        effects = [_effect(n, r, engine.run, asked, scored) for n, r in POLICIES.items()]
    print(f"{len(scored):,} requests, lists of {K}\n")
    names = list(Effect.__dataclass_fields__)
    print("| " + " | ".join(names) + " |\n|" + " --- |" * len(names))
    for effect in effects:
        cells = [f"{v:.4f}" if isinstance(v, float) else str(v) for v in asdict(effect).values()]
        print("| " + " | ".join(cells) + " |")
    if given.json:
        given.json.write_text(json.dumps([asdict(effect) for effect in effects], indent=2) + "\n")


def _requests(engine: Engine, dataset: Dataset) -> EvaluationSet:
    vocabulary = Vocabulary.of(dataset)
    events = load_interactions(dataset, vocabulary)
    run = engine.run
    return first_baskets(events, run.manifest.as_of_unix_s, min_users=max(1, run.config.min_users))


def _scored(engine: Engine, asked: EvaluationSet) -> list[Scores]:
    ranker, run = EngineRanker(engine, asked, with_scene=True), engine.run
    found = []
    for user_id, moment in ranker._asked(asked.requests):
        scored = score(run, Asked(user_id, moment, ()))
        found.append(scores_of(scored, allowed_candidates(run, scored, (), new_only=False)))
    return found


def _effect(name: str, rules: dict, run: Run, asked: EvaluationSet, scored: list[Scores]) -> Effect:
    compiled = compile_policy(Policy.model_validate(rules), run)
    rng = np.random.default_rng(0)
    rows = np.zeros((len(scored), K), np.int64)
    valid = np.zeros((len(scored), K), np.bool_)
    started = time.perf_counter()
    for i, scores in enumerate(scored):
        drawn = None if compiled.plain else rng
        listed = scores.rows[[slot.at for slot in place(compiled, scores, K, drawn).slots]]
        rows[i, : len(listed)], valid[i, : len(listed)] = listed, True
    seconds = time.perf_counter() - started
    new, small = (_members(run, of, scored[0].at_unix_s)[rows][valid] for of in GROUPS)
    return Effect(
        name,
        float(ndcg_at_k(rows, valid, asked.targets, K).mean()),
        float(new.mean()),
        float(small.mean()),
        len(np.unique(rows[valid])),
        _likeness(run, rows, valid),
        1e3 * seconds / len(scored),
    )


GROUPS = ("new", "small_brands")


def _members(run: Run, of: str, at_unix_s: int) -> np.ndarray:
    compiled: Compiled = compile_policy(Policy(exposure=[{"of": of, "share": 1.0}]), run)
    return compiled.floors[0].members(np.arange(len(run.world.items)), at_unix_s)


def _likeness(run: Run, rows: np.ndarray, valid: np.ndarray) -> float:
    pairs = np.triu_indices(K, 1)
    found = []
    for listed in rows[valid.all(axis=1)]:
        vectors = run.tables.content[listed].astype(np.float32)
        found.append((vectors @ vectors.T)[pairs].mean())
    return float(np.mean(found))


if __name__ == "__main__":
    main()
