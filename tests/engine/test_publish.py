"""Publishing and taking back, as laws over any order of the two."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.artifacts import Manifest
from engine.errors import ManifestError, RunError
from engine.publish import (
    CURRENT,
    LOG_FILE,
    current_run,
    family_of,
    history_of_family,
    publish,
    rollback,
    runs_of,
    store_url_of,
)

NAMES = ("a", "b", "c")


def seal(folder: Path, as_of_unix_s: int = 0) -> Path:
    """A run that holds one file: enough to be published."""
    folder.mkdir(parents=True)
    (folder / "content").write_text(folder.name)
    empty: dict[str, object] = {"settings": {}, "metrics": {}, "seconds": {}}
    Manifest.seal(folder, dataset_hash="", dataset_name="", as_of_unix_s=as_of_unix_s, **empty)
    return folder


@pytest.fixture
def family(tmp_path: Path) -> Path:
    for at, name in enumerate(NAMES):
        seal(tmp_path / "shop" / name, at)
    return tmp_path / "shop"


@given(st.lists(st.sampled_from([*NAMES, None]), max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_rollback_takes_back_one_publication_each(family, steps):
    """Against a stack: a publication pushes, a rollback pops; publishing again what is served
    is nothing to take back."""
    (family / LOG_FILE).unlink(missing_ok=True)
    (family / CURRENT).unlink(missing_ok=True)
    stack: list[str] = []
    for step in steps:
        if step is not None:
            assert publish(family / step).run == step
            if stack[-1:] != [step]:
                stack.append(step)
        elif len(stack) < 2:
            with pytest.raises(RunError):
                rollback(family)
        else:
            stack.pop()
            assert rollback(family).run == stack[-1]
        if stack:
            assert current_run(family) == (family / stack[-1]).resolve()
            assert [run.name for run in runs_of(family) if run.current] == [stack[-1]]


def test_runs_are_listed_newest_first_with_their_ids(family):
    publish(family / "b")
    listed = runs_of(family)
    assert [run.name for run in listed] == ["c", "b", "a"]
    ids = [
        json.loads((family / run.name / "manifest.json").read_text())["run_id"] for run in listed
    ]
    assert [run.run_id for run in listed] == ids
    assert len(set(ids)) == 3


def test_an_altered_run_is_not_published_and_not_rolled_back_to(family):
    publish(family / "a")
    (family / "b" / "content").write_text("other")
    with pytest.raises(ManifestError, match="altered"):
        publish(family / "b")
    assert current_run(family).name == "a"
    publish(family / "c")
    (family / "a" / "content").write_text("other")
    with pytest.raises(ManifestError, match="altered"):
        rollback(family)
    assert current_run(family).name == "c"
    assert [done.action for done in history_of_family(family)] == ["publish", "publish"]


def test_the_link_itself_cannot_be_published(family):
    publish(family / "a")
    with pytest.raises(RunError, match="link"):
        publish(family / CURRENT)


def test_a_family_is_told_from_a_run(family):
    assert family_of(family) is None
    assert family_of(family / "a") is None
    publish(family / "a")
    assert family_of(family) == family
    assert family_of(family / CURRENT) == family
    assert family_of(family / "a") is None


def test_nothing_is_served_before_a_publication_or_after_its_run_is_gone(family):
    with pytest.raises(RunError, match="publish"):
        current_run(family)
    publish(family / "a")
    (family / "a").rename(family / "z")
    with pytest.raises(RunError, match="publish"):
        current_run(family)


def test_the_runs_of_a_family_share_a_store_and_a_plain_run_has_its_own(family):
    assert store_url_of(family / "a") == f"sqlite:///{family / 'a' / 'state' / 'events.sqlite'}"
    publish(family / "a")
    shared = f"sqlite:///{family / 'state' / 'events.sqlite'}"
    assert store_url_of(family) == store_url_of(family / CURRENT) == shared
    assert (family / "state").is_dir()


def test_the_link_is_there_at_every_moment(family):
    publish(family / "a")
    done = threading.Event()

    def turn() -> None:
        for number in range(60):
            publish(family / NAMES[number % 3])
        done.set()

    turning = threading.Thread(target=turn)
    turning.start()
    seen = set()
    while not done.is_set():
        seen.add(current_run(family).name)  # raises if the link is missing for a moment
    turning.join()
    assert len(seen) > 1


def test_publications_at_the_same_time_are_all_recorded(family):
    crowd = [threading.Thread(target=publish, args=(family / name,)) for name in NAMES * 5]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    history = history_of_family(family)
    assert len(history) == 15
    assert current_run(family).name == history[-1].run


def test_a_damaged_record_is_named(family):
    publish(family / "a")
    (family / LOG_FILE).write_text("{not json\n")
    with pytest.raises(RunError, match=LOG_FILE):
        rollback(family)
