"""What was shown, logged without making the shopper wait.

An event that was acknowledged is durable; an impression is written within half a second by a
thread of its own, so a crash may cost the last few of those.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from engine.errors import DataError
from engine.store import EventStore, Impression

Waiting = Impression | Callable[[], Impression]
"""One that is made when it is written costs the shopper nothing to make."""

FLUSH_EVERY_S = 0.5
MAX_WAITING = 10_000
LOG = logging.getLogger(__name__)


class ImpressionLog:
    """A queue and the thread that empties it into a store."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._waiting: queue.Queue[Waiting | None] = queue.Queue(MAX_WAITING)
        self._writer = threading.Thread(target=self._write, name="impressions", daemon=True)
        self._writer.start()

    def put(self, impression: Waiting) -> None:
        """Hand over one impression; waits only while the queue is full."""
        self._waiting.put(impression)

    def close(self) -> None:
        """Write what is waiting and stop."""
        self._waiting.put(None)
        self._writer.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _write(self) -> None:
        stopping = False
        while not stopping:
            batch: list[Waiting] = []
            try:
                first = self._waiting.get(timeout=FLUSH_EVERY_S)
                while first is not None:
                    batch.append(first)
                    first = self._waiting.get_nowait()
                stopping = True
            except queue.Empty:
                stopping = False
            if batch:
                self._store_all(batch)

    def _store_all(self, batch: Sequence[Waiting]) -> None:
        """Store what can be stored: the thread must outlive a bad impression and a busy disk."""
        try:
            self._store.log_impressions(*(one() if callable(one) else one for one in batch))
        except (ValueError, SQLAlchemyError) as error:
            if isinstance(error, DataError) and len(batch) > 1:
                for one in batch:
                    self._store_all([one])
            else:
                # Not what it says: its words may name a user.
                LOG.error("%d impressions were not stored: %s", len(batch), type(error).__name__)
