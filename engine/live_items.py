"""Items that are added, changed and withdrawn while a run serves; the next answer knows of them.

A change is first stored (:mod:`engine.store.live_items`), then brought into memory in the same way
by every process that reads the store: a new :class:`~engine.runtime.Run` takes the place of the
one before, so that whoever is answering goes on with the one they began with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

import numpy as np
import polars as pl
from numpy.typing import NDArray

from engine.content import (
    PARTS,
    Parts,
    attributes_of,
    descriptions_of,
    searchable_texts,
    words_of,
)
from engine.dataset import SCHEMAS
from engine.errors import DataError, WithdrawnError
from engine.interactions import Floats
from engine.item_form import ITEM
from engine.live_index import LiveIndex
from engine.pictures import rasterise, read_for_encoding
from engine.placing import Place, Placing
from engine.room import with_room
from engine.runtime import Run
from engine.sides import Sides
from engine.store import EventStore, LiveRecord
from engine.types import Item
from engine.vocabulary import Ids

LEAST_ROOM = 256
ROOM_SHARE = 16
"""Empty rows that a run gets: one for so many items that it has."""
PICTURES_FOLDER = Path("state") / "live_pictures"
_DRAWING = (b"<svg", b"<?xml")
_SUFFIXES = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg", b"GIF8": ".gif", b"RIFF": ".webp"}


@dataclass(frozen=True, slots=True)
class _Look:
    """What an item looks and reads like: as one, and each alone; float32 ``[D]`` each."""

    content: Floats
    looks: Floats
    reads: Floats


@dataclass(frozen=True, slots=True)
class _Change:
    """What becomes of one row."""

    row: int
    item: Item
    shown: bool
    look: _Look | None
    """None where only the item's record and whether it is shown change."""
    place: Place | None


class LiveItems:
    """The run that answers, with every change that the store holds. Safe for threads."""

    def __init__(self, run: Run, store: EventStore) -> None:
        """Take up a run as training left it; the changes of the store are applied at once."""
        self._trained = run
        self._run = run
        self._table = store.live_items
        self._placing = Placing(run)
        self._fused = LiveIndex.over(run.by_content), LiveIndex.over(run.by_taste)
        self._room = 0
        self._seen = 0
        self._withdrawn: frozenset[str] = frozenset()
        self._pictures: Mapping[str, str] = {}
        self._lock = Lock()
        self.catch_up()

    @property
    def run(self) -> Run:
        """The run as of the last :meth:`catch_up`."""
        return self._run

    def catch_up(self) -> Run:
        """Bring in what any process changed since; costs one small read where nothing has."""
        if self._table.version() != self._seen:
            with self._lock:
                self._bring_in(self._table.since(self._seen))
        return self._run

    def prepare(self) -> None:
        """Make room and learn how to place, so that the first change is as fast as the next."""
        with self._lock:
            self._placing.prepare()
            self._run = self._with_rows_for(())

    def add(self, item: Item, picture: bytes | None = None) -> None:
        """Store a new item, or one that was withdrawn, and show it.

        Raises:
            DataError: There is such an item, or the picture is a drawing that cannot be read.
            ImageError: The picture cannot be read.
        """
        known = item.item_id in self.catch_up().vocabulary.items
        if known and item.item_id not in self._withdrawn:
            raise DataError(f"item {item.item_id!r} is there already: change it with update_item")
        pictures = [_readable(picture)] if picture else []
        self._store(item, self._parts(item, self._look(pictures)), pictures)

    def change(self, item: Item, picture: bytes | None = None) -> None:
        """Store an item anew; what it looks like stays, unless a picture is given.

        Raises:
            UnknownIdError: No such item.
            DataError: It was withdrawn, or the picture is a drawing that cannot be read.
            ImageError: The picture cannot be read.
        """
        self._must_be_there(item.item_id)
        if picture is not None:
            pictures = [_readable(picture)]
            self._store(item, self._parts(item, self._look(pictures)), pictures)
            return
        stored = self._table.find(item.item_id)
        usable = stored is not None and stored.parts and stored.encoder == self._fingerprint
        look = self._unpack(stored.parts)[0] if stored and usable else self._look_of(item)
        name = stored.picture_name if stored else None
        self._store(item, self._parts(item, look), [], name)

    def withdraw(self, item_id: str) -> None:
        """Store that an item is no longer offered.

        Raises:
            UnknownIdError: No such item.
            DataError: It was withdrawn already.
        """
        row = self._must_be_there(item_id)
        gone = replace(self._run.catalogue[row], available=False)
        text = ITEM.dump_json(gone).decode()
        name = self._pictures.get(item_id)
        self._table.put(LiveRecord(item_id, True, text, self._fingerprint, b"", name))
        self.catch_up()

    def has_picture(self, item_id: str) -> bool:
        """Whether a live item was given a picture."""
        return item_id in self._pictures

    def picture_file(self, item_id: str) -> Path | None:
        """A file with the picture of a live item, made when it is first asked for."""
        name = self._pictures.get(item_id)
        if name is None:
            return None
        path = self._trained.folder / PICTURES_FOLDER / name
        if not path.is_file():
            picture = self._table.picture(item_id)
            if picture is None:
                return None
            path.parent.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f".{name}.part")
            draft.write_bytes(picture)
            draft.replace(path)
        return path

    @property
    def _fingerprint(self) -> str:
        return self._trained.encoder.fingerprint

    def _must_be_there(self, item_id: str) -> int:
        row = self.catch_up().vocabulary.items.row(item_id)
        if item_id in self._withdrawn:
            raise WithdrawnError(item_id)
        return row

    def _store(
        self, item: Item, parts: Floats, pictures: Sequence[bytes], name: str | None = None
    ) -> None:
        picture = pictures[0] if pictures else None
        record = LiveRecord(
            item.item_id,
            False,
            ITEM.dump_json(item).decode(),
            self._fingerprint,
            parts.astype("<f4").tobytes(),
            _name_of(picture) if picture else name,
        )
        self._table.put(record, picture)
        self.catch_up()

    def _look(self, pictures: Sequence[bytes]) -> Floats:
        """Mean direction of pictures, float32 ``[D]``; zero without any."""
        encoder = self._trained.encoder
        if not pictures:
            return np.zeros(encoder.dim, dtype=np.float32)
        mean: Floats = encoder.encode_images(list(pictures)).mean(axis=0)
        return mean / max(float(np.linalg.norm(mean)), 1e-9)

    def _look_of(self, item: Item) -> Floats:
        """Of the pictures in the run's folder."""
        names = [name for name in (item.image, *item.images) if name]
        found = (read_for_encoding(self._trained.folder, name) for name in names)
        return self._look([picture for picture in found if picture is not None])

    def _parts(self, item: Item, look: Floats) -> Floats:
        """What an item is mixed of, float32 ``[P, D]`` as :data:`PARTS`; zero where absent."""
        row = _frame([item])
        parts = np.zeros((len(PARTS), len(look)), dtype=np.float32)
        parts[0] = look
        columns = (words_of(row), descriptions_of(row), attributes_of(row))
        texts = {at: text for at, (text,) in enumerate(columns, start=1) if text is not None}
        parts[list(texts)] = self._trained.encoder.encode_texts(list(texts.values()))
        return parts

    def _unpack(self, stored: bytes) -> Floats:
        parts: Floats = np.frombuffer(stored, dtype="<f4").reshape(len(PARTS), -1)
        return parts

    def _bring_in(self, records: Sequence[LiveRecord]) -> None:
        """Make the run that has the changes of some records, and let it answer."""
        run = self._with_rows_for(records)
        changes = [self._change(run, record) for record in records]
        applied = [change for change in changes if change is not None]
        self._run = self._applied(run, applied)
        gone = {record.item_id for record in records if record.withdrawn}
        back = {record.item_id for record in records if not record.withdrawn}
        self._withdrawn = (self._withdrawn - back) | gone
        named = {r.item_id: r.picture_name for r in records if r.picture_name}
        self._pictures = {**self._pictures, **named}
        self._seen = max((record.version for record in records), default=self._seen)

    def _with_rows_for(self, records: Sequence[LiveRecord]) -> Run:
        """The run with an id and an empty row for every item that it does not know."""
        run, items = self._run, self._run.vocabulary.items
        new = [r.item_id for r in records if not r.withdrawn and r.item_id not in items]
        if len(new) > self._room or run is self._trained:
            more = len(new) + max(LEAST_ROOM, len(items) // ROOM_SHARE)
            run = with_room(run, more)
            self._room += more
        self._room -= len(new)
        if not new:
            return run
        grown = Ids.of(items.kind, (*items.ids, *new))
        return replace(run, vocabulary=replace(run.vocabulary, items=grown))

    def _change(self, run: Run, record: LiveRecord) -> _Change | None:
        row = run.vocabulary.items.find(record.item_id)
        if row is None:  # withdrawn before this run ever had it
            return None
        item = ITEM.validate_json(record.item)
        if record.withdrawn:
            return _Change(row, item, False, None, None)
        parts = self._unpack(record.parts)
        if record.encoder != self._fingerprint:
            picture = self._table.picture(record.item_id)
            parts = self._parts(item, self._look([picture]) if picture else self._look_of(item))
        present: NDArray[np.bool_] = np.any(parts[None], axis=2)
        one = Parts(parts[None], present, pl.DataFrame())
        content = one.fused(run.gates).vectors[0]
        sides = Sides.of(one, run.gates)
        look = _Look(content, sides.looks.vector(0), sides.reads.vector(0))
        place = self._place(row, item, content)
        return _Change(row, item, self._is_shown(row, item), look, place)

    def _is_shown(self, row: int, item: Item) -> bool:
        """Available, and not one that the settings keep out of answers as too rarely taken."""
        trained = self._trained
        if row >= trained.n_trained or not trained.catalogue[row].available:
            return item.available
        return item.available and bool(trained.world.items.recommendable[row])

    def _place(self, row: int, item: Item, content: Floats) -> Place:
        """An item that people took stays where they put it."""
        trained = self._trained
        place = self._placing(item, content)
        if row >= trained.n_trained or not trained.world.trends.all_time[row] > 0:
            return place
        graph = trained.tables.graph[row]
        return replace(place, graph=graph, token=self._placing.token(graph, content))

    def _applied(self, run: Run, changes: Sequence[_Change]) -> Run:
        items = run.world.items
        log_price, shown = items.log_price.copy(), items.recommendable.copy()
        written = [change for change in changes if change.look is not None]
        sides, words = run.sides, copy(run.words)  # the copy changes, the one in use does not
        for change in changes:
            shown[change.row] = change.shown
            price = change.item.price
            log_price[change.row] = np.log(price) if price else np.nan
        for change in written:
            sides = _write(run, change, sides)
        rows = np.array([change.row for change in written], dtype=np.int64)
        n_trained = self._trained.n_trained
        by_content, by_taste = self._fused
        if len(rows):
            by_content = by_content.with_rows(rows, run.tables.content[rows], n_base=n_trained)
            by_taste = by_taste.with_rows(rows, run.tables.graph[rows], n_base=n_trained)
            self._fused = by_content, by_taste
            words.add(rows, searchable_texts(_frame([change.item for change in written])))
        table = replace(items, log_price=log_price, recommendable=shown)
        return replace(
            run,
            catalogue=run.catalogue.with_items({c.row: c.item for c in changes}),
            world=replace(run.world, items=table),
            by_content=by_content,
            by_taste=by_taste,
            sides=sides,
            words=words,
        )


def _write(run: Run, change: _Change, sides: Sides) -> Sides:
    """Write a row where nobody looks yet, or where either state will do for an answer."""
    if change.place is None or change.look is None:
        return sides
    row, place, look = change.row, change.place, change.look
    run.tables.content[row] = look.content
    run.tables.graph[row] = place.graph
    run.world.items.groups[:, row] = place.groups
    run.model.items.numpy()[row] = place.token
    return sides.with_item(row, look.looks, look.reads)


def _readable(picture: bytes) -> bytes:
    """The picture, or a drawing as a picture."""
    start = picture[:256].lstrip().lower()
    return rasterise(picture) if start.startswith(_DRAWING) else picture


def _name_of(picture: bytes) -> str:
    digest = hashlib.sha256(picture).hexdigest()[:20]
    suffix = next((s for head, s in _SUFFIXES.items() if picture.startswith(head)), ".img")
    return digest + suffix


def _frame(items: Sequence[Item]) -> pl.DataFrame:
    """Rows of the ``items`` table."""
    rows = []
    for item in items:
        pairs = [{"key": key, "value": value} for key, value in item.attributes.items()]
        row = {name: getattr(item, name) for name in SCHEMAS["items"] if name != "attributes"}
        rows.append(row | {"attributes": pairs})
    return pl.DataFrame(rows, schema=SCHEMAS["items"])
