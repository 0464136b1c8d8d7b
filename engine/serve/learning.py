"""The learning timer: every so often a child process learns from the store and publishes."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from engine.errors import VitrineError
from engine.publish import CURRENT, current_run, publish

LOG = logging.getLogger(__name__)
STOP_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Learning:
    """What is learned from, and how often."""

    family: Path
    store_url: str
    every_s: float
    niceness: int = 15
    """Of the child: shoppers come first."""


class Learner:
    """A thread that looks for drift, starts ``vitrine update``, and publishes what it wrote."""

    def __init__(self, learning: Learning) -> None:
        self._learning = learning
        self._stopped = threading.Event()
        self._child: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._keep_on, name="learning", daemon=True)

    def start(self) -> None:
        """Begin; the first time is one period from now."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and the child with it: what it had written is not published."""
        self._stopped.set()
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()
        self._thread.join(STOP_WITHIN_S)

    def learn(self) -> Path | None:
        """Learn once.

        Returns:
            The run that was published; None if there was nothing to learn, it failed, or the
            timer was stopped.
        """
        if self._stopped.is_set():
            return None
        family = self._learning.family
        out = family / f"{datetime.now(UTC):%Y-%m-%d-%H%M%S}"
        run, store = str(current_run(family)), self._learning.store_url
        self._done("drift", str(family / CURRENT), "--store-url", store)
        learned = self._done("update", run, "--from-store", store, "--out", str(out))
        if not learned or self._stopped.is_set():
            return None
        publish(out)
        LOG.warning("learned and published %s", out)
        return out

    def _done(self, *arguments: str) -> bool:
        """Run a command of ``vitrine``; whether it went well, and the log says why not."""
        command = [sys.executable, "-c", "from engine.cli import app; app()", *arguments]
        self._child = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        os.setpriority(os.PRIO_PROCESS, self._child.pid, self._learning.niceness)
        said, _ = self._child.communicate()
        if self._child.returncode != 0 and not self._stopped.is_set():
            LOG.error("vitrine %s failed: %s", arguments[0], said[-2_000:])
        return self._child.returncode == 0

    def _keep_on(self) -> None:
        while not self._stopped.wait(self._learning.every_s):
            try:
                self.learn()
            except (VitrineError, OSError):
                LOG.exception("the learning timer met an error; it tries again next time")
