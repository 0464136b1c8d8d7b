"""Complete Journey: the demo's run against the best baseline, and how true its chances are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from benchmarks.cases import Case
from benchmarks.rerank_cases.asked import Asked, bounds, case
from benchmarks.rerank_cases.journey_requests import asks_of, lessons_of_run, logits_of
from benchmarks.sections import Found, rows
from engine import layout
from engine.evaluate.bootstrap import Interval
from engine.interactions import Floats, Ints
from engine.runtime import Run, load_run
from retrieval.rerank.calibrate import calibration_error, fit_platt
from retrieval.rerank.examples import Examples
from retrieval.rerank.held_out import split_users

TOP = 10
Doubles = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shown:
    """Candidates with their scores; all ``[N]``."""

    logit: Floats
    label: NDArray[np.bool_]
    weight: Floats
    user: Ints

    def where(self, mask: NDArray[np.bool_]) -> Shown:
        """Some of them."""
        return Shown(self.logit[mask], self.label[mask], self.weight[mask], self.user[mask])

    def error(self, chance: Doubles) -> float:
        """Calibration error of chances float64 ``[N]``."""
        told = torch.from_numpy(chance.astype(np.float32))
        return calibration_error(told, torch.from_numpy(self.label), torch.from_numpy(self.weight))


def run(asked: Asked) -> Found:
    """Read the run's evaluation, and measure its probabilities on held-out users and on test."""
    loaded = load_run(asked.run)
    ratios = _ratios(asked.run, loaded.manifest.run_id)
    asks = asks_of(asked.run, asked.demo).examples
    test = _shown(loaded, asks)
    examples = layout.load_examples(lessons_of_run(asked.run, asked.demo).requests)
    _, rows_of = split_users(examples.user, np.random.default_rng(loaded.config.seed))
    held_out = _shown(loaded, examples, rows_of)
    platt, isotonic = _crossed(held_out)
    chance = loaded.model.probability(torch.from_numpy(test.logit)).numpy().astype(np.float64)
    error = test.error(chance)
    first = _first(asks, test.logit)
    cases = (
        *_ratio_cases("cj_ndcg10_all_ratio", ratios[0], ">= 1.25"),
        *_ratio_cases("cj_ndcg10_new_ratio", ratios[1], ">= 1.4"),
        case("ece_purchase", error, "", "<= 0.02"),
        case("ece_purchase_first_ten", test.where(first).error(chance[first]), ""),
        case("ece_purchase_held_out", platt, "", "<= 0.02"),
        case("ece_purchase_held_out_isotonic", isotonic, ""),
    )
    table = rows(
        ("calibration error of purchase", "all candidates", "first ten"),
        [
            ("test", f"{error:.4f}", f"{test.where(first).error(chance[first]):.4f}"),
            ("held-out users, Platt", f"{platt:.4f}", ""),
            ("held-out users, isotonic", f"{isotonic:.4f}", ""),
        ],
    )
    note = (
        f"Run {loaded.manifest.run_id}. Ratios are of NDCG@10 to the best baseline, tuned before "
        "the cut, over the same users (`vitrine evaluate`). Fifteen bins of equally many "
        "candidates; on held-out users each half is measured with what the other half fitted."
    )
    return Found(cases, f"{table}\n\n{note}")


def _ratio_cases(name: str, ratio: Interval, target: str) -> Iterator[Case]:
    yield case(name, ratio.estimate, "x", target)
    yield from bounds(name, ratio)


def _ratios(run_folder: Path, run_id: str) -> tuple[Interval, Interval]:
    file = run_folder.with_name(f"{run_folder.name}-evaluation") / f"{run_id}.json"
    found = json.loads(file.read_text("utf-8"))
    return Interval(**found["all_ratio"]), Interval(**found["new_ratio"])


def _shown(loaded: Run, examples: Examples, which: Ints | None = None) -> Shown:
    chosen = np.arange(len(examples)) if which is None else which
    at = np.concatenate([np.arange(examples.offset[i], examples.offset[i + 1]) for i in chosen])
    sizes = examples.offset[chosen + 1] - examples.offset[chosen]
    return Shown(
        logits_of(loaded.model, examples, chosen),
        examples.label[at, 0],
        np.exp(examples.log_weight[at]),
        np.repeat(examples.user[chosen], sizes),
    )


def _crossed(shown: Shown) -> tuple[float, float]:
    """Error of Platt scaling and of isotonic regression, each half fitted on the other."""
    odd = shown.user % 2 == 1
    platt, isotonic = np.zeros(len(odd)), np.zeros(len(odd))
    for half in (odd, ~odd):
        known, asked = shown.where(~half), shown.where(half)
        parts = (known.logit, known.label, known.weight)
        slope, offset = fit_platt(*(torch.from_numpy(part) for part in parts)).tolist()
        platt[half] = 1 / (1 + np.exp(-(slope * asked.logit + offset)))
        order = np.argsort(known.logit, kind="stable")
        rising = isotonic_regression(known.label[order].astype(float), weights=known.weight[order])
        isotonic[half] = np.interp(asked.logit, known.logit[order], rising.x)
    return shown.error(platt), shown.error(isotonic)


def _first(examples: Examples, logit: Floats) -> NDArray[np.bool_]:
    """The candidates that a list of ten shows."""
    shown = np.zeros(len(logit), np.bool_)
    for start, stop in zip(examples.offset[:-1], examples.offset[1:], strict=True):
        shown[start + np.argsort(-logit[start:stop], kind="stable")[:TOP]] = True
    return shown
