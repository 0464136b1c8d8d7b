"""How each candidate sells: everywhere and at the request's place, alone and within its groups.

What nobody has bought yet may be new: no sales are then no verdict. Columns that tell how the
candidate itself sold are NaN for it, and training hides the sales of some candidates so that the
network knows what to make of that.

Alphabet: C candidates, I items, G ways of grouping, N codes of all of them, F features.
"""

from __future__ import annotations

import math

from retrieval.kernels import kernel
from retrieval.rerank.records import Floats, Ints, Moment
from retrieval.rerank.trends import Trends, day_slot

GROUP_SALE_FEATURES = ("popularity_share", "share_here", "lift_here")
TREND_FEATURES = (
    "sold_7d",
    "sold_28d",
    "sold_ever",
    "trend",
    "repeat_rate",
    "frequency",
    "place_sold",
    "place_sold_28d",
    "place_share",
    "place_lift",
    "place_size",
    "slot_lift",
)
N_GROUP, N_TREND = len(GROUP_SALE_FEATURES), len(TREND_FEATURES)


def write_group_sales(
    features: Floats, at: int, candidates: Ints, moment: Moment, trends: Trends
) -> int:
    """Write ``GROUP_SALE_FEATURES`` for each way of grouping, logarithms.

    These are the share of its group's sales that each candidate has, the same at the place, and
    how much more of the sales there fall in the group than everywhere; NaN without a place.

    Args:
        features: float32 ``[C, F]``.
        at: First column to write.
        candidates: int64 ``[C]``.
        moment: Names the place.
        trends: As known at the moment.

    Returns:
        The column behind the last.
    """
    here = trends.at_place(moment.place)
    _write_groups(
        features,
        at,
        candidates,
        (trends.groups, trends.group_starts, trends.group_sold, here.group_recent),
        (trends.all_time, trends.last_28_days, here.recent),
        (trends.total_28_days, here.total_recent if moment.place else math.nan),
    )
    return at + N_GROUP * len(trends.groups)


@kernel
def _write_groups(
    features: Floats,
    at: int,
    candidates: Ints,
    groups: tuple[Ints, Ints, Floats, Floats],
    of_item: tuple[Floats, Floats, Floats],
    totals: tuple[float, float],
) -> None:
    """Write the shares, way of grouping after way of grouping.

    Args:
        features: float32 ``[C, F]``.
        at: First column to write.
        candidates: int64 ``[C]``.
        groups: Code of each item, int64 ``[G, I]``; where the codes of each way begin among all,
            int64 ``[G]``; their events of the last 28 days, everywhere and here, float32 ``[N]``.
        of_item: Events ever, of the last 28 days, and of these here, float32 ``[I]`` each.
        totals: Of the last 28 days, everywhere and here; NaN here where no place is known.
    """
    codes, starts, code_sold, code_here = groups
    item_ever, item_recent, item_here = of_item
    # Gathered first: what lies far apart is then waited for together, not one by one.
    ever, recent = item_ever[candidates], item_recent[candidates]
    recent_here = item_here[candidates]
    total, total_here = max(totals[0], 1.0), max(1.0, totals[1])
    placed = not math.isnan(totals[1])
    for g in range(len(codes)):
        code = codes[g][candidates] + starts[g]
        for c in range(len(candidates)):
            sold, here = code_sold[code[c]], code_here[code[c]]
            own, own_here, lift = (recent[c] + 0.5) / (sold + 5), math.nan, math.nan
            if placed:
                own_here = math.log((recent_here[c] + 0.5) / (here + 5))
                lift = math.log((here / total_here + 1e-4) / (sold / total + 1e-4))
            features[c, at] = math.log(own) if ever[c] else math.nan
            features[c, at + 1] = own_here if ever[c] else math.nan
            features[c, at + 2] = lift
        at += N_GROUP


def write_trends(
    features: Floats, at: int, candidates: Ints, moment: Moment, trends: Trends
) -> int:
    """Write ``TREND_FEATURES``; see :func:`write_group_sales`."""
    here = trends.at_place(moment.place)
    of_item = (
        trends.all_time,
        trends.last_7_days,
        trends.last_28_days,
        trends.repeat_rate,
        trends.frequency,
        trends.overall_share,
        trends.slot_lift[day_slot(moment.local_s)],
        here.sold,
        here.recent,
    )
    total_here = float(trends.place_totals[moment.place]) if moment.place else math.nan
    _write_trends(features, at, candidates, of_item, total_here)
    return at + N_TREND


@kernel
def _write_trends(
    features: Floats, at: int, candidates: Ints, of_item: tuple[Floats, ...], total_here: float
) -> None:
    """Write what is known of each candidate; ``of_item`` are float32 ``[I]``, as unpacked here."""
    ever, last_7, last_28, repeat_rate, frequency, share, slot_lift, sold_here, recent_here = (
        of_item
    )
    for c in range(len(candidates)):
        # Gathered first: what lies far apart is then waited for together, not one by one.
        item = candidates[c]
        features[c, at] = last_7[item]
        features[c, at + 1] = last_28[item]
        features[c, at + 2] = ever[item]
        features[c, at + 4] = repeat_rate[item]
        features[c, at + 5] = frequency[item]
        features[c, at + 6] = sold_here[item]
        features[c, at + 7] = recent_here[item]
        features[c, at + 9] = share[item]
        features[c, at + 11] = slot_lift[item]
    for c in range(len(candidates)):
        _describe(features[c, at : at + N_TREND], total_here)


@kernel
def _describe(row: Floats, total_here: float) -> None:
    """Turn the counts of a candidate, which stand where their features will, into these."""
    placed, ever = not math.isnan(total_here), row[2]
    week, month, share = float(row[0]), float(row[1]), float(row[9])
    here = float(row[6]) if placed else math.nan
    row[0], row[1], row[2] = math.log1p(week), math.log1p(month), math.log1p(ever)
    row[3] = math.log((week + 1) / (month / 4 + 1))
    row[6] = math.log1p(here)
    row[7] = math.log1p(row[7]) if placed else math.nan
    row[8] = math.log((here + 0.5) / (total_here + 100) * 1e4)
    row[9] = math.log((here / (total_here + 1) + 1e-5) / (share + 1e-5))
    if ever == 0:
        row[:] = math.nan
    row[10] = math.log1p(total_here)
