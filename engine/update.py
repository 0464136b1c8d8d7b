"""A run continues: the newest events refresh what it knows, without a full training.

events → users and places → graph vectors (:mod:`graph.refresh`) → neighbours, trends → run folder

What each item looks and reads like, and the weights of the reranker, are taken as they are.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from engine import facet_files, layout
from engine.arrays import (
    graph_tables,
    histories,
    item_table,
    kind_weights,
    offer_calendar,
    once_per_session,
)
from engine.artifacts import Lineage, Manifest, load_record, read_json, write_json
from engine.config import EngineConfig
from engine.content import Content
from engine.dataset import SCHEMAS, Dataset, DatasetSettings
from engine.errors import DataError, RunError
from engine.fresh_events import FreshEvents
from engine.interactions import Floats, Interactions
from engine.job import (
    OFFERS_FILE,
    TRIPLES_FILE,
    Job,
    assemble,
    fixed,
    recommendable,
    write_graph,
)
from engine.knowledge import lean_graph, write_knowledge
from engine.learn import Past, world_before
from engine.sides import Sides
from engine.stages import Reporter, Silent, StageCache
from engine.vocabulary import Ids, Vocabulary, load_interactions
from graph import GraphTables, fit
from graph.refresh import Earlier, Freshness, freshness, refresh_items
from retrieval.rerank.records import DAY_S


@dataclass(frozen=True, slots=True)
class Parent:
    """The run that is continued, as far as an update reads it."""

    folder: Path
    manifest: Manifest
    settings: DatasetSettings
    config: EngineConfig
    vocabulary: Vocabulary
    events: Interactions

    @property
    def as_of(self) -> datetime:
        """The moment from which on events are new to it."""
        return datetime.fromtimestamp(self.manifest.as_of_unix_s, UTC)

    @property
    def training_seconds(self) -> float | None:
        """What the full training took that it descends from; None where that is not known."""
        lineage = self.manifest.lineage
        return lineage.training_seconds if lineage else sum(self.manifest.seconds.values()) or None


@dataclass(frozen=True, slots=True)
class Measured:
    """What an update costs in quality, and what it saves."""

    found: Freshness
    refresh_seconds: float
    retrain_seconds: float
    """Of the graph alone: a full training encodes and trains the reranker too."""


@dataclass(frozen=True, slots=True)
class Updated:
    """An update that is done."""

    manifest: Manifest
    n_events: int
    """Events that the run learned from anew, once per visit."""
    n_new_users: int
    seconds: float
    """Wall clock, from the checked events to the sealed run."""
    training_seconds: float | None
    """Of the full training at the root."""
    measured: Measured | None

    @property
    def share(self) -> float | None:
        """Of a full training's seconds; None where they are not known."""
        return self.seconds / self.training_seconds if self.training_seconds else None


def open_parent(run: Path) -> Parent:
    """Read a run that is to be updated, and check it.

    Raises:
        ManifestError: A file is missing, altered or of another format.
        RunError: It was made before runs could be updated.
    """
    manifest = Manifest.verify(run)
    if not (run / TRIPLES_FILE).is_file() or not (run / OFFERS_FILE).is_file():
        raise RunError(
            f"{run} has no {TRIPLES_FILE} and {OFFERS_FILE}, which an update reads: an older "
            "version made it; train once more"
        )
    settings = dict(manifest.settings)
    settings.pop("encoder_id", None)
    vocabulary = Vocabulary.open(run / "vocabulary.parquet")
    return Parent(
        run,
        manifest,
        DatasetSettings.model_validate(read_json(run / "dataset.json")),
        EngineConfig.model_validate(settings),
        vocabulary,
        _past_events(run, vocabulary),
    )


def update(
    parent: Parent,
    fresh: FreshEvents,
    out: Path,
    *,
    as_of: datetime | None = None,
    reporter: Reporter | None = None,
    measure: bool = False,
) -> Updated:
    """Continue a run with newer events, and write the run that results.

    The old run stays as it is: to roll back is to serve its folder. What is done is kept in
    ``.stages`` beside the new run, so that an interrupted update resumes.

    Args:
        parent: The run, from :func:`open_parent`.
        fresh: Events from its moment on.
        out: Folder of the new run; written whole or not at all.
        as_of: The moment of the new run; by default just after the newest event.
        reporter: Told how far the work is.
        measure: Also train the graph in full, and compare.

    Raises:
        DataError: There are no newer events, or the new run would take the old one's place.
    """
    started = time.perf_counter()
    if out.resolve() == parent.folder.resolve():
        raise DataError(f"got {out} for the new run, which is the old one: give another folder")
    if not len(fresh):
        raise DataError(
            f"no event is newer than the run, which is of {parent.as_of.isoformat()}: there is "
            "nothing to learn"
        )
    moment = int(moment_of(fresh, as_of).timestamp())
    job = _job(parent, fresh, moment, StageCache(out.parent / ".stages", reporter or Silent()))
    content = load_record(parent.folder / "content" / "content.safetensors", Content)
    tables = graph_tables(job.dataset, job.vocabulary, job.past.events)
    graph = _graph(parent, job, tables, content)
    job.stages.reporter.begin("run", cached=False)
    begun = time.perf_counter()
    items = recommendable(item_table(job.dataset, tables, content.vectors, job.seed), job)
    offers = offer_calendar(job.dataset, job.vocabulary)
    world = world_before(job.past, fixed(job, items, offers, graph, moment), moment)
    job.stages.seconds["run"] = round(time.perf_counter() - begun, 1)
    manifest = assemble(
        job,
        out,
        world,
        str(parent.manifest.settings["encoder_id"]),
        {"content": parent.folder / "content", "graph": graph, "rank": parent.folder / "rank"},
        Lineage(parent.manifest.run_id, parent.training_seconds, fresh.from_store),
    )
    seconds = time.perf_counter() - started
    return Updated(
        manifest,
        len(job.past.events) - len(parent.events),
        len(job.vocabulary.users) - len(parent.vocabulary.users),
        seconds,
        parent.training_seconds,
        _measure(parent, job, tables, content) if measure else None,
    )


def moment_of(fresh: FreshEvents, as_of: datetime | None = None) -> datetime:
    """The moment of an update: as given, or the first second after the newest event.

    Raises:
        DataError: There is no event to tell it by.
    """
    if as_of is not None:
        return as_of
    last = fresh.events["timestamp"].max()
    if not isinstance(last, datetime):
        raise DataError("no event is newer than the run: there is nothing to learn")
    return last.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)


def _past_events(run: Path, vocabulary: Vocabulary) -> Interactions:
    history, offsets = layout.load_past(run)
    return Interactions(
        user=np.repeat(np.arange(len(offsets) - 1), np.diff(offsets)),
        item=history.item,
        kind=history.kind,
        at_unix_s=history.at_unix_s,
        value=history.value,
        session=history.session,
        place=history.place,
        n_users=len(vocabulary.users),
        n_items=len(vocabulary.items),
        n_places=len(vocabulary.places),
        facets=facet_files.load_codes(run),
        facet_kinds=tuple(facet.kind for facet in vocabulary.facets),
    )


def _job(parent: Parent, fresh: FreshEvents, as_of_unix_s: int, stages: StageCache) -> Job:
    vocabulary = _grown(parent.vocabulary, fresh.events)
    dataset = _dataset(parent, fresh.events)
    known = load_interactions(dataset, vocabulary)
    events = _joined(parent.events, once_per_session(known.where(kind_weights()[known.kind] > 0)))
    zone = ZoneInfo(parent.settings.time_zone)
    past = Past(events, histories(events, zone), parent.settings.country)
    return Job(dataset, parent.config, as_of_unix_s, stages, vocabulary, past)


def _grown(vocabulary: Vocabulary, events: pl.DataFrame) -> Vocabulary:
    """The same rows, and further ones for users and places that are new."""

    def more(ids: Ids, seen: pl.Series) -> Ids:
        new = (id_ for id_ in seen.drop_nulls().unique().sort() if id_ not in ids)
        return Ids.of(ids.kind, (*ids.ids, *new))

    return Vocabulary(
        more(vocabulary.users, events["user_id"]),
        vocabulary.items,
        more(vocabulary.places, events["place"]),
        vocabulary.facets,
    )


def _dataset(parent: Parent, events: pl.DataFrame) -> Dataset:
    """The run's own tables, with nothing but the new events."""
    digest = hashlib.sha256(parent.manifest.dataset_hash.encode())
    digest.update(events.hash_rows(seed=0).to_numpy().tobytes())
    return Dataset(
        folder=parent.folder,
        settings=parent.settings,
        items=pl.read_parquet(parent.folder / "items.parquet"),
        events=events,
        users=pl.DataFrame(schema=SCHEMAS["users"]),
        triples=pl.read_parquet(parent.folder / TRIPLES_FILE),
        offers=pl.read_parquet(parent.folder / OFFERS_FILE),
        hash=digest.hexdigest(),
    )


def _joined(old: Interactions, new: Interactions) -> Interactions:
    """Both, sorted by user, then time; the sessions of the new follow those of the old."""
    new = replace(new, session=new.session + old.session.max(initial=-1) + 1)
    order = np.lexsort((np.append(old.at_unix_s, new.at_unix_s), np.append(old.user, new.user)))
    arrays = [f.name for f in fields(old) if isinstance(getattr(old, f.name), np.ndarray)]
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(old, name), getattr(new, name)])[order] for name in arrays
    }
    return replace(new, **joined)


def _graph(parent: Parent, job: Job, tables: GraphTables, content: Content) -> Path:
    def make(folder: Path) -> None:
        job.stages.reporter.advance(0, 2)
        kg = lean_graph(job, tables, job.as_of_unix_s)
        job.stages.reporter.advance(1, 2)
        vectors = _refreshed(parent, job, tables, content, job.as_of_unix_s)
        write_graph(folder, job, kg, vectors, {"refreshed_from": parent.manifest.run_id})
        layout.save_relation_weights(folder, layout.relation_weights(parent.folder / "graph"))
        write_knowledge(folder, job, tables, Sides.open(parent.folder / "content").looks)

    reads = {
        "parent": parent.manifest.run_id,
        "dataset": job.dataset.hash,
        "as_of": str(job.as_of_unix_s),
    }
    return job.stages.run("update", reads, make)


def _refreshed(
    parent: Parent, job: Job, tables: GraphTables, content: Content, as_of_unix_s: int
) -> Floats:
    earlier = Earlier(layout.item_vectors(parent.folder / "graph"), parent.manifest.as_of_unix_s)
    return refresh_items(
        earlier,
        tables,
        content.vectors,
        content.known,
        job.config.graph,
        as_of_unix_s=as_of_unix_s,
        seed=job.seed,
    )


def _measure(parent: Parent, job: Job, tables: GraphTables, content: Content) -> Measured:
    """Stale, refreshed and retrained vectors on the newest days, which none of them saw."""

    def make(folder: Path) -> None:
        graph = job.config.graph
        begun = time.perf_counter()
        refreshed = _refreshed(parent, job, tables, content, cut)
        turned = time.perf_counter()
        job.stages.reporter.advance(1, 2)
        kg = lean_graph(job, tables, cut)
        full = fit(kg, tables.until(cut), content.vectors, content.known, graph, seed=job.seed)
        seconds = (turned - begun, time.perf_counter() - turned)
        stale = layout.item_vectors(parent.folder / "graph")
        vectors = (stale, refreshed, full.items)
        found = freshness(tables.until(job.as_of_unix_s), vectors, graph, cut_unix_s=cut, seed=0)
        write_json(folder / "measured.json", [asdict(found), *seconds])

    cut = _measuring_cut(parent, job)
    reads = {
        "parent": parent.manifest.run_id,
        "dataset": job.dataset.hash,
        "until": f"{cut} {job.as_of_unix_s}",
    }
    found, *seconds = read_json(job.stages.run("measure", reads, make) / "measured.json")
    return Measured(Freshness(**found), *seconds)


def _measuring_cut(parent: Parent, job: Job) -> int:
    """Start of the days that decide: the newest half of the new events at most."""
    start, end = parent.manifest.as_of_unix_s, job.as_of_unix_s
    return max(end - int(job.config.graph.validation_days * DAY_S), (start + end) // 2)
