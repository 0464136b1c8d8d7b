"""One training or update: what it reads, the steps that both share, and the run they leave."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engine import layout
from engine.arrays import kind_weights
from engine.artifacts import (
    Lineage,
    Manifest,
    place,
    save_arrays,
    save_record,
    whole_folder,
    write_json,
)
from engine.config import EngineConfig
from engine.dataset import Dataset
from engine.interactions import Floats
from engine.learn import WEEK_S, Fixed, Past
from engine.stages import StageCache
from engine.vocabulary import Vocabulary
from graph import KnowledgeGraph
from retrieval.index import build_index
from retrieval.linear import linear_neighbours
from retrieval.neighbours import Neighbours, item_neighbours
from retrieval.partners import Partners, basket_partners
from retrieval.rerank.features import World
from retrieval.rerank.interval_fit import fit_intervals
from retrieval.rerank.intervals import IntervalTable, pairs_of
from retrieval.rerank.offers import OfferCalendar
from retrieval.rerank.records import DAY_S, ItemTable

TRIPLES_FILE, OFFERS_FILE = "triples.parquet", "offers.parquet"
"""Tables of the dataset that a run keeps for its updates."""


@dataclass(frozen=True, slots=True)
class Job:
    """One training: what it reads and when it pretends to be."""

    dataset: Dataset
    config: EngineConfig
    as_of_unix_s: int
    """Nothing from this moment on is read."""
    stages: StageCache
    vocabulary: Vocabulary
    past: Past
    """Events before ``as_of``, once per session."""

    @property
    def since_unix_s(self) -> int:
        """Start of the reranker's training requests."""
        return self.as_of_unix_s - self.config.rerank.weeks * WEEK_S

    @property
    def seed(self) -> int:
        """The seed of every stage."""
        return self.config.seed


def neighbours_before(job: Job, as_of: int) -> Neighbours:
    """Item neighbours by the visits before a moment, newer ones weighing more."""
    events = job.past.events.before(as_of)
    age_days = (as_of - events.at_unix_s) / DAY_S
    decay = 0.5 ** (age_days / job.config.candidates.habit_half_life_days)
    return item_neighbours(
        events.user,
        events.item,
        (kind_weights()[events.kind] * decay).astype(np.float32),
        shape=(events.n_users, events.n_items),
        on_progress=job.stages.reporter.advance,
    )


def partners_before(job: Job, as_of: int) -> Partners:
    """What lay in one basket, or was seen in one visit, before a moment."""
    events = job.past.events.before(as_of)
    return basket_partners(events.session, events.item, events.n_items)


def linear_before(job: Job, as_of: int) -> Neighbours:
    """What speaks for what, by the visits before a moment."""
    events = job.past.events.before(as_of)
    shape = (events.n_users, events.n_items)
    return linear_neighbours(events.user, events.item, shape=shape, seed=job.seed)


def intervals_before(job: Job, items: ItemTable, as_of: int) -> IntervalTable:
    """How often items are taken again, by the visits before a moment."""
    events = job.past.events.before(as_of)
    pairs = pairs_of(events.user, events.item, events.at_unix_s)
    return fit_intervals(pairs, items.groups[0], as_of)


def write_graph(
    folder: Path,
    job: Job,
    kg: KnowledgeGraph,
    item_vectors: Floats,
    metrics: Mapping[str, object],
) -> None:
    """Write a graph stage: the graph, its items' vectors and index, and their neighbours."""
    kg.save(folder / "kg")
    save_arrays(folder / "vectors.safetensors", {"items": item_vectors})
    save_record(folder / "neighbours.safetensors", neighbours_before(job, kg.as_of_unix_s))
    save_record(folder / "partners.safetensors", partners_before(job, kg.as_of_unix_s))
    save_record(folder / layout.LINEAR_FILE, linear_before(job, kg.as_of_unix_s))
    rows = np.arange(len(item_vectors), dtype=np.int64)
    build_index(rows, item_vectors, seed=job.seed).save(folder / "index")
    write_json(folder / "metrics.json", dict(metrics))


def recommendable(items: ItemTable, job: Job) -> ItemTable:
    """The table without the items that too few users took."""
    events = job.past.events
    pairs = np.unique(events.user * len(items) + events.item)
    users = np.bincount(pairs % len(items), minlength=len(items))
    return replace(items, recommendable=items.recommendable & (users >= job.config.min_users))


def fixed(job: Job, items: ItemTable, offers: OfferCalendar, graph: Path, as_of: int) -> Fixed:
    """What all worlds of a job share: vectors of a graph stage, intervals as of its moment."""
    config = job.config
    return Fixed(
        items=items,
        offers=offers,
        vectors=layout.item_vectors(graph),
        n_places=len(job.vocabulary.places),
        user_half_life_days=config.graph.half_life_days,
        habit_half_life_days=config.candidates.habit_half_life_days,
        needs=intervals_before(job, items, as_of),
        linear=layout.linear(graph),
    )


def assemble(
    job: Job,
    run: Path,
    world: World,
    encoder_id: str,
    stages: Mapping[str, Path],
    lineage: Lineage | None = None,
) -> Manifest:
    """Put the finished stages into one folder and seal it.

    Args:
        job: What was trained.
        run: Folder of the run; written whole or not at all.
        world: As of the job's moment.
        encoder_id: Fingerprint of the encoder that made the content vectors.
        stages: Finished folders, by the name that they have in a run.
        lineage: Of a run that continues another.
    """
    with whole_folder(run) as folder:
        for name, stage in stages.items():
            place(stage, folder / name)
        job.vocabulary.save(folder / "vocabulary.parquet")
        job.dataset.items.write_parquet(folder / "items.parquet")
        job.dataset.triples.write_parquet(folder / TRIPLES_FILE)
        job.dataset.offers.write_parquet(folder / OFFERS_FILE)
        pictures = job.dataset.settings.pictures
        if pictures and (Path(job.dataset.folder) / pictures).is_dir():
            place(Path(job.dataset.folder) / pictures, folder / pictures)
        write_json(folder / "dataset.json", job.dataset.settings.model_dump(mode="json"))
        layout.save_past(folder, job.past)
        layout.save_world(folder, world)
        return Manifest.seal(
            folder,
            dataset_hash=job.dataset.hash,
            dataset_name=job.dataset.settings.name,
            as_of_unix_s=job.as_of_unix_s,
            settings=job.config.model_dump(mode="json") | {"encoder_id": encoder_id},
            metrics={
                name: json.loads((stage / "metrics.json").read_text(encoding="utf-8"))
                for name, stage in stages.items()
                if (stage / "metrics.json").is_file()
            },
            seconds=dict(job.stages.seconds),
            lineage=lineage,
        )
