"""The cases that go into the result file, and what each was to be."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.cases import Case, measured
from benchmarks.encoder_cases.figures import difference, interval, ratio, resampled_means
from benchmarks.encoder_cases.tables import WORD_CASES, Column

COMMAND = "make bench-encoders"
SHIPPED_TARGETS = {
    "fashion_t2i_r10": ">= 0.65",
    "fashion_zeroshot_type": ">= 0.75",
    "grocery_top1": ">= 0.6",
    "clothing_zeroshot": ">= 0.7",
}


def headline_cases(
    shipped: Column, research: Column | None, *, imagenet: Column, plain: Column
) -> Iterator[Case]:
    """The cases of the result file, each with the bounds of its interval.

    Args:
        shipped: The bundled encoder.
        research: The one that learned from every set, if it is at hand.
        imagenet: The image tower alone, which rooms are compared with.
        plain: MiniLM alone, which words are compared with.
    """
    for case, target in SHIPPED_TARGETS.items():
        yield from _with_bounds(case, _estimate(shipped, case), "", target)
    for column, suffix in ((research, ""), (shipped, "_shipped")):
        if column is None:
            continue
        goal, times = (">= 0.6", ">= 3") if column is research else ("", "")
        captions, found = "captions_t2i_r10", "rooms_r20"
        yield from _with_bounds(f"{captions}{suffix}", _estimate(column, captions), "", goal)
        yield from _with_bounds(f"{found}{suffix}", _estimate(column, found), "", "")
        better = ratio(column[found], imagenet[found])
        yield from _with_bounds(f"{found}_ratio{suffix}", better, "x", times)
    yield from _with_bounds("words_difference", _words_difference(shipped, plain), "", ">= 0")


def _with_bounds(
    case: str, estimate: tuple[float, float, float], unit: str, target: str
) -> Iterator[Case]:
    value, low, high = estimate
    yield measured(case, value, unit, target, command=COMMAND)
    yield measured(f"{case}_low", low, unit, command=COMMAND)
    yield measured(f"{case}_high", high, unit, command=COMMAND)


def _estimate(column: Column, case: str) -> tuple[float, float, float]:
    figure = column[case]
    return figure.value, figure.low, figure.high


def _words_difference(ours: Column, plain: Column) -> tuple[float, float, float]:
    """Ours minus plain MiniLM, the mean of the four text-to-text cases."""
    pairs = [(ours[case], plain[case]) for case in WORD_CASES]
    means = np.mean([resampled_means(a.scores - b.scores) for a, b in pairs], axis=0)
    return float(np.mean([difference(a, b)[0] for a, b in pairs])), *interval(means)
