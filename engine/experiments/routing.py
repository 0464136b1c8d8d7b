"""Experiments between runs: a user's requests go to the run of the variant that the user is in."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from engine.experiments.plan import assign
from engine.recommend import Engine

OpenRun = Callable[[Path], Engine]


class Engines:
    """The engine that serves, and those of the runs that are tried beside it. Safe for threads.

    All share one store and one folder of rules, so that each logs the same variants, and an event
    is known to whichever run answers next.
    """

    def __init__(self, usual: Engine, open_run: OpenRun) -> None:
        """Open the runs that experiments name, before anybody waits for them.

        Args:
            usual: Answers everyone whose variant names no run.
            open_run: Opens a run on the same store and rules.

        Raises:
            RunError: A run that an experiment names cannot be opened.
        """
        self.usual = usual
        self._open_run = open_run
        self._lock = threading.Lock()
        self._others: dict[Path, Engine] = {}
        for experiment in usual.house.plan().experiments:
            for variant in experiment.variants:
                if variant.run is not None:
                    self._opened(variant.run)

    def of(self, user_id: str, moment: datetime | None = None) -> Engine:
        """The engine that answers a user.

        The first request for a run that a later plan names waits until it is open: answering it
        from another would log a variant that the user did not meet.

        Args:
            user_id: Whose request it is.
            moment: Of the experiments' times; None is now.
        """
        plan = self.usual.house.experiments_file.current()
        if plan is None:
            return self.usual
        run = assign(plan, user_id, moment or datetime.now(UTC)).run
        return self.usual if run is None else self._opened(run)

    def close(self) -> None:
        """Close the engines that were opened here; the usual one stays its owner's."""
        for engine in self._others.values():
            engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _opened(self, run: Path) -> Engine:
        folder = self.usual.house.folder / run
        engine = self._others.get(folder)
        if engine is None:
            with self._lock:
                engine = self._others.get(folder) or self._open_run(folder)
                self._others[folder] = engine
        return engine
