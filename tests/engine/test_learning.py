"""The learning timer: what came since is learned and published; nothing is, where nothing came."""

from __future__ import annotations

import logging
import shutil
import time
from datetime import timedelta
from pathlib import Path

import planted
import pytest

from engine.artifacts import read_json
from engine.publish import current_run, history_of_family, publish, store_url_of
from engine.recommend import Engine
from engine.serve.learning import Learner, Learning
from engine.types import Event, EventKind


@pytest.fixture
def family(planted_run: Path, tmp_path: Path) -> Path:
    shutil.copytree(planted_run, tmp_path / "shop" / "one", ignore=shutil.ignore_patterns("state"))
    publish(tmp_path / "shop" / "one")
    return tmp_path / "shop"


def test_what_came_since_is_learned_once_and_published(family, caplog):
    url = store_url_of(family)
    with Engine.open(family / "one", store_url=url) as engine:
        later = engine.as_of + timedelta(days=1)
        items = [planted.item_id(n) for n in range(4)]
        kind = EventKind.PURCHASE
        engine.observe([Event(planted.user_id(0), item, kind, later) for item in items])
        learned_until = engine.as_of
    learner = Learner(Learning(family, url, every_s=3_600, niceness=0))
    made = learner.learn()
    assert made is not None
    assert current_run(family) == made.resolve()
    manifest = read_json(made / "manifest.json")
    assert manifest["as_of_unix_s"] > learned_until.timestamp()
    assert [done.run for done in history_of_family(family)] == ["one", made.name]

    with caplog.at_level(logging.ERROR, "engine.serve.learning"):
        assert learner.learn() is None
    assert "nothing to learn" in " ".join(caplog.text.split())
    assert current_run(family) == made.resolve()


def test_a_timer_that_is_stopped_ends_its_child_and_publishes_nothing(family):
    learner = Learner(Learning(family, store_url_of(family), every_s=0.01, niceness=0))
    learner.start()
    time.sleep(0.5)  # the first child has begun
    learner.stop()
    assert learner.learn() is None
    assert current_run(family).name == "one"
