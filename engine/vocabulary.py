"""External ids and rows: the only place that translates between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from engine.dataset import Dataset
from engine.errors import DataError, UnknownIdError
from engine.interactions import Interactions, Ints
from engine.scene_facets import Facet, event_codes, find_facets
from engine.types import EventKind

UNKNOWN_PLACE_ROW = 0
"""Row of an event whose place is not known."""

SESSION_GAP_S = 30 * 60
"""Events of one user without a ``session_id`` share a session while no gap is longer."""


@dataclass(frozen=True, slots=True, eq=False)
class Ids:
    """Ids of one kind, each with the row that stands for it in arrays."""

    kind: str
    """What an id names: user, item or place."""
    ids: tuple[str, ...]
    """The id of each row."""
    _rows: dict[str, int]

    @classmethod
    def of(cls, kind: str, ids: Iterable[str]) -> Ids:
        """Ids whose rows are their positions.

        Raises:
            DataError: An id comes twice.
        """
        listed = tuple(ids)
        rows = {id_: row for row, id_ in enumerate(listed)}
        if len(rows) != len(listed):
            twice = next(id_ for row, id_ in enumerate(listed) if rows[id_] != row)
            raise DataError(f"{kind} {twice!r} comes twice: an id must have one row")
        return cls(kind, listed, rows)

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, id_: object) -> bool:
        return id_ in self._rows

    def id(self, row: int) -> str:
        """The id of a row.

        Raises:
            IndexError: There is no such row.
        """
        if row < 0:
            raise IndexError(f"{self.kind} row {row} is negative")
        return self.ids[row]

    def find(self, id_: str) -> int | None:
        """The row of an id, or None where it is unknown."""
        return self._rows.get(id_)

    def row(self, id_: str) -> int:
        """The row of an id.

        Raises:
            UnknownIdError: No row has it.
        """
        row = self._rows.get(id_)
        if row is None:
            raise UnknownIdError(self.kind, id_)
        return row

    def rows(self, ids: Sequence[str] | pl.Series) -> Ints:
        """Rows of many ids, int64 ``[len(ids)]``.

        Raises:
            UnknownIdError: One of them has no row; names the first.
        """
        lookup = self._rows
        try:
            return np.fromiter((lookup[id_] for id_ in ids), np.int64, count=len(ids))
        except KeyError as error:
            raise UnknownIdError(self.kind, error.args[0]) from None


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """The ids of a dataset's users, items and places.

    Rows follow the items table; users and places are sorted, so that the order of events
    decides nothing. Row 0 of the places is the empty id: none is known.
    """

    users: Ids
    items: Ids
    places: Ids
    facets: tuple[Facet, ...] = ()
    """What the scenes of the events tell besides time and place."""

    @classmethod
    def of(cls, dataset: Dataset) -> Vocabulary:
        """The vocabulary of every id that a dataset's tables hold."""
        users = pl.concat([dataset.users["user_id"], dataset.events["user_id"]])
        places = pl.concat([dataset.events["place"], dataset.offers["place"]])
        known_places = places.drop_nulls().unique().sort()
        return cls(
            users=Ids.of("user", users.unique().sort()),
            items=Ids.of("item", dataset.items["item_id"]),
            places=Ids.of("place", ["", *known_places.filter(known_places != "")]),
            facets=find_facets(dataset.events),
        )

    def save(self, path: Path) -> None:
        """Write one Parquet file of (kind, id), in row order."""
        listed = [(ids.kind, ids.ids) for ids in (self.users, self.items, self.places)]
        listed += [(f"{FACET}{facet.name}", facet.values) for facet in self.facets]
        parts = (
            pl.DataFrame({"kind": [kind] * len(ids), "id": ids}, schema=_FILE_SCHEMA)
            for kind, ids in listed
        )
        pl.concat(parts).write_parquet(path)

    @classmethod
    def open(cls, path: Path) -> Vocabulary:
        """Read what :meth:`save` wrote.

        Raises:
            DataError: The file is missing or is no vocabulary.
        """
        try:
            frame = pl.read_parquet(path)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise DataError(f"{path} is not a readable vocabulary: {error}") from error
        if frame.schema != _FILE_SCHEMA:
            raise DataError(f"{path}: columns are {frame.schema}, expected {_FILE_SCHEMA}")

        def of(kind: str) -> Ids:
            return Ids.of(kind, frame.filter(pl.col("kind") == kind)["id"])

        kinds = frame["kind"].unique(maintain_order=True)
        facets = (
            Facet(kind.removeprefix(FACET), of(kind).ids)
            for kind in kinds.filter(kinds.str.starts_with(FACET))
        )
        return cls(of("user"), of("item"), of("place"), tuple(facets))


FACET = "facet:"
"""Prefix of what the file calls the values of a facet."""
_FILE_SCHEMA = pl.Schema({"kind": pl.String, "id": pl.String})


def load_interactions(dataset: Dataset, vocabulary: Vocabulary) -> Interactions:
    """A dataset's events as arrays, sorted by user, then time, then order of arrival.

    A session is one user's ``session_id``; events without one share a session while no two
    neighbours are more than :data:`SESSION_GAP_S` apart.

    Raises:
        UnknownIdError: An event names a user or an item that the vocabulary lacks.
        DataError: An event is of a kind that is not known.
    """
    frame = _sorted_rows(dataset.events, vocabulary)
    facets = vocabulary.facets
    zone = dataset.settings.time_zone
    codes = event_codes(dataset.events, facets, zone)[frame["row"].to_numpy()] if facets else None
    return Interactions(
        user=frame["user"].to_numpy(),
        item=frame["item"].to_numpy(),
        kind=frame["kind"].to_numpy(),
        at_unix_s=frame["at"].to_numpy(),
        value=frame["value"].to_numpy(),
        session=_sessions(frame),
        place=frame["place"].to_numpy(),
        n_users=len(vocabulary.users),
        n_items=len(vocabulary.items),
        n_places=len(vocabulary.places),
        facets=codes,
        facet_kinds=tuple(facet.kind for facet in facets),
    )


def _sorted_rows(events: pl.DataFrame, vocabulary: Vocabulary) -> pl.DataFrame:
    kinds = {kind.value: position for position, kind in enumerate(EventKind)}
    strange = events.filter(~pl.col("kind").is_in(list(kinds)))
    if len(strange):
        raise DataError(f"event kind {strange['kind'][0]!r}: expected one of {', '.join(kinds)}")
    places = (vocabulary.places.find(place or "") for place in events["place"])
    return pl.DataFrame(
        {
            "user": vocabulary.users.rows(events["user_id"]),
            "item": vocabulary.items.rows(events["item_id"]),
            "kind": events["kind"].replace_strict(kinds, return_dtype=pl.Int8),
            "at": events["timestamp"].dt.epoch("s"),
            "value": events["value"].fill_null(1.0).cast(pl.Float32),
            "place": np.fromiter((row or UNKNOWN_PLACE_ROW for row in places), np.int64),
            "session_id": events["session_id"],
            "row": np.arange(len(events)),
        }
    ).sort("user", "at", maintain_order=True)


def _sessions(frame: pl.DataFrame) -> Ints:
    """Session numbers from 0, in order of first appearance; int64 ``[E]``."""
    loose = pl.col("session_id").is_null()
    starts = (pl.col("at").diff().over("user", loose) > SESSION_GAP_S).fill_null(value=True)
    visit = pl.when(loose).then((starts & loose).cum_sum())
    keys = frame.select("user", "session_id", visit=visit)
    numbers = keys.unique(maintain_order=True).with_row_index("session")
    joined = keys.join(
        numbers, on=keys.columns, how="left", nulls_equal=True, maintain_order="left"
    )
    return joined["session"].cast(pl.Int64).to_numpy()
