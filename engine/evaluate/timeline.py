"""Quality against the time since the cut: how fast a run grows old."""

from __future__ import annotations

from dataclasses import dataclass

from engine.evaluate.bootstrap import Interval, PerRequest, mean_interval
from engine.interactions import Ints

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Span:
    """Requests of some days after the cut."""

    first_day: int
    """Days since the cut; the cut is at the beginning of day 0."""
    last_day: int
    """Included."""
    n_requests: int
    ours: Interval
    theirs: Interval


def spans_of(
    at_unix_s: Ints,
    cut_unix_s: int,
    ours: PerRequest,
    theirs: PerRequest,
    *,
    most: int = 8,
    fewest: int = 25,
) -> tuple[Span, ...]:
    """Means over spans of days, each long enough to hold some requests.

    Args:
        at_unix_s: Moment of each request, int64 ``[B]``, not before the cut.
        cut_unix_s: The cut.
        ours: A measure of each request, float64 ``[B]``.
        theirs: The same of another method.
        most: Spans at most.
        fewest: Requests that a span holds at least, where there are as many.
    """
    day = (at_unix_s - cut_unix_s) // DAY_S
    width = max(1, -(-(int(day.max()) + 1) // most))
    ends = [width * (i + 1) for i in range(-(-(int(day.max()) + 1) // width))]
    spans: list[Span] = []
    first = 0
    for end in ends:
        inside = (day >= first) & (day < end)
        left = int((day >= end).sum())
        if end != ends[-1] and (inside.sum() < fewest or left < fewest):
            continue
        spans.append(
            Span(
                first,
                end - 1,
                int(inside.sum()),
                mean_interval(ours[inside]),
                mean_interval(theirs[inside]),
            )
        )
        first = end
    return tuple(spans)
