"""Parts of the report that look behind the means: slices, beyond accuracy, leakage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from engine.evaluate.beyond import BeyondAccuracy
from engine.evaluate.bootstrap import Interval
from engine.evaluate.exposure import Exposure
from engine.evaluate.leakage import LeakageReport
from engine.evaluate.markup import Child, Markup, element, estimate, table
from engine.evaluate.slices import Slice
from engine.evaluate.svg import Bar, bar_chart

IN_THE_TIMELINE = "days since the cut"
"""Slices that a section of their own draws."""


def slices_section(slices: Sequence[Slice]) -> list[Child]:
    """A chart for each way of slicing, and one table of all."""
    kept = [each for each in slices if each.by != IN_THE_TIMELINE]
    if not kept:
        return []
    figures = []
    for by, parts in groupby(kept, key=lambda each: each.by):
        bars = [Bar.of(part.value, part.ndcg) for part in parts]
        if len(bars) > 1:
            figures.append(element("h3", f"By {by}"))
            figures.append(element("figure", bar_chart(f"NDCG@10 by {by}", bars)))
    rows = (
        (
            f"{part.by}: {part.value}",
            f"{part.n_requests:,}",
            estimate(part.recall),
            estimate(part.ndcg),
            estimate(part.hit),
        )
        for part in kept
    )
    head = ("slice", "requests", "Recall@10", "NDCG@10", "Hit@10")
    return [
        element(
            "p",
            "Slices by item and by offer count a request with its targets of that kind alone; "
            "small slices have wide intervals.",
        ),
        *figures,
        element("details", element("summary", "All slices"), table("Slices", head, rows)),
    ]


def beyond_section(ours: BeyondAccuracy, baskets: BeyondAccuracy) -> list[Child]:
    """Lists beside the baskets, as if those had been recommended."""
    head = ("measure", "lists", "baskets")
    return [
        element(
            "p",
            "What lists are like, beside what was taken, as if that had been recommended: lists "
            "need not be like baskets, but the baskets tell which values are usual in this shop.",
        ),
        table("Lists and baskets", head, _measures(ours, baskets)),
        *_lifts(ours, baskets),
        *_exposures("Who is shown", ours.exposure),
        *_exposures("Brands with most candidates", ours.brands),
    ]


def checks_section(report: LeakageReport) -> list[Child]:
    """What was looked at, and what was found."""
    n = len(report.leaks)
    verdict = (
        element("span", "Nothing leaked.", class_="good")
        if n == 0
        else element("span", f"{n} of {len(report.checks)} checks found a leak.", class_="bad")
    )
    rows = (
        (
            check.name,
            check.looked_at,
            element("span", check.says, class_="bad") if check.n_leaked else "nothing",
        )
        for check in report.checks
    )
    inside = table("Checks that ran by themselves", ("check", "looked at", "found"), rows)
    return [
        element("p", "A method may know what happened before it is asked, and nothing else. "),
        element("p", verdict),
        element("div", inside, class_="words"),
    ]


def _measures(ours: BeyondAccuracy, baskets: BeyondAccuracy) -> Iterator[Sequence[Child]]:
    def pair(name: str, mine: Interval | None, taken: Interval | None) -> Sequence[Child]:
        return name, estimate(mine), estimate(taken)

    yield "coverage: share of the candidates shown", _n(ours.coverage), _n(baskets.coverage)
    yield "Gini of how often they are shown", _n(ours.gini), _n(baskets.gini)
    yield pair("novelty, bits", ours.novelty_bits, baskets.novelty_bits)
    yield pair("diversity within a list", ours.diversity, baskets.diversity)
    yield "serendipity", estimate(ours.serendipity), "–"
    yield pair("miscalibration, nats", ours.miscalibration_nats, baskets.miscalibration_nats)
    if ours.brand_unfairness is not None and baskets.brand_unfairness is not None:
        yield "unfairness to brands", _n(ours.brand_unfairness), _n(baskets.brand_unfairness)


def _lifts(ours: BeyondAccuracy, baskets: BeyondAccuracy) -> Iterator[Child]:
    if not ours.popularity_lift:
        return
    of_baskets = {lift.group: lift for lift in baskets.popularity_lift}
    rows = (
        (
            f"{lift.group}, {lift.n_users:,} users",
            f"{lift.taken:.4f}",
            f"{lift.listed:.4f}",
            f"{lift.lift:+.1%}",
            f"{of_baskets[lift.group].lift:+.1%}" if lift.group in of_baskets else "–",
        )
        for lift in ours.popularity_lift
    )
    head = ("shoppers", "their past", "their lists", "lift", "lift of baskets")
    yield element("h3", "Popularity, by taste")
    yield table("Mean share of users who had an item", head, rows)


def _exposures(name: str, groups: Sequence[Exposure]) -> Iterator[Child]:
    if not groups:
        return
    rows = (
        (
            group.group or "no name",
            f"{group.n_items:,}",
            f"{group.of_candidates:.1%}",
            f"{group.of_targets:.1%}",
            f"{group.of_exposure:.1%}",
        )
        for group in groups
    )
    head = ("group", "items", "of candidates", "of what was taken", "of attention")
    yield element("h3", name)
    yield table(f"{name}: shares of all", head, rows)


def _n(value: float) -> Markup:
    return element("span", f"{value:.4f}")
