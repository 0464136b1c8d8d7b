"""Impressions in full: what was seen, who was shown what, and stores that are older."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import sqlalchemy
from test_store import NOON, impression, postgres, store, url  # noqa: F401

from engine.errors import DataError
from engine.store import EventStore, Seen, Showing, Slot

NAMES = ("price", "sold")
FEATURES = np.array([[1.5, np.nan], [2.5, -1.0]], "<f4").tobytes()
SEEN = Seen(NAMES, FEATURES, ("tea", "jam"), b"\x00tokens", ("tea", "café"), b"\x01pool")
WHOLE = replace(
    impression(),
    slots=(Slot("tea", 1, 0.9, {"graph": 0.8}, 0.25), Slot("café", 2, 0.5, {}, 1e-6)),
    policy="spring-1f0c",
    variants={"layer-a": "control", "ключ": "值"},
    seen=SEEN,
)


def test_everything_comes_back_as_it_was(store):  # noqa: F811
    other = replace(WHOLE, request_id="r2", seen=replace(SEEN, pool_items=(), pool_scores=b""))
    assert store.log_impressions(WHOLE, other) == 2
    assert store.impressions("r1") == WHOLE
    assert store.impressions("r2") == other
    assert store.log_impressions(WHOLE) == 0


def test_a_span_is_read_with_what_is_asked_for(store):  # noqa: F811
    lists = [
        replace(WHOLE, request_id=f"r{n}", timestamp=NOON + n * timedelta(hours=1))
        for n in range(4)
    ]
    store.log_impressions(*reversed(lists))
    span = (NOON + timedelta(hours=1), NOON + timedelta(hours=3))
    assert list(store.shown.between(*span, seen=True)) == lists[1:3]
    assert list(store.shown.between(*span)) == [replace(one, seen=None) for one in lists[1:3]]
    bare = [replace(one, seen=None, slots=()) for one in lists[1:3]]
    assert list(store.shown.between(*span, slots=False)) == bare


def test_who_was_shown_what_since_when(store):  # noqa: F811
    later = replace(impression("r2"), timestamp=NOON + timedelta(hours=1))
    store.log_impressions(later, impression("r1"), impression("r3", user="bob"))
    shown = store.shown.shown_to("ann", NOON)
    assert shown[0] in (Showing("tea", "r1", NOON), Showing("café", "r1", NOON))
    assert [one.request_id for one in shown] == ["r1", "r1", "r2", "r2"]
    assert {one.item_id for one in store.shown.shown_to("ann", NOON + timedelta(minutes=1))} == {
        "tea",
        "café",
    }
    assert store.shown.shown_to("ann", NOON + timedelta(hours=2)) == []


def test_an_erased_user_leaves_nothing_that_was_seen(store):  # noqa: F811
    store.log_impressions(WHOLE, replace(WHOLE, request_id="r2", user_id="bob"))
    store.erase_user("ann")
    assert store.impressions("r1") is None
    with store._reads.connect() as connection:
        left = connection.execute(sqlalchemy.text("SELECT request_id FROM impression_inputs"))
        assert left.scalars().all() == ["r2"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seen": replace(SEEN, features=FEATURES[:-4])}, "features: got 12 bytes, expected 16"),
        ({"slots": (Slot("tea", 1, 0.9, {}, 0.0),), "seen": None}, "propensity: got 0.0"),
        ({"slots": (Slot("tea", 1, 0.9, {}, 1.5),), "seen": None}, "propensity: got 1.5"),
        ({"policy": "a\0b"}, "policy"),
    ],
)
def test_what_cannot_be_is_refused_whole(store, change, message):  # noqa: F811
    with pytest.raises(DataError, match=message):
        store.log_impressions(replace(WHOLE, **change))
    assert store.impressions("r1") is None


OF_VERSION_2 = """
CREATE TABLE events (
    seq INTEGER NOT NULL PRIMARY KEY, event_id TEXT NOT NULL UNIQUE, user_id TEXT NOT NULL,
    item_id TEXT NOT NULL, kind TEXT NOT NULL, at_us BIGINT NOT NULL, value DOUBLE PRECISION,
    session_id TEXT, place TEXT, request_id TEXT, received_at_us BIGINT NOT NULL
);
CREATE INDEX events_of_user ON events (user_id, at_us, seq);
CREATE TABLE impressions (
    request_id TEXT NOT NULL PRIMARY KEY, user_id TEXT NOT NULL, at_us BIGINT NOT NULL,
    scene TEXT NOT NULL, model TEXT NOT NULL
);
CREATE INDEX impressions_of_user ON impressions (user_id, at_us);
CREATE TABLE impression_slots (
    request_id TEXT NOT NULL, rank INTEGER NOT NULL, item_id TEXT NOT NULL,
    score DOUBLE PRECISION NOT NULL, channels TEXT NOT NULL, PRIMARY KEY (request_id, rank)
);
CREATE TABLE live_items (
    item_id TEXT NOT NULL PRIMARY KEY, version BIGINT NOT NULL, withdrawn INTEGER NOT NULL,
    item TEXT NOT NULL, encoder TEXT NOT NULL, parts BLOB NOT NULL, picture_name TEXT, picture BLOB
);
CREATE INDEX live_items_by_version ON live_items (version);
CREATE TABLE live_version (version BIGINT NOT NULL);
INSERT INTO live_version (version) VALUES (0)
"""


def test_a_store_from_before_keeps_its_lists(tmp_path):
    """One that version 2 wrote: what it never noted is as if nothing was drawn or tried."""
    path = tmp_path / "old.db"
    with sqlalchemy.create_engine(f"sqlite:///{path}").begin() as connection:
        connection.execute(sqlalchemy.text("CREATE TABLE meta (schema_version INTEGER NOT NULL)"))
        connection.execute(sqlalchemy.text("INSERT INTO meta VALUES (2)"))
        for statement in OF_VERSION_2.split(";"):
            connection.execute(sqlalchemy.text(statement))
        at = int(NOON.timestamp()) * 1_000_000
        for row in (
            f"INSERT INTO impressions VALUES ('r1', 'ann', {at}, '{{}}', 'run-1')",
            "INSERT INTO impression_slots VALUES ('r1', 1, 'tea', 0.5, '{}')",
        ):
            connection.execute(sqlalchemy.text(row))
    with EventStore.open(f"sqlite:///{path}") as opened:
        (old,) = opened.shown.between(datetime(2000, 1, 1, tzinfo=UTC), datetime.now(UTC))
        assert (old.policy, old.variants, old.seen) == ("", {}, None)
        assert old.slots == (Slot("tea", 1, 0.5, {}, 1.0),)
        opened.log_impressions(replace(WHOLE, request_id="r2"))
        assert opened.impressions("r2").seen == SEEN
