"""Baselines tuned for the requests of one cut: done once and kept, as they do not hang on a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.artifacts import load_arrays, read_json, save_arrays, write_json
from engine.evaluate.asked_for import Protocol
from engine.evaluate.baselines.families import FAMILIES
from engine.evaluate.protocol import EvaluationSet
from engine.evaluate.rankers import Scores
from engine.evaluate.tune import Outcome, Tuning, evaluate_baselines
from engine.stages import StageCache

MEASURES = ("recall", "ndcg", "hit", "reciprocal_rank", "average_precision")


@dataclass(frozen=True, slots=True)
class Baselines:
    """What tuned baselines reached; everything by method."""

    scores: Mapping[str, tuple[Scores, Scores]]
    """On all items and on new ones."""
    settings: Mapping[str, tuple[str, str]]
    notes: tuple[str, ...]

    @property
    def best_all(self) -> str:
        """The method with the best NDCG on all items."""
        return max(self.scores, key=lambda method: float(self.scores[method][0].ndcg.mean()))

    @property
    def best_new(self) -> str:
        """The same on new items."""
        return max(self.scores, key=lambda method: float(self.scores[method][1].ndcg.sum()))


def tuned_baselines(
    asked: EvaluationSet,
    tuning: Tuning,
    dataset_hash: str,
    stages: StageCache,
    protocol: Protocol = Protocol.FIRST_BASKETS,
) -> Baselines:
    """What every family reaches, from the cache where it lies there.

    Args:
        asked: The requests.
        tuning: How hard to try.
        dataset_hash: Of what the requests were made from.
        stages: Keeps the scores.
        protocol: What ``asked`` was made by.

    Raises:
        DataError: The days before the cut hold no basket to tune on.
    """

    def make(folder: Path) -> None:
        outcomes = evaluate_baselines(asked, tuning, on_start=stages.reporter.note)
        listed = [(o.method, str(o.for_all), str(o.for_new)) for o in outcomes.outcomes]
        write_json(folder / "methods.json", {"methods": listed, "skipped": outcomes.skipped})
        arrays: dict[str, np.ndarray] = {}
        for i, outcome in enumerate(outcomes.outcomes):
            arrays |= _arrays(i, outcome)
        save_arrays(folder / "scores.safetensors", arrays)

    reads = {
        "dataset": dataset_hash,
        "cut": str(asked.cut_unix_s),
        "tuning": str(tuning),
        "families": repr(FAMILIES),
        "protocol": protocol,
    }
    folder = stages.run("baselines", reads, make)
    known, arrays = read_json(folder / "methods.json"), load_arrays(folder / "scores.safetensors")
    scores, settings = {}, {}
    for i, (method, for_all, for_new) in enumerate(known["methods"]):
        every, new = (_scores(arrays, i, view, method, tuning.k) for view in ("all", "new"))
        scores[method] = every, new
        settings[method] = (for_all, for_new)
    return Baselines(scores, settings, tuple(known["skipped"]))


def _arrays(i: int, outcome: Outcome) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for view, scores in (("all", outcome.all_items), ("new", outcome.new_items)):
        for name in ("user", *MEASURES):
            arrays[f"{i}.{view}.{name}"] = getattr(scores, name)
    return arrays


def _scores(arrays: dict[str, np.ndarray], i: int, view: str, method: str, k: int) -> Scores:
    at = f"{i}.{view}"
    return Scores(
        method=method,
        k=k,
        new_only=view == "new",
        user=arrays[f"{at}.user"],
        recall=arrays[f"{at}.recall"],
        ndcg=arrays[f"{at}.ndcg"],
        hit=arrays[f"{at}.hit"],
        reciprocal_rank=arrays[f"{at}.reciprocal_rank"],
        average_precision=arrays[f"{at}.average_precision"],
    )
