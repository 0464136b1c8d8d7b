"""A run, read back: everything that answering needs, in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import polars as pl

from encoders import Encoder, ProbeMismatch, check_probe, load_probe
from encoders.gates import Gates, load_gates
from engine import layout
from engine.artifacts import Checked, Manifest, load_record, read_json
from engine.config import EngineConfig
from engine.content import PARTS, Content
from engine.dataset import DatasetSettings
from engine.errors import ManifestError, ProbeError
from engine.interactions import Ints
from engine.live_index import Searchable
from engine.sides import Sides
from engine.types import Item
from engine.vocabulary import Vocabulary
from graph import KnowledgeGraph
from retrieval.index import open_index
from retrieval.postings import WordFormatError
from retrieval.recall import Tables, token_vectors
from retrieval.rerank.features import World
from retrieval.rerank.model import Reranker
from retrieval.rerank.records import History
from retrieval.words import WordIndex

T = TypeVar("T")

REMEMBERED_ITEMS = 8_192
"""Records of items that a catalogue keeps made."""


@dataclass(frozen=True, slots=True)
class Run:
    """What training left behind."""

    folder: Path
    manifest: Manifest
    settings: DatasetSettings
    config: EngineConfig
    vocabulary: Vocabulary
    catalogue: Catalogue
    history: History
    """Events of all users before ``as_of``."""
    offsets: Ints
    """int64 ``[U + 1]``: where each user's events begin."""
    world: World
    tables: Tables
    by_taste: Searchable
    """Over graph vectors."""
    by_content: Searchable
    """Over content vectors."""
    kg: KnowledgeGraph
    relation_weights: Mapping[str, float]
    """What the network lets each relation count; empty where the closed form was kept."""
    model: Reranker
    encoder: Encoder
    gates: Gates
    """Mix the parts of an item, so that a new one is fused as the others were."""
    sides: Sides
    """What items look like, and what they read like."""
    words: WordIndex
    """Items by the words of :func:`engine.content.searchable_texts`."""

    @property
    def n_trained(self) -> int:
        """Items that the run was trained with; those of later rows were added since."""
        return len(self.catalogue)

    @property
    def zone(self) -> ZoneInfo:
        """The shop's time zone."""
        return ZoneInfo(self.settings.time_zone)

    @property
    def as_of(self) -> datetime:
        """The moment before which the run's events lie."""
        return datetime.fromtimestamp(self.manifest.as_of_unix_s, UTC)


class Catalogue:
    """Items by row; a record is made when it is asked for, and kept for the next lists."""

    def __init__(self, items: pl.DataFrame) -> None:
        """Keep the columns of an ``items`` table."""
        columns = items.to_dict(as_series=False)
        columns["attributes"] = [
            {pair["key"]: pair["value"] for pair in pairs or ()} for pairs in columns["attributes"]
        ]
        for name in ("categories", "images"):
            columns[name] = [tuple(texts or ()) for texts in columns[name]]
        self._names: Sequence[str] = tuple(columns)
        self._columns = tuple(columns.values())
        self._live: Mapping[int, Item] = {}
        self._made: dict[int, Item] = {}
        self._items = items
        self._derived: dict[Callable[[pl.DataFrame], Any], Any] = {}

    @property
    def live_rows(self) -> Iterable[int]:
        """Rows that were changed or added since the table was written."""
        return self._live.keys()

    def derived(self, make: Callable[[pl.DataFrame], T]) -> T:
        """What a function makes of the table: made once, shared by every copy of the catalogue."""
        if make not in self._derived:
            self._derived[make] = make(self._items)
        found: T = self._derived[make]
        return found

    def __len__(self) -> int:
        """Items of the table; rows from there on may hold live ones."""
        return len(self._columns[0])

    def column(self, name: str) -> Sequence[Any]:
        """One column of the table, by row."""
        return self._columns[self._names.index(name)]

    def with_items(self, items: Mapping[int, Item]) -> Catalogue:
        """The same catalogue with other items in some rows, or with more of them."""
        other = copy(self)
        other._live = {**self._live, **items}
        return other

    def __getitem__(self, row: int) -> Item:
        live = self._live.get(row)
        if live is not None:
            return live
        made = self._made.get(row)
        if made is None:
            values = (column[row] for column in self._columns)
            made = Item(**dict(zip(self._names, values, strict=True)))
            if len(self._made) >= REMEMBERED_ITEMS:
                self._made.clear()
            self._made[row] = made
        return made


def load_run(folder: Path, checked: Checked | None = None) -> Run:
    """Read a run and check it: every file's hash, then the encoder against the run's probe.

    Args:
        folder: The run.
        checked: Files that another process has hashed.

    Raises:
        ManifestError: A file is missing, altered or of another format.
        ProbeError: The encoder gives other vectors than in training.
    """
    manifest = Manifest.verify(folder, checked)
    settings = dict(manifest.settings)
    settings.pop("encoder_id", None)
    config = EngineConfig.model_validate(settings)
    encoder = Encoder.open(config.encoder)
    try:
        check_probe(encoder, load_probe(folder / "content" / "probe.json"))
    except ProbeMismatch as error:
        raise ProbeError(f"{folder}: {error}") from error
    world = layout.load_world(folder)
    history, offsets = layout.load_past(folder)
    content = load_record(folder / "content" / "content.safetensors", Content)
    vectors = layout.item_vectors(folder / "graph")
    return Run(
        folder=folder,
        manifest=manifest,
        settings=DatasetSettings.model_validate(read_json(folder / "dataset.json")),
        config=config,
        vocabulary=Vocabulary.open(folder / "vocabulary.parquet"),
        catalogue=Catalogue(pl.read_parquet(folder / "items.parquet")),
        history=history,
        offsets=offsets,
        world=world,
        tables=Tables(
            layout.neighbours(folder / "graph"),
            vectors,
            content.vectors,
            layout.partners(folder / "graph"),
        ),
        by_taste=open_index(folder / "graph" / "index"),
        by_content=open_index(folder / "content" / "index"),
        kg=KnowledgeGraph.open(folder / "graph" / "kg"),
        relation_weights=layout.relation_weights(folder / "graph"),
        model=layout.load_reranker(
            folder / "rank",
            token_vectors(vectors, content.vectors),
            world.items.groups[0],
            n_features=len(world.feature_names()),
        ),
        encoder=encoder,
        gates=_load_gates(folder / "content" / "gates.json"),
        sides=Sides.open(folder / "content"),
        words=_open_words(folder / "content" / "words"),
    )


def _open_words(folder: Path) -> WordIndex:
    try:
        return WordIndex.open(folder)
    except WordFormatError as error:
        raise ManifestError(f"{error}; train again") from error


def _load_gates(path: Path) -> Gates:
    try:
        return load_gates(path, names=PARTS)
    except ValueError as error:
        raise ManifestError(str(error)) from error
