"""What happened since a run was trained: events from files or from a store, checked."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
from sqlalchemy import make_url

from engine.dataset import (
    REJECT_SCHEMA,
    REJECTS_FILE,
    SCHEMAS,
    Dataset,
    DatasetSettings,
    conform,
)
from engine.ingest import Mapping, ingest
from engine.store import EventStore
from engine.types import Event
from engine.vocabulary import Ids

UNKNOWN_ITEM = "unknown item"
"""Why an event of a store is turned away: the run has no such item."""


@dataclass(frozen=True, slots=True)
class FreshEvents:
    """Events that a run has not learned from."""

    events: pl.DataFrame
    """As the ``events`` table, all of them from the run's moment on."""
    rejects: pl.DataFrame
    """Rows that cannot be used, as :data:`engine.dataset.REJECT_SCHEMA`."""
    older: int
    """Events that lie before the run's moment: it has learned from them, or they came late."""
    later: int
    """Events from the update's own moment on."""
    waiting: int = 0
    """Events of items that were added since training: they count as live ones until the next."""
    from_store: bool = False

    def __len__(self) -> int:
        return len(self.events)


@dataclass(frozen=True, slots=True)
class Span:
    """The time that an update covers; aware moments, the end exclusive."""

    since: datetime
    """The moment of the run."""
    before: datetime | None = None
    """The moment of the update; None takes everything."""

    def cut(self, events: pl.DataFrame, rejects: pl.DataFrame) -> FreshEvents:
        """The events inside, and how many were not."""
        older = pl.col("timestamp") < self.since.astimezone(UTC)
        end = self.before and self.before.astimezone(UTC)
        later = pl.lit(value=False) if end is None else pl.col("timestamp") >= end
        inside = events.filter(~older & ~later)
        n_older, n_later = events.select(
            older.sum().alias("older"), (later & ~older).sum().alias("later")
        ).row(0)
        return FreshEvents(inside, rejects, int(n_older or 0), int(n_later or 0))


def events_of_files(
    files: str,
    span: Span,
    *,
    items: Ids,
    settings: DatasetSettings,
    kind: str | None = None,
) -> FreshEvents:
    """Events of a CSV, JSONL or Parquet file, through the checks of ingest.

    Args:
        files: File or pattern; its columns are found by their names.
        span: What of them is asked for.
        items: Those that the run knows; an event of another is turned away.
        settings: Of the dataset that the run was trained on.
        kind: What every event is, where the file does not say.

    Raises:
        DataError: A file cannot be read, or not one of its rows can be kept.
    """
    with tempfile.TemporaryDirectory(prefix="vitrine-update-") as name:
        folder = Path(name)
        known = folder / "items.parquet"
        pl.DataFrame({"item_id": items.ids, "title": items.ids}).write_parquet(known)
        plain = settings.model_copy(update={"pictures": None})
        mapping = Mapping.from_flags(items=known, events=files, kind=kind, settings=plain)
        ingest(mapping, folder / "data")
        events = Dataset.open(folder / "data").events
        rejects = pl.read_parquet(folder / "data" / REJECTS_FILE)
    return span.cut(events, rejects.filter(pl.col("table") == "events"))


def events_of_store(url: str, span: Span, *, items: Ids) -> FreshEvents:
    """Events of a store; those of items that the run does not know are turned away.

    Raises:
        RunError: The store cannot be opened.
    """
    before = span.before or datetime.max.replace(tzinfo=UTC)
    with EventStore.open(url) as store:
        found = list(store.between(span.since, before))
        live = {record.item_id for record in store.live_items.since(0)}
    waiting = [event for event in found if event.item_id in live and event.item_id not in items]
    place = str(make_url(url).set(password=None))
    rejects = pl.DataFrame(
        list(_unknown(found, items, live, place)), schema=REJECT_SCHEMA, orient="row"
    )
    kept = [_row(event) for event in found if event.item_id in items]
    frame = pl.DataFrame(kept, schema={n: SCHEMAS["events"][n] for n in _COLUMNS}, orient="row")
    cut = span.cut(conform("events", frame), rejects)
    return replace(cut, waiting=len(waiting), from_store=True)


_COLUMNS = (
    "user_id",
    "item_id",
    "kind",
    "timestamp",
    "value",
    "session_id",
    "place",
    "request_id",
)


def _row(event: Event) -> tuple[object, ...]:
    return (
        event.user_id,
        event.item_id,
        str(event.kind),
        event.timestamp,
        event.value,
        event.session_id,
        event.place,
        event.request_id,
    )


def _unknown(
    found: list[Event], items: Ids, live: set[str], place: str
) -> Iterator[tuple[object, ...]]:
    for line, event in enumerate(found, start=1):
        if event.item_id not in items and event.item_id not in live:
            yield ("events", place, line, UNKNOWN_ITEM, event.item_id[:200])
