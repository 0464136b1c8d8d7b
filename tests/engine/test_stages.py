import time
from pathlib import Path

import pytest

from engine.stages import Silent, StageCache, key_of


class Spoken(Silent):
    def __init__(self) -> None:
        self.stages: list[tuple[str, bool]] = []

    def begin(self, stage: str, *, cached: bool) -> None:
        self.stages.append((stage, cached))


def line(cache: StageCache, *, first: str = "a", second: str = "b", dies: bool = False) -> str:
    """Three stages, each of which reads the one before; what the last one wrote."""

    def writes(text: str):
        return lambda folder: (folder / "out").write_text(text)

    def last(folder: Path) -> None:
        (folder / "half").write_text("half")
        if dies:
            raise KeyboardInterrupt
        (folder / "out").write_text((two / "out").read_text() + "!")

    one = cache.run("one", {"x": first}, writes(first))
    two = cache.run("two", {"one": one.name, "y": second}, writes(first + second))
    three = cache.run("three", {"two": two.name}, last)
    return (three / "out").read_text()


def test_a_second_run_does_nothing_and_gives_the_same(tmp_path):
    spoken = Spoken()
    assert line(StageCache(tmp_path, spoken)) == "ab!"
    assert line(StageCache(tmp_path, spoken)) == "ab!"
    assert [cached for _, cached in spoken.stages] == [False] * 3 + [True] * 3


def test_a_changed_input_redoes_that_stage_and_what_reads_it_alone(tmp_path):
    spoken = Spoken()
    line(StageCache(tmp_path, spoken))
    assert line(StageCache(tmp_path, spoken), second="c") == "ac!"
    assert spoken.stages[3:] == [("one", True), ("two", False), ("three", False)]
    # The first outcome is still there.
    assert line(StageCache(tmp_path, spoken)) == "ab!"
    assert all(cached for _, cached in spoken.stages[6:])


def test_a_killed_run_leaves_no_half_stage_and_resumes_after_the_last_whole_one(tmp_path):
    spoken = Spoken()
    with pytest.raises(KeyboardInterrupt):
        line(StageCache(tmp_path, spoken), dies=True)
    whole = (path.name for path in tmp_path.iterdir() if path.is_dir())
    assert sorted(name.split("-")[0] for name in whole) == ["one", "two"]
    spoken.stages.clear()
    assert line(StageCache(tmp_path, spoken)) == "ab!"
    assert spoken.stages == [("one", True), ("two", True), ("three", False)]


def test_a_cached_stage_tells_what_it_took_when_it_was_made(tmp_path):
    def slow(folder):
        time.sleep(0.25)
        (folder / "done").touch()

    first, again = (StageCache(tmp_path, Silent()) for _ in range(2))
    first.run("slow", {}, slow)
    again.run("slow", {}, slow)
    assert first.seconds == again.seconds
    assert first.seconds["slow"] >= 0.2


def test_a_forgotten_stage_is_made_again(tmp_path):
    cache = StageCache(tmp_path, Silent())
    made = []
    stage = cache.run("one", {}, lambda folder: made.append(folder))
    cache.forget(stage)
    assert cache.run("one", {}, lambda folder: made.append(folder)) == stage
    assert len(made) == 2


def test_the_key_knows_the_stage_and_every_input_but_no_order():
    assert key_of("s", {"a": "1", "b": "2"}) == key_of("s", {"b": "2", "a": "1"})
    others = [key_of("t", {"a": "1"}), key_of("s", {"a": "2"}), key_of("s", {"b": "1"})]
    assert len({key_of("s", {"a": "1"}), *others}) == 4
