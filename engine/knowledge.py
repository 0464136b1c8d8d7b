"""The graph that people read: everything that the shop's tables tell, with names.

The network is fitted on fewer relations (:func:`engine.arrays.graph_tables`): what serves a reader
of paths need not serve a gradient.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.job import Job
from engine.node_names import category_parents, names_of
from engine.own_facts import own_facts
from engine.scene_links import with_scene
from engine.show_graph import KNOWLEDGE, NAMES_FILE
from engine.sides import Side
from engine.types import KINDS, EventKind
from graph import GraphTables, KnowledgeGraph, Looks, Relation, build_graph


def lean_graph(job: Job, tables: GraphTables, as_of_unix_s: int) -> KnowledgeGraph:
    """The graph that the network is fitted on, and in which reasons find paths."""
    return build_graph(
        tables,
        as_of_unix_s=as_of_unix_s,
        half_life_days=job.config.graph.half_life_days,
        n_neighbours=job.config.graph.n_neighbours,
    )


def write_knowledge(folder: Path, job: Job, tables: GraphTables, looks: Side) -> None:
    """Write the wide graph as of the job's moment and its names into the graph stage.

    Args:
        folder: Of the stage.
        job: What is trained.
        tables: Of :func:`engine.arrays.graph_tables`, from all events of the job.
        looks: What the items look like.
    """
    dataset, vocabulary, as_of = job.dataset, job.vocabulary, job.as_of_unix_s
    events = job.past.events.before(as_of)
    known = names_of(dataset.items, vocabulary)
    names = own_facts(dataset.triples, known, category_parents(dataset.items)).names
    wide, names = with_scene(tables, names, dataset, vocabulary, events, as_of_unix_s=as_of)
    viewed = (events.kind == KINDS.index(EventKind.VIEW)).any()
    pictures = looks.base.astype(np.float32)
    pictured = np.any(pictures, axis=1)
    asked = {
        Relation.BOUGHT_WITH: True,
        Relation.VIEWED_THEN_BOUGHT: bool(viewed),
        Relation.LOOKS_LIKE: bool(pictured.any()),
    }
    kg = build_graph(
        wide,
        as_of_unix_s=as_of,
        half_life_days=job.config.graph.half_life_days,
        n_neighbours=job.config.graph.n_neighbours,
        derive=[relation for relation, wanted in asked.items() if wanted],
        looks=Looks(pictures, pictured),
    )
    kg.save(folder / KNOWLEDGE)
    names.save(folder / NAMES_FILE)
