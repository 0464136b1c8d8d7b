"""Drift: hand-computed indexes, laws, and a store in which a change was planted."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from engine.drift import CHANNELS, LEAST, Seen, drift_of_store, psi, shifts_of, stability
from engine.drift_file import DRIFT_FILE, Drift, HitRate, Shift, read_drift, write_drift
from engine.errors import DataError
from engine.recommend import Engine
from engine.scene import Scene
from engine.store import EventStore, Impression, Slot
from engine.types import Event, EventKind

counts = arrays(np.float64, st.integers(1, 6), elements=st.integers(0, 1000))


def test_stability_by_hand():
    # Half a count each: (1.5, 3.5) of 5 against (3.5, 1.5) of 5.
    expected = 2 * (0.7 - 0.3) * math.log(0.7 / 0.3)
    assert stability(np.array([1.0, 3.0]), np.array([3.0, 1.0])) == pytest.approx(expected)
    assert stability(np.array([5.0, 5.0]), np.array([5.0, 5.0])) == 0


@given(counts, st.randoms())
def test_stability_is_symmetric_never_negative_and_blind_to_order(p, random):
    q = np.array([random.randrange(1000) for _ in p], dtype=np.float64)
    there, back = stability(p, q), stability(q, p)
    assert there >= 0
    assert there == pytest.approx(back)
    turned = np.array(random.sample(range(len(p)), len(p)))
    assert stability(p[turned], q[turned]) == pytest.approx(there)


def test_psi_bins_by_deciles_and_counts_what_is_missing():
    rng = np.random.default_rng(0)
    usual = rng.normal(size=20_000).astype(np.float32)
    again = rng.normal(size=20_000).astype(np.float32)
    assert psi(usual, again) < 0.01
    # A shift by one standard deviation moves a normal distribution by about 1 (the index is the
    # sum of both Kullback-Leibler divergences, 1/2 each); deciles see a little less of it.
    assert psi(usual, again + 1) == pytest.approx(0.9, abs=0.15)
    gone = again.copy()
    gone[: len(gone) // 2] = np.nan
    assert psi(usual, gone) > 1
    assert psi(gone, gone) == 0
    assert psi(np.full(9, np.nan, np.float32), np.full(9, np.nan, np.float32)) == 0


def test_a_feature_of_few_values_has_few_bins():
    half = np.array([0, 1] * 50, dtype=np.float32)
    mostly = np.array([0] * 90 + [1] * 10, dtype=np.float32)
    by_hand = stability(np.array([50.0, 50.0, 0.0]), np.array([90.0, 10.0, 0.0]))
    assert psi(half, mostly) == pytest.approx(by_hand, rel=0.05)


def test_little_is_not_told_from_much_and_the_farthest_comes_first():
    calm, wild = np.zeros(100, np.float32), np.arange(100, dtype=np.float32)
    reference = Seen(100, {"graph": 50, "words": 50}, {"calm": calm, "wild": wild, "old": calm})
    seen = Seen(LEAST, {"graph": 90, "words": 10}, {"calm": calm, "wild": wild + 50})
    told = shifts_of(reference, seen)
    assert [one.what for one in told] == [CHANNELS, "wild", "calm"]
    assert told[0].psi == pytest.approx(stability(np.array([50.0, 50.0]), np.array([90.0, 10.0])))
    few = shifts_of(reference, Seen(LEAST - 1, seen.channels, seen.features))
    assert {one.psi for one in few} == {None}


def test_a_planted_change_is_found_where_it_is(planted_run: Path, tmp_path: Path):
    """Lists of the run itself, months after; then the same with every channel renamed."""
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    now = datetime.now(UTC) + timedelta(minutes=1)
    with Engine.open(planted_run, store_url=url) as engine:
        shoppers = [s.user_id for s in engine.shoppers(limit=60)]
        for back in range(3):
            for user in shoppers:
                engine.answer(user, Scene(time=engine.as_of - timedelta(days=back)))
    calm = drift_of_store(planted_run, url, days=1, now=now)
    assert calm.lists == 3 * len(shoppers)
    assert calm.shifts[0].what == CHANNELS
    assert calm.shifts[0].psi is not None
    assert calm.shifts[0].psi < 0.1
    with EventStore.open(url) as store:
        stranger = [
            Impression(
                f"odd-{n}",
                "u",
                now - timedelta(seconds=30),
                "{}",
                "x",
                (Slot("i", 1, 0.5, {"unheard-of": 1.0}),),
            )
            for n in range(400)
        ]
        store.log_impressions(*stranger)
    odd = drift_of_store(planted_run, url, days=1, now=now)
    assert odd.shifts[0].psi is not None
    assert odd.shifts[0].psi > 0.25


def test_the_hit_rate_joins_events_to_the_lists_that_they_name(planted_run, tmp_path):
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    now = datetime(2026, 5, 10, tzinfo=UTC)
    with EventStore.open(url) as store:
        for name, at in (("a", 1), ("b", 1), ("c", 1), ("d", 1), ("old", 9)):
            shown = (Slot("i", 1, 0.5),)
            store.log_impressions(
                Impression(name, "u", now - timedelta(days=at), "{}", "run", shown)
            )
        at = now - timedelta(hours=1)
        store.append(
            [
                Event("u", "i", EventKind.PURCHASE, at, request_id="a"),
                Event("u", "i", EventKind.VIEW, at, request_id="a"),  # the same list, once
                Event("u", "i", EventKind.DISMISS, at, request_id="b"),  # no hit
                Event("u", "i", EventKind.VIEW, at, request_id="unknown"),
                Event("u", "i", EventKind.VIEW, at),
            ]
        )
    found = drift_of_store(planted_run, url, days=7, now=now).hit_rates
    assert found == (HitRate("now", 4, 1), HitRate("before", 1, 0))
    assert [one.rate for one in found] == [1 / 4, 0]
    assert HitRate("empty", 0, 0).rate == 0


def test_what_is_written_is_read(tmp_path):
    found = Drift("id", 7, 3, (Shift("x", None, 1), Shift("y", 0.5, 2)), (HitRate("now", 3, 1),))
    assert read_drift(write_drift(found, tmp_path)) == found
    (tmp_path / DRIFT_FILE).write_text("[]")
    with pytest.raises(DataError, match="drift"):
        read_drift(tmp_path / DRIFT_FILE)
