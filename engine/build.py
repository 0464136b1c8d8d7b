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
    write_json,
)
from engine.config import EngineConfig
from engine.content import PARTS, Content, encode_parts, learn_gates, searchable_texts
from engine.dataset import Dataset
from engine.job import Job, assemble, fixed, recommendable, write_graph
from engine.knowledge import lean_graph, write_knowledge
from engine.learn import (
    Past,
    Teacher,
    WeeklyWorlds,
    choose_sessions,
    sessions_between,
    tasks_of,
    world_before,
)
from engine.sides import Sides
from engine.stages import Reporter, Silent, StageCache
from engine.vocabulary import Vocabulary, load_interactions
from graph import GraphTables, fit
from graph.alignment import align_items
from retrieval.index import build_index, open_index
from retrieval.recall import Tables, token_vectors
from retrieval.rerank.examples import Examples
from retrieval.rerank.features import feature_names
from retrieval.rerank.offers import OfferCalendar
from retrieval.rerank.records import ItemTable
from retrieval.rerank.train import Columns, fit_reranker
from retrieval.words import WordIndex

REQUEST_SETTINGS = {"weeks", "max_requests", "half_life_days", "negatives", "history"}
"""What of the reranker's settings decides its training requests; the rest is its own."""


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
    ranker = _rerank(job, items, offers, content, early)
    world = world_before(job.past, fixed(job, items, offers, latest), as_of_unix_s)
    stages_of = {"content": encoded, "graph": latest, "rank": ranker}
    return assemble(job, run, world, encoder.fingerprint, stages_of)


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
        "config": config.model_dump_json(),
        "habit_half_life_days": str(job.config.candidates.habit_half_life_days),
        "as_of": str(as_of),
        "seed": str(job.seed),
        "like": like.name if like else "",
    }
    return job.stages.run("graph" if like else "graph-early", reads, make)


def _rerank(
    job: Job, items: ItemTable, offers: OfferCalendar, content: Content, early: Path
) -> Path:
    """Train on requests after ``early``'s moment, with vectors that never saw them."""
    config = job.config
    reads = {
        "early": early.name,
        "until": str(job.as_of_unix_s),
        "candidates": config.candidates.model_dump_json(),
        "requests": config.rerank.model_dump_json(include=REQUEST_SETTINGS),
        "min_users": str(config.min_users),
    }
    reporter = job.stages.reporter
    tasks = tasks_of(job.past.events)

    def examples(folder: Path) -> None:
        teacher = Teacher(
            past=job.past,
            items=items,
            tables=Tables(
                layout.neighbours(early),
                layout.item_vectors(early),
                content.vectors,
                layout.partners(early),
            ),
            index=open_index(early / "index"),
            world_at=WeeklyWorlds(job.past, fixed(job, items, offers, early), job.as_of_unix_s),
            candidates=config.candidates,
            rerank=config.rerank,
            user_half_life_days=config.graph.half_life_days,
        )
        chosen = choose_sessions(
            sessions_between(job.past.events, job.since_unix_s, job.as_of_unix_s),
            job.past.events,
            config.rerank,
            job.as_of_unix_s,
            job.seed,
        )
        taught = []
        for i, example in enumerate(teacher.examples(chosen, job.seed)):
            reporter.advance(i + 1, len(chosen))
            if example is not None:
                taught.append(example)
        layout.save_examples(folder, Examples.stack(taught))

    asked = job.stages.run("requests", reads, examples)

    def train(folder: Path) -> None:
        fitted = fit_reranker(
            layout.load_examples(asked),
            token_vectors(layout.item_vectors(early), content.vectors),
            items.groups[0],
            config.rerank,
            columns=Columns(feature_names(len(items.n_groups)), tasks),
            seed=job.seed,
            on_epoch=lambda e: reporter.note(
                f"epoch {e.number}: loss {e.loss:.3f}, held-out NDCG@10 {e.ndcg:.4f}, "
                f"of new items {e.ndcg_new:.4f}"
            ),
            on_step=reporter.advance,
        )
        layout.save_reranker(folder, fitted.model)
        epochs = [asdict(epoch) for epoch in fitted.epochs]
        write_json(folder / "metrics.json", {"epochs": epochs, "best": fitted.best})

    trained = job.stages.run(
        "rerank", {"asked": asked.name, "config": config.rerank.model_dump_json()}, train
    )
    return trained
