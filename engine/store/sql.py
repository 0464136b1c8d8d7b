"""The durable record of what users did and what they were shown."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from sqlalchemy import (
    Engine,
    Select,
    bindparam,
    delete,
    distinct,
    func,
    select,
    text,
)

from engine.errors import DataError
from engine.store.database import for_writing, open_database
from engine.store.erasures import ErasureLog
from engine.store.fields import checked_id, checked_number, microseconds, moment
from engine.store.impressions import ImpressionTable
from engine.store.inserting import insert_new
from engine.store.live_items import LiveItemTable
from engine.store.question import Question
from engine.store.records import Erased, Impression
from engine.store.schema import events
from engine.types import Event, EventKind

_END_OF_TIME_US = 2**63 - 1
_KINDS = {kind.value: kind for kind in EventKind}

_HISTORY: Select[Any] = (
    select(
        events.c.user_id,
        events.c.item_id,
        events.c.kind,
        events.c.at_us,
        events.c.event_id,
        events.c.value,
        events.c.session_id,
        events.c.place,
        events.c.request_id,
    )
    .where(events.c.user_id == bindparam("user_id"), events.c.at_us < bindparam("before_us"))
    .order_by(events.c.at_us.desc(), events.c.seq.desc())
    .limit(bindparam("most"))
)


class EventStore:
    """Events and impressions in SQLite or PostgreSQL.

    What a method has acknowledged by returning survives the death of the process and of the
    machine, and every later read, from any thread or process, sees it. Threads may share a
    store; each process opens its own.
    """

    def __init__(self, engine: Engine, *, max_events_per_user: int = 1000) -> None:
        self._reads = engine
        self._writes = for_writing(engine)
        self._insert = insert_new(events, "event_id", dialect=engine.dialect.name)
        self._max_events_per_user = max_events_per_user
        self._history = Question(engine, _HISTORY)
        self.erasures = ErasureLog(self._reads)
        self.shown = ImpressionTable(self._reads, self._writes, self.erasures)
        self.live_items = LiveItemTable(self._reads, self._writes)

    @classmethod
    def open(cls, url: str, *, max_events_per_user: int = 1000) -> EventStore:
        """Open a store, made or migrated to this version if need be.

        Args:
            url: ``sqlite:///folder/store.db`` or ``postgresql://user@host/name``.
            max_events_per_user: Longest history that a read returns; older events are kept.

        Raises:
            RunError: The database cannot be used, or a newer Vitrine wrote it.
            MissingExtraError: PostgreSQL without its driver.
        """
        if max_events_per_user < 1:
            raise ValueError(f"max_events_per_user: got {max_events_per_user}, expected 1 or more")
        return cls(open_database(url), max_events_per_user=max_events_per_user)

    def close(self) -> None:
        """Let go of the connections."""
        self._history.close()
        self.live_items.close()
        self._reads.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def append(self, batch: Sequence[Event]) -> int:
        """Store events: all of them, or none if one is refused.

        An event whose ``event_id`` is known is passed over, so that a delivery may be repeated;
        one without gets an id of its own.

        Returns:
            How many events were new.

        Raises:
            DataError: A field cannot be stored.
        """
        if not batch:
            return 0
        received_at_us = time.time_ns() // 1000
        rows = [_event_row(one, received_at_us) for one in batch]
        with self._writes.begin() as connection:
            return connection.execute(self._insert, rows).rowcount

    def history(self, user_id: str, *, before: datetime | None = None) -> list[Event]:
        """The newest events of a user in the order of their time, then of their arrival.

        Args:
            user_id: A user without events has an empty history.
            before: Only events strictly before this moment (time zone aware).

        Raises:
            DataError: The id cannot be one, or the moment has no zone.
        """
        newest_first = self._history.ask(
            user_id=checked_id("user_id", user_id),
            before_us=_END_OF_TIME_US if before is None else microseconds("before", before),
            most=self._max_events_per_user,
        )
        return [
            Event(user, item, _KINDS[kind], moment(at_us), *rest)
            for user, item, kind, at_us, *rest in reversed(newest_first)
        ]

    def between(self, since: datetime, before: datetime) -> Iterator[Event]:
        """The events of all users in a span of time, in the order of their time, then arrival.

        Args:
            since: The first moment that is asked for (time zone aware).
            before: The first that no longer is.

        Raises:
            DataError: A moment has no zone.
        """
        span = (microseconds("since", since), microseconds("before", before))
        asked = (
            select(*_HISTORY.selected_columns)
            .where(events.c.at_us >= span[0], events.c.at_us < span[1])
            .order_by(events.c.at_us, events.c.seq)
        )
        with self._reads.connect() as connection:
            for user, item, kind, at_us, *rest in connection.execute(asked):
                yield Event(user, item, _KINDS[kind], moment(at_us), *rest)

    def users(self) -> int:
        """How many users have events."""
        with self._reads.connect() as connection:
            return connection.execute(select(func.count(distinct(events.c.user_id)))).scalar_one()

    def log_impressions(self, *shown: Impression) -> int:
        """Store lists that were shown; a known ``request_id`` is passed over.

        Returns:
            How many lists were new.

        Raises:
            DataError: A field cannot be stored.
        """
        return self.shown.log(shown)

    def impressions(self, request_id: str) -> Impression | None:
        """The list that answered a request; None if none was logged.

        Raises:
            DataError: The id cannot be one.
        """
        return self.shown.find(request_id)

    def erase_user(self, user_id: str, *, by: str = "program") -> Erased:
        """Delete everything that is stored about a user, from the disk too; the log tells of it.

        Args:
            user_id: May be unknown.
            by: Who asked for it, for :attr:`erasures`.

        Raises:
            DataError: The id cannot be one.
        """
        user_id = checked_id("user_id", user_id)
        acts = delete(events).where(events.c.user_id == user_id)
        with self._writes.begin() as connection:
            n_lists = self.shown.erase(connection, user_id)
            erased = Erased(connection.execute(acts).rowcount, n_lists)
            self.erasures.record(connection, user_id, erased, by)
        if self._reads.dialect.name == "sqlite":
            with self._reads.connect() as connection:  # the log still holds the old pages
                connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        return erased


def _event_row(one: Event, received_at_us: int) -> dict[str, Any]:
    return {
        "event_id": str(uuid.uuid4())
        if one.event_id is None
        else checked_id("event_id", one.event_id),
        "user_id": checked_id("user_id", one.user_id),
        "item_id": checked_id("item_id", one.item_id),
        "kind": _kind(one.kind),
        "at_us": microseconds("timestamp", one.timestamp),
        "value": None if one.value is None else checked_number("value", one.value),
        "session_id": _optional("session_id", one.session_id),
        "place": _optional("place", one.place),
        "request_id": _optional("request_id", one.request_id),
        "received_at_us": received_at_us,
    }


def _kind(kind: EventKind) -> str:
    if kind not in _KINDS:
        raise DataError(f"kind: got {kind!r}, expected one of {', '.join(_KINDS)}")
    return str(kind)


def _optional(name: str, value: str | None) -> str | None:
    return None if value is None else checked_id(name, value)
