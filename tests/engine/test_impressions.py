import logging
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime

import pytest

from engine.impressions import ImpressionLog
from engine.store import EventStore, Impression, Slot


@pytest.fixture
def store(tmp_path):
    with EventStore.open(f"sqlite:///{tmp_path / 'events.sqlite'}") as opened:
        yield opened


def shown(request: str, item: str = "item") -> Impression:
    slots = (Slot(item, 1, 2.5, {"popular": 3.0}),)
    return Impression(request, "user", datetime(2024, 1, 1, tzinfo=UTC), "{}", "run", slots)


def test_what_was_put_is_stored_when_the_log_is_closed(store):
    with ImpressionLog(store) as log:
        for i in range(50):
            log.put(shown(f"r{i}"))
    assert [store.impressions(f"r{i}") for i in range(50)] == [shown(f"r{i}") for i in range(50)]


def test_closing_twice_is_harmless(store):
    log = ImpressionLog(store)
    log.put(shown("r"))
    log.close()
    log.close()
    assert store.impressions("r") == shown("r")


def test_threads_may_put_at_once(store):
    with ImpressionLog(store) as log:
        threads = [
            threading.Thread(target=lambda t=t: [log.put(shown(f"{t}-{i}")) for i in range(20)])
            for t in range(5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert all(store.impressions(f"{t}-{i}") for t in range(5) for i in range(20))


def test_one_bad_impression_costs_no_other_and_is_told_of(store, caplog):
    with caplog.at_level(logging.ERROR), ImpressionLog(store) as log:
        log.put(shown("before"))
        log.put(shown("bad", item=""))
        log.put(shown("after"))
    assert store.impressions("before")
    assert store.impressions("bad") is None
    assert store.impressions("after")
    # What was wrong is named by its kind alone: the words of an error may name a user.
    assert "1 impressions were not stored: DataError" in caplog.text
    assert "user_id" not in caplog.text
    assert "item_id" not in caplog.text


def test_the_log_outlives_a_store_that_fails_for_a_while(store, tmp_path, caplog):
    def rename(old: str, new: str) -> None:
        with closing(sqlite3.connect(tmp_path / "events.sqlite")) as connection:
            connection.execute(f"ALTER TABLE {old} RENAME TO {new}")

    with ImpressionLog(store) as log:
        rename("impressions", "elsewhere")
        log.put(shown("lost"))
        _until(lambda: "not stored" in caplog.text)
        rename("elsewhere", "impressions")
        log.put(shown("kept"))
    assert store.impressions("lost") is None
    assert store.impressions("kept") == shown("kept")


def _until(happened, seconds: float = 20.0) -> None:
    waiting = threading.Event()
    for _ in range(int(seconds * 20)):
        if happened():
            return
        waiting.wait(0.05)
    raise AssertionError(f"did not happen within {seconds} s")
