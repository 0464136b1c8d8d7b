"""What was shown, logged without making the shopper wait.

An event that was acknowledged is durable; an impression is written a tenth of a second later by
a thread of its own, so a crash may cost the last few of those.
"""

from __future__ import annotations

import contextlib
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

GATHER_S = 0.1
"""How long the first of a batch waits for others: one by one, they cost three times as much, and a
commit each, while shoppers wait for the same processor."""
MAX_WAITING = 10_000
LOG = logging.getLogger(__name__)


class ImpressionLog:
    """A queue and the thread that empties it into a store."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._waiting: queue.Queue[Waiting | None] = queue.Queue(MAX_WAITING)
        self._closing = threading.Event()
        self._writer = threading.Thread(target=self._write, name="impressions", daemon=True)
        self._writer.start()

    def put(self, impression: Waiting) -> None:
        """Hand over one impression; waits only while the queue is full."""
        self._waiting.put(impression)

    def close(self) -> None:
        """Write what is waiting and stop."""
        self._closing.set()
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
            batch = [self._waiting.get()]
            self._closing.wait(GATHER_S)
            with contextlib.suppress(queue.Empty):
                while True:
                    batch.append(self._waiting.get_nowait())
            stopping = None in batch
            shown = [one for one in batch if one is not None]
            if shown:
                self._store_all(shown)

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
