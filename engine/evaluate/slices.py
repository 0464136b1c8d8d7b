"""Where a method is good and where it is not: by hour, season, offer, kind of user and of item."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from engine.arrays import local_seconds
from engine.calendar import season_of
from engine.evaluate import metrics
from engine.evaluate.bootstrap import Interval, Resampling, mean_intervals
from engine.evaluate.items import NEW_DAYS, SECONDS_PER_DAY, Renown
from engine.evaluate.protocol import Bools, EvaluationSet, Ranked, flat_targets
from engine.interactions import Ints
from engine.scene_facets import Facet
from retrieval.rerank.offers import OfferCalendar

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
AGE_EDGES_DAYS = (0, 1, 3, 7, 14, 28)
"""Where each band of days since the cut begins."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What tells the scene of a request besides the request itself."""

    zone: ZoneInfo
    country: str | None = None
    """ISO 3166 code; without one no season is told."""
    offers: OfferCalendar | None = None
    facets: tuple[Facet, ...] = ()
    """The values behind the codes of the requests' facets."""


@dataclass(frozen=True, slots=True)
class Slice:
    """What lists are worth on a part of the requests, or of their targets."""

    by: str
    """What the parts differ in, such as ``hour`` or ``item``."""
    value: str
    """This part, such as ``08`` or ``tail``."""
    n_requests: int
    n_targets: int
    recall: Interval
    ndcg: Interval
    hit: Interval


@dataclass(frozen=True, slots=True)
class _Part:
    """Targets that a slice is about; requests that keep none leave."""

    by: str
    value: str
    target: Bools


def slices_of(
    ranked: Ranked,
    asked: EvaluationSet,
    around: Surroundings,
    *,
    k: int = 10,
    resampling: Resampling | None = None,
) -> tuple[Slice, ...]:
    """Measure the first ``k`` answers on every part of the requests that is not empty.

    Slices by ``hour``, ``weekday``, ``season``, ``days since the cut``, ``user`` and each facet
    of the scene are parts of the requests. Slices by ``item`` and ``offer`` are parts of the
    targets: a request counts with its targets of that part alone.

    Args:
        ranked: Lists of all requests.
        asked: The requests.
        around: Tells their scenes.
        k: Answers that count.
        resampling: Of the intervals, which are over users.
    """
    owner, _ = flat_targets(asked.targets)
    first = Ranked(ranked.rows[:, :k], ranked.valid[:, :k])
    parts = [_Part(by, value, chosen[owner]) for by, value, chosen in request_parts(asked, around)]
    parts += _target_parts(asked, around)
    return tuple(
        _measured(part, first, asked, k, resampling) for part in parts if part.target.any()
    )


def _measured(
    part: _Part, ranked: Ranked, asked: EvaluationSet, k: int, resampling: Resampling | None
) -> Slice:
    owner, item = flat_targets(asked.targets)
    owner, item = owner[part.target], item[part.target]
    requests, opening = np.unique(owner, return_index=True)
    targets = np.split(item, opening[1:])
    rows, valid = ranked.rows[requests], ranked.valid[requests]
    values = np.column_stack(
        [
            metrics.recall_at_k(rows, valid, targets, k),
            metrics.ndcg_at_k(rows, valid, targets, k),
            metrics.hit_at_k(rows, valid, targets, k),
        ]
    )
    recall, ndcg, hit = mean_intervals(values, resampling, asked.requests.user[requests])
    return Slice(part.by, part.value, len(requests), len(item), recall, ndcg, hit)


def request_parts(asked: EvaluationSet, around: Surroundings) -> Iterator[tuple[str, str, Bools]]:
    """Every way of slicing the requests: what they differ in, which value, and who, bool ``[B]``.

    Some parts may be empty.
    """
    requests = asked.requests
    local = local_seconds(requests.at_unix_s, around.zone)
    hour = local % SECONDS_PER_DAY // 3600
    weekday = (local // SECONDS_PER_DAY + 3) % 7  # the unix epoch was a Thursday
    yield from _coded("hour", hour, [f"{n:02d}" for n in range(24)])
    yield from _coded("weekday", weekday, WEEKDAYS)
    seasons = np.array([_season(int(second), around.country) for second in local])
    for season in dict.fromkeys(seasons[seasons != ""].tolist()):
        yield "season", season, seasons == season
    age = (requests.at_unix_s - asked.cut_unix_s) // SECONDS_PER_DAY
    band = np.searchsorted(AGE_EDGES_DAYS, age, side="right") - 1
    yield from _coded("days since the cut", band, _bands())
    yield from _coded("user", _user_codes(asked), ("without history", "new", "old"))
    if requests.facets is not None:
        for at, facet in enumerate(around.facets):
            codes = requests.facets[:, at].astype(np.int64)
            for code, value in enumerate(facet.values[1:], start=1):
                yield facet.name, value, codes == code


def _coded(
    by: str, codes: Ints, values: tuple[str, ...] | list[str]
) -> Iterator[tuple[str, str, Bools]]:
    for code, value in enumerate(values):
        yield by, value, codes == code


def _season(local_s: int, country: str | None) -> str:
    season = season_of(datetime.fromtimestamp(local_s, UTC).date(), country)
    return "" if season is None else str(season)


def _bands() -> list[str]:
    ends = [*(str(edge) for edge in AGE_EDGES_DAYS[1:]), ""]
    return [
        f"{start}–{end}" if end else f"{start}+"
        for start, end in zip(AGE_EDGES_DAYS, ends, strict=True)
    ]


def _user_codes(asked: EvaluationSet) -> Ints:
    """0 for users without a history, 1 for those whose began lately, 2 for others."""
    history = asked.history
    began = np.full(history.n_users, asked.cut_unix_s, np.int64)
    np.minimum.at(began, history.user, history.at_unix_s)
    ago_days = (asked.cut_unix_s - began[asked.requests.user]) / SECONDS_PER_DAY
    return np.where(ago_days <= 0, 0, np.where(ago_days < NEW_DAYS, 1, 2))


def _target_parts(asked: EvaluationSet, around: Surroundings) -> Iterator[_Part]:
    _, item = flat_targets(asked.targets)
    head = Renown.of(asked).head[item]
    yield _Part("item", "head", head)
    yield _Part("item", "tail", ~head)
    if around.offers is not None and len(around.offers):
        offered = np.concatenate(
            [
                around.offers.running(int(place), int(at))[targets] > 0
                for place, at, targets in zip(
                    asked.requests.place, asked.requests.at_unix_s, asked.targets, strict=True
                )
            ]
        )
        yield _Part("offer", "running", offered)
        yield _Part("offer", "none", ~offered)
