"""Whether the shop is still the one that was learned from: drift of inputs, and of the hit rate.

The reference is the run itself, asked for shoppers it knows at moments it was trained up to, and
logged as every list is. What is asked and shown of late is compared with that: each feature of the
shown items, and how often each channel proposed one, by the population stability index

    PSI = sum over bins of (q - p) ln(q / p)

with the reference's deciles as bins, and one for what is missing. Below 0.1 is steady, above 0.25
a reason to train again. The hit rate is the share of lists that an event refers back to.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.drift_file import Drift, HitRate, Shift
from engine.recommend import Engine
from engine.scene import Scene
from engine.store import EventStore, Impression
from engine.types import EventKind

BINS = 10
LEAST = 50
"""Lists below which nothing is said of a window."""
SAMPLE = 300
"""Shoppers that the run is asked for."""
BACK_DAYS = 7
CHANNELS = "channels"
Values = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Seen:
    """What lists were made of."""

    lists: int
    channels: Mapping[str, int]
    """Channel, and how many slots it proposed."""
    features: Mapping[str, Values]
    """Feature, and its value for each slot, float32 ``[n]``."""


def drift_of_store(
    run: Path, store_url: str, *, days: float, now: datetime | None = None, seed: int = 0
) -> Drift:
    """Compare a store's newest lists with a run.

    Args:
        run: The run that the lists are compared with.
        store_url: Where they were logged.
        days: How far back to look.
        now: The end of the window (time zone aware); None is the present.
        seed: Picks the shoppers of the reference.

    Raises:
        RunError: The run or the store cannot be opened.
    """
    now = now or datetime.now(UTC)
    since = now - timedelta(days=days)
    reference, run_id = reference_of(run, np.random.default_rng(seed))
    with EventStore.open(store_url) as store:
        seen = seen_in(list(store.shown.between(since, now, seen=True)))
        rates = (
            _hit_rate(store, "now", since, now),
            _hit_rate(store, "before", since - timedelta(days=days), since),
        )
    return Drift(run_id, days, seen.lists, tuple(shifts_of(reference, seen)), rates)


def reference_of(run: Path, rng: np.random.Generator) -> tuple[Seen, str]:
    """What a run shows its own shoppers at its own time, and its id."""
    with tempfile.TemporaryDirectory(prefix="vitrine-drift-") as folder:
        url = f"sqlite:///{Path(folder) / 'reference.sqlite'}"
        with Engine.open(run, store_url=url) as engine:
            known = np.flatnonzero(np.diff(engine.run.offsets))
            for row in rng.choice(known, min(SAMPLE, len(known)), replace=False):
                user_id = engine.run.vocabulary.users.id(int(row))
                back = timedelta(days=float(rng.uniform(0, BACK_DAYS)))
                engine.answer(user_id, Scene(time=engine.as_of - back), explain=False)
            run_id = engine.run_id
        with EventStore.open(url) as store:
            ever = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)
            return seen_in(list(store.shown.between(*ever, seen=True))), run_id


def seen_in(shown: Sequence[Impression]) -> Seen:
    """What lists were made of, taken together."""
    channels = Counter(name for one in shown for slot in one.slots for name in slot.channels)
    parts: dict[str, list[Values]] = {}
    for one in shown:
        if one.seen is not None and one.seen.names:
            table = np.frombuffer(one.seen.features, "<f4").reshape(-1, len(one.seen.names))
            for name, column in zip(one.seen.names, table.T, strict=True):
                parts.setdefault(name, []).append(column)
    return Seen(len(shown), channels, {name: np.concatenate(p) for name, p in parts.items()})


def shifts_of(reference: Seen, seen: Seen) -> list[Shift]:
    """How far the channels and each feature moved; features of one side alone are passed over."""
    enough = seen.lists >= LEAST
    names = sorted(reference.channels.keys() | seen.channels.keys())
    p = np.array([reference.channels.get(name, 0) for name in names], dtype=np.float64)
    q = np.array([seen.channels.get(name, 0) for name in names], dtype=np.float64)
    first = Shift(CHANNELS, stability(p, q) if enough else None, int(q.sum()))
    rest = [
        Shift(name, psi(expected, seen.features[name]) if enough else None, len(expected))
        for name, expected in reference.features.items()
        if name in seen.features
    ]
    return [first, *sorted(rest, key=lambda one: (-(one.psi or 0.0), one.what))]


def psi(expected: Values, observed: Values) -> float:
    """Population stability index of one feature; both float32 ``[n]``, NaN is a bin of its own."""
    known = expected[~np.isnan(expected)]
    edges = known
    if len(known):
        edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]))
    return stability(_counts(expected, edges), _counts(observed, edges))


def stability(expected: NDArray[np.float64], observed: NDArray[np.float64]) -> float:
    """PSI of two histograms over the same bins; half a count is added to each bin of either."""
    p = (expected + 0.5) / (expected.sum() + 0.5 * len(expected))
    q = (observed + 0.5) / (observed.sum() + 0.5 * len(observed))
    return float(((q - p) * np.log(q / p)).sum())


def _hit_rate(store: EventStore, name: str, since: datetime, before: datetime) -> HitRate:
    """Of the lists of a window; an event counts whenever it came, dismissals do not."""
    shown = {one.request_id for one in store.shown.between(since, before, slots=False)}
    told = datetime.now(UTC) + timedelta(days=1)
    followed = {
        event.request_id
        for event in store.between(since, max(before, told))
        if event.kind is not EventKind.DISMISS
    }
    return HitRate(name, len(shown), len(shown & followed))


def _counts(values: Values, edges: Values) -> NDArray[np.float64]:
    missing = np.isnan(values)
    bins = np.searchsorted(edges, values[~missing], side="right")
    counts = np.bincount(bins, minlength=len(edges) + 1).astype(np.float64)
    return np.append(counts, float(missing.sum()))
