"""How far a training is, for the person who waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

PLAIN_INTERVAL_S = 10.0
"""Without a terminal, a stage says no more often than this how far it is."""
_NAME_WIDTH = 14


@dataclass(frozen=True, slots=True)
class StageTime:
    """One finished stage."""

    stage: str
    seconds: float
    """Wall clock, until the next stage began."""
    cached: bool


class ConsoleReporter:
    """A :class:`~engine.stages.Reporter` that writes to a console.

    On a terminal the running stage has a bar; in a pipe it has plain lines. Used as a context,
    it ends the last stage and closes with a table of what each stage took; a stage that an
    exception ended is not reported as done.
    """

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.perf_counter) -> None:
        """Report to a console; ``clock`` gives seconds."""
        self.console = console
        self.times: list[StageTime] = []
        self._clock = clock
        self._stage: str | None = None
        self._cached = False
        self._started_s = 0.0
        self._spoke_s = 0.0
        self._bar = _bar(console) if console.is_terminal else None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self._end()
        if self._bar is not None:
            self._bar.stop()
        if kind is None and self.times:
            self.console.print(self.summary())

    def begin(self, stage: str, *, cached: bool) -> None:
        """End the stage before, and begin this one."""
        self._end()
        self._stage, self._cached = stage, cached
        self._started_s = self._spoke_s = self._clock()
        if self._bar is None:
            self._say(stage, "cached" if cached else "begins")
        elif not cached:
            self._bar.start()
            self._task = self._bar.add_task(stage.ljust(_NAME_WIDTH), total=None)

    def advance(self, done: int, total: int) -> None:
        """Move the bar; in a pipe, say so now and then."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=done, total=total)
        elif (
            self._bar is None and self._stage and self._clock() - self._spoke_s >= PLAIN_INTERVAL_S
        ):
            self._spoke_s = self._clock()
            share = f"{done / total:.0%}" if total else f"{done:,}"
            self._say(self._stage, f"{share} after {self._elapsed_s():.0f} s")

    def note(self, text: str) -> None:
        """Write a line under the running stage."""
        self.console.print(Text(f"  {text}", style="dim"), soft_wrap=True)

    def summary(self) -> Table:
        """Seconds per finished stage, and together."""
        table = Table("stage", title="What each stage took", title_justify="left")
        table.add_column("seconds", justify="right")
        table.add_column("")
        for time_of in self.times:
            table.add_row(
                time_of.stage, f"{time_of.seconds:.1f}", "cached" if time_of.cached else ""
            )
        table.add_section()
        table.add_row("together", f"{sum(t.seconds for t in self.times):.1f}", "")
        return table

    def _end(self) -> None:
        if self._stage is None:
            return
        seconds = self._elapsed_s()
        self.times.append(StageTime(self._stage, seconds, self._cached))
        if self._bar is not None and self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None
        if self._bar is not None or not self._cached:
            self._say(self._stage, "cached" if self._cached else f"{seconds:.1f} s")
        self._stage = None

    def _elapsed_s(self) -> float:
        return self._clock() - self._started_s

    def _say(self, stage: str, text: str) -> None:
        self.console.print(Text(f"{stage.ljust(_NAME_WIDTH)} {text}"), soft_wrap=True)


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
