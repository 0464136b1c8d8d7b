"""What the comparison found, as cases and tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.cases import RESULTS, measured
from benchmarks.compare_cases.contest import Contest, Entry
from benchmarks.sections import Found, rows
from engine.evaluate.bootstrap import Interval, mean_interval
from engine.evaluate.tune import CONFIGURATIONS

case = partial(measured, command="make bench-compare")
"""``case(name, value, unit, target)``: a figure of this benchmark."""
METHODS_HEADER = (
    "method",
    "NDCG@10, 95 % interval",
    "Recall@10",
    "ours over it, 95 % interval",
    "tried",
    "settings",
)


@dataclass(frozen=True, slots=True)
class Standing:
    """How ours stands in one shop, as its section left it."""

    name: str
    ratio: Interval
    methods: int
    users: int


def of_contest(name: str, found: Contest) -> Found:
    """The table of a shop, and ours over the best other."""
    best = found.best_other
    ratio = found.ratio(best)
    cases = (
        case(f"{name}_ndcg10", found.ours.mean, ""),
        case(f"{name}_ndcg10_ratio", ratio.estimate, "x", ">= 1"),
        case(f"{name}_ndcg10_ratio_low", ratio.low, "x"),
        case(f"{name}_ndcg10_ratio_high", ratio.high, "x"),
        case(f"{name}_methods", 1 + len(found.others), ""),
        case(f"{name}_requests", len(found.ours.ndcg), ""),
    )
    notes = "".join(f"\n- {line}" for line in found.notes)
    note = (
        f"{len(found.ours.ndcg):,} requests; the best other is {best.method}. Tried: settings "
        f"before the first cut, of every method {CONFIGURATIONS} or all that it has."
    )
    return Found(cases, f"{rows(METHODS_HEADER, _lines(found))}\n\n{note}\n{notes}")


def summary(sets: Sequence[str]) -> Found:
    """On how many of the measured sets ours is first, and on how many beyond doubt."""
    standings = [found for name in sets if (found := _standing(name)) is not None]
    first = sum(one.ratio.estimate > 1.0 for one in standings)
    outside = sum(one.ratio.low > 1.0 for one in standings)
    lines = [
        (
            one.name,
            _told(one.ratio, digits=3),
            one.methods,
            f"{one.users:,}",
        )
        for one in standings
    ]
    header = ("set", "NDCG@10 over the best other, 95 % interval", "methods", "users")
    note = (
        "Each set is cut in global time; each user's first basket after the cut is asked for, "
        "among all items. Intervals are bootstraps over users."
    )
    cases = (
        case("sets_first", first, f"of {len(sets)}", f">= {len(sets)}"),
        case("sets_outside_interval", outside, f"of {len(sets)}", f">= {len(sets) - 1}"),
    )
    return Found(cases, f"{rows(header, lines)}\n\n{note}")


def speed() -> Found:
    """Seconds and memory of an evaluation of 2,000 users over 24,500 items."""
    from benchmarks.compare_cases.evaluation_speed import measure_evaluation

    seconds, mebibytes = measure_evaluation()
    cases = (
        case("evaluate_seconds", seconds, "s", "<= 10"),
        case("evaluate_mebibytes", mebibytes, "MiB"),
    )
    return Found(cases, "2,000 users over 24,500 items, all measures; scores are streamed.")


def stranger(folder: Path) -> Found:
    """Minutes from two CSV files to a report."""
    from benchmarks.compare_cases.stranger import measure_stranger

    minutes = measure_stranger(folder)
    found = case("stranger_minutes", minutes, "min", "<= 10")
    return Found((found,), "Three commands: ingest, train, evaluate with a report.")


def _lines(found: Contest) -> Iterator[tuple[object, ...]]:
    for entry in sorted((found.ours, *found.others), key=lambda entry: -entry.mean):
        ratio = "" if entry is found.ours else _ratio_told(found, entry)
        yield (
            entry.method,
            _told(mean_interval(entry.ndcg)),
            f"{float(entry.recall.mean()):.4f}",
            ratio,
            entry.tried,
            f"`{entry.settings}`",
        )


def _ratio_told(found: Contest, entry: Entry) -> str:
    try:
        return _told(found.ratio(entry), digits=2)
    except ValueError:  # it found nothing, in the whole or in a resample
        return ""


def _standing(name: str) -> Standing | None:
    file = RESULTS / "compare" / f"{name}.json"
    if not file.is_file():
        return None
    values = {one["case"]: one["value"] for one in json.loads(file.read_text("utf-8"))}
    ratio = Interval(*(values[f"{name}_ndcg10_ratio{end}"] for end in ("", "_low", "_high")))
    methods, users = (int(values[f"{name}_{what}"]) for what in ("methods", "requests"))
    return Standing(name, ratio, methods, users)


def _told(interval: Interval, digits: int = 4) -> str:
    estimate, low, high = (
        f"{value:.{digits}f}" for value in (interval.estimate, interval.low, interval.high)
    )
    return f"{estimate} [{low}, {high}]"
