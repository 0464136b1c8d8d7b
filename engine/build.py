"""The offline main path: a dataset becomes a run.

tables → encode → graph → recall (neighbours, trends, offers, index) → rerank → run folder
"""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from encoders import Encoder, VectorCache, dump_probe, take_probe
from encoders.gates import dump_gates
from engine import layout
from engine.arrays import (
    graph_tables,
    histories,
    item_table,
    kind_weights,
    offer_calendar,
    once_per_session,
)
from engine.artifacts import (
    Manifest,
    load_record,
    save_record,
)
from engine.config import EngineConfig
from engine.content import PARTS, Content, encode_parts, learn_gates, searchable_texts
from engine.dataset import Dataset
from engine.job import Job, assemble, fixed, recommendable, write_graph
from engine.knowledge import lean_graph, write_knowledge
from engine.learn import (
    Past,
    world_before,
)
from engine.rerank_stage import Lessons, prepare_lessons, train_reranker
from engine.sides import Sides
from engine.stages import Reporter, Silent, StageCache
from engine.vocabulary import Vocabulary, load_interactions
from graph import GraphTables, fit
from graph.alignment import align_items
from retrieval.index import build_index
from retrieval.words import WordIndex


def build(
    dataset: Dataset,
    config: EngineConfig,
    run: Path,
    *,
    as_of_unix_s: int,
    reporter: Reporter | None = None,
) -> Manifest:
    """Train on the events before a moment and write a run.

    Stages are kept in ``.stages`` beside the run; see :mod:`engine.stages`.

    Args:
        dataset: The shop's tables.
        config: Settings.
        run: Folder of the run; written whole or not at all.
        as_of_unix_s: The moment; later events are not read.
        reporter: Told how far the work is.
    """
    stages = StageCache(run.parent / ".stages", reporter or Silent())
    job = _read(dataset, config, as_of_unix_s, stages)
    encoder = Encoder.open(config.encoder)
    encoded = _encode(job, encoder)
    content = load_record(encoded / "content.safetensors", Content)
    tables = graph_tables(dataset, job.vocabulary, job.past.events)
    early = _graph(job, tables, content, encoded, as_of=job.since_unix_s)
    latest = _graph(job, tables, content, encoded, as_of=as_of_unix_s, like=early)
    items = recommendable(item_table(dataset, tables, content.vectors, config.seed), job)
    offers = offer_calendar(dataset, job.vocabulary)
    ranker = train_reranker(job, prepare_lessons(job, items, offers, content, early))
    world = world_before(job.past, fixed(job, items, offers, latest, as_of_unix_s), as_of_unix_s)
    stages_of = {"content": encoded, "graph": latest, "rank": ranker}
    return assemble(job, run, world, encoder.fingerprint, stages_of)


def lessons_of(
    dataset: Dataset,
    config: EngineConfig,
    folder: Path,
    *,
    as_of_unix_s: int,
    reporter: Reporter | None = None,
) -> Lessons:
    """The first half of :func:`build`: what the reranker of such a run would be trained on.

    Args:
        dataset: The shop's tables.
        config: Settings.
        folder: Of stages that are done; those that a :func:`build` left are found again.
        as_of_unix_s: Later events are not read.
        reporter: Told how far the work is.
    """
    job = _read(dataset, config, as_of_unix_s, StageCache(folder, reporter or Silent()))
    encoded = _encode(job, Encoder.open(config.encoder))
    content = load_record(encoded / "content.safetensors", Content)
    tables = graph_tables(dataset, job.vocabulary, job.past.events)
    early = _graph(job, tables, content, encoded, as_of=job.since_unix_s)
    items = recommendable(item_table(dataset, tables, content.vectors, config.seed), job)
    return prepare_lessons(job, items, offer_calendar(dataset, job.vocabulary), content, early)


def _read(dataset: Dataset, config: EngineConfig, as_of_unix_s: int, stages: StageCache) -> Job:
    vocabulary = Vocabulary.of(dataset)
    as_of = datetime.fromtimestamp(as_of_unix_s, UTC)
    # Cut before sessions are numbered, or later visits would shift the numbers of earlier ones.
    before = replace(dataset, events=dataset.events.filter(pl.col("timestamp") < as_of))
    known = load_interactions(before, vocabulary)
    telling = known.where(kind_weights()[known.kind] > 0)  # a dismissal is no habit
    events = once_per_session(telling)
    zone = ZoneInfo(dataset.settings.time_zone)
    past = Past(events, histories(events, zone), dataset.settings.country)
    return Job(dataset, config, as_of_unix_s, stages, vocabulary, past)


def _encode(job: Job, encoder: Encoder) -> Path:
    def make(folder: Path) -> None:
        parts = encode_parts(
            job.dataset.items,
            Path(job.dataset.folder),
            encoder,
            VectorCache(job.stages.folder / "vectors"),
            on_progress=job.stages.reporter.advance,
            on_note=job.stages.reporter.note,
        )
        gates = learn_gates(
            parts,
            job.past.events.before(job.since_unix_s),
            image_weight=job.config.image_weight,
            seed=job.seed,
            on_note=job.stages.reporter.note,
        )
        content = parts.fused(gates)
        save_record(folder / "content.safetensors", content)
        dump_gates(gates, folder / "gates.json", names=PARTS)
        parts.rejects.write_parquet(folder / "picture_rejects.parquet")
        dump_probe(take_probe(encoder), folder / "probe.json")
        index = build_index(np.flatnonzero(content.known), content.vectors[content.known])
        index.save(folder / "index")
        Sides.of(parts, gates).save(folder)
        rows = np.arange(len(job.dataset.items), dtype=np.int64)
        WordIndex.build(searchable_texts(job.dataset.items), rows).save(folder / "words")

    reads = {
        "dataset": job.dataset.hash,
        "encoder": encoder.fingerprint,
        "image_weight": str(job.config.image_weight),
        "gates_until": str(job.since_unix_s),
        "seed": str(job.seed),
    }
    return job.stages.run("encode", reads, make)


def _graph(
    job: Job,
    tables: GraphTables,
    content: Content,
    encoded: Path,
    *,
    as_of: int,
    like: Path | None = None,
) -> Path:
    """Graph, vectors, neighbours and index as of a moment, in the space of ``like``."""
    config = job.config.graph

    def make(folder: Path) -> None:
        kg = lean_graph(job, tables, as_of)
        vectors = fit(kg, tables, content.vectors, content.known, config, seed=job.seed)
        item_vectors = vectors.items
        if like is not None:
            item_vectors = align_items(item_vectors, layout.item_vectors(like))
        metrics = {"trained": vectors.trained, **asdict(vectors.metrics)}
        write_graph(folder, job, kg, item_vectors, metrics)
        layout.save_relation_weights(folder, vectors.relation_weights)
        if like is not None:
            write_knowledge(folder, job, tables, Sides.open(encoded).looks)

    reads = {
        "encoded": encoded.name,
        "tables": "neighbours, partners, linear",
        "config": config.model_dump_json(),
        "habit_half_life_days": str(job.config.candidates.habit_half_life_days),
        "as_of": str(as_of),
        "seed": str(job.seed),
        "like": like.name if like else "",
    }
    return job.stages.run("graph" if like else "graph-early", reads, make)
