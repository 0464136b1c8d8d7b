"""What the person who waits for a training reads."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from engine.progress import ConsoleReporter


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def piped() -> tuple[Console, io.StringIO]:
    file = io.StringIO()
    return Console(file=file, width=80), file


def test_in_a_pipe_every_line_is_plain():
    console, file = piped()
    clock = Clock()

    with ConsoleReporter(console, clock=clock) as reporter:
        reporter.begin("encode", cached=True)
        reporter.begin("graph", cached=False)
        for clock.now_s in (1.0, 9.9, 10.0, 15.0, 20.5):
            reporter.advance(int(clock.now_s), 40)
        reporter.note("epoch 1 [bold]: loss 0.5")
        clock.now_s = 31.25

    lines, table = file.getvalue().split("What each stage took")
    assert lines.splitlines() == [
        "encode         cached",
        "graph          begins",
        "graph          25% after 10 s",
        "graph          50% after 20 s",
        "  epoch 1 [bold]: loss 0.5",
        "graph          31.2 s",
    ]
    assert "\x1b" not in table
    assert re.findall(r"(graph|together)\D+([\d.]+)", table) == [
        ("graph", "31.2"),
        ("together", "31.2"),
    ]


def test_a_stage_that_failed_is_not_reported_as_done():
    console, file = piped()
    reporter = ConsoleReporter(console)

    def train() -> None:
        with reporter:
            reporter.begin("encode", cached=False)
            reporter.begin("graph", cached=False)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train()

    assert [time.stage for time in reporter.times] == ["encode"]
    assert "took" not in file.getvalue()
    assert file.getvalue().splitlines()[-1].split() == ["graph", "begins"]


def test_on_a_terminal_the_running_stage_has_a_bar():
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True, legacy_windows=False)

    with ConsoleReporter(console) as reporter:
        reporter.begin("graph", cached=False)
        reporter.advance(3, 4)
        reporter._bar.refresh()
        bar = file.getvalue()
        reporter.begin("rerank", cached=False)

    assert "75%" in bar
    assert [time.stage for time in reporter.times] == ["graph", "rerank"]
    assert reporter._bar.finished
    assert not reporter._bar.tasks


def test_work_of_unknown_length_is_counted():
    console, file = piped()
    clock = Clock()

    with ConsoleReporter(console, clock=clock) as reporter:
        reporter.begin("read", cached=False)
        clock.now_s = 60.0
        reporter.advance(12_345, 0)

    assert "12,345 after 60 s" in file.getvalue()
