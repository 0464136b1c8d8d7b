"""Experiments between runs: a user's requests go to the run of the variant that the user is in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from engine.errors import DataError, VitrineError
from engine.experiments.plan import Plan, assign
from engine.policy.file import WatchedFile
from engine.policy.house import read_plan
from engine.recommend import Engine

OpenRun = Callable[[Path], Engine]
LOOK_EVERY_S = 0.5


class Engines:
    """The engine that serves, and those of the runs that are tried beside it. Safe for threads.

    All share one store and one plan, so that each logs the same variants, and an event is known
    to whichever run answers next. A plan is in force once every run that it names is open: a
    variant is never logged for a list of another run.
    """

    def __init__(self, usual: Engine, open_run: OpenRun) -> None:
        """Open the runs that experiments name, before anybody waits for them.

        Args:
            usual: Answers everyone whose variant names no run.
            open_run: Opens a run on the same store and rules.

        Raises:
            DataError: The plan cannot be used, or a run that it names cannot be opened.
        """
        self.usual = usual
        self._open_run = open_run
        self._others: dict[Path, Engine] = {}
        self._plan = WatchedFile(usual.house.experiments_file.path, self._read)
        self._share_plan()
        self._closed = threading.Event()

    def of(self, user_id: str, moment: datetime | None = None) -> Engine:
        """The engine that answers a user.

        Args:
            user_id: Whose request it is.
            moment: Of the experiments' times; None is now.
        """
        plan = self._plan.current()
        if plan is None:
            return self.usual
        run = assign(plan, user_id, moment or datetime.now(UTC)).run
        return self.usual if run is None else self._others[self._folder(run)]

    def knowing(self, item_ids: Collection[str]) -> Engine:
        """An engine whose run has all of some items; the usual one if it does, or if none does."""
        for engine in self:
            items = engine.run.vocabulary.items
            if all(item_id in items for item_id in item_ids):
                return engine
        return self.usual

    def watch(self) -> None:
        """Look for another plan from a thread of its own until closed.

        The requests of the meantime keep to the plan before, and do not wait for its runs.
        """
        threading.Thread(target=self._look_on, name="experiments", daemon=True).start()

    def look(self) -> None:
        """Take up another plan now, if there is one; one that cannot be used is passed over."""
        self._plan.look_again()
        self._share_plan()

    def close(self) -> None:
        """Close the engines that were opened here; the usual one stays its owner's."""
        self._closed.set()
        for engine in self._others.values():
            if engine is not self.usual:
                engine.close()

    def __iter__(self) -> Iterator[Engine]:
        """The usual engine, then the others that are open."""
        yield self.usual
        yield from (engine for engine in list(self._others.values()) if engine is not self.usual)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _look_on(self) -> None:
        while not self._closed.wait(LOOK_EVERY_S):
            self.look()

    def _read(self, path: Path) -> Plan:
        """A plan whose runs are open.

        Raises:
            DataError: The plan or one of its runs cannot be used.
        """
        plan = read_plan(path)
        named = {v.run for e in plan.experiments for v in e.variants if v.run is not None}
        for folder in map(self._folder, sorted(named)):
            if folder not in self._others:
                self._others[folder] = self._opened(folder)
        return plan

    def _opened(self, folder: Path) -> Engine:
        if folder.resolve() == self.usual.run.folder.resolve():
            return self.usual
        try:
            return self._open_run(folder)
        except VitrineError as error:
            raise DataError(f"an experiment's run cannot be opened: {error}") from error

    def _folder(self, run: Path) -> Path:
        return self.usual.house.folder / run

    def _share_plan(self) -> None:
        # An engine that read the file by itself might log a variant before its run is open.
        for engine in self:
            engine.house.experiments_file = self._plan
