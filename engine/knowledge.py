"""The graph that people read: everything that the shop's tables tell, with names.

The network is fitted on fewer relations (:func:`engine.arrays.graph_tables`): what serves a reader
of paths need not serve a gradient.
"""

from __future__ import annotations

from pathlib import Path

from engine.job import Job
from engine.node_names import category_parents, names_of
from engine.own_facts import own_facts
from engine.scene_links import with_scene
from engine.show_graph import KNOWLEDGE, NAMES_FILE
from engine.types import KINDS, EventKind
from graph import GraphTables, KnowledgeGraph, Relation, build_graph


def lean_graph(job: Job, tables: GraphTables, as_of_unix_s: int) -> KnowledgeGraph:
    """The graph that the network is fitted on, and in which reasons find paths."""
    return build_graph(
        tables,
        as_of_unix_s=as_of_unix_s,
        half_life_days=job.config.graph.half_life_days,
        n_neighbours=job.config.graph.n_neighbours,
    )


def write_knowledge(folder: Path, job: Job, tables: GraphTables) -> None:
    """Write the wide graph as of the job's moment and its names into the graph stage.

    Args:
        folder: Of the stage.
        job: What is trained.
        tables: Of :func:`engine.arrays.graph_tables`, from all events of the job.
    """
    dataset, vocabulary, as_of = job.dataset, job.vocabulary, job.as_of_unix_s
    events = job.past.events.before(as_of)
    known = names_of(dataset.items, vocabulary)
    names = own_facts(dataset.triples, known, category_parents(dataset.items)).names
    wide, names = with_scene(tables, names, dataset, vocabulary, events, as_of_unix_s=as_of)
    viewed = (events.kind == KINDS.index(EventKind.VIEW)).any()
    kg = build_graph(
        wide,
        as_of_unix_s=as_of,
        half_life_days=job.config.graph.half_life_days,
        n_neighbours=job.config.graph.n_neighbours,
        derive=(Relation.BOUGHT_WITH, *((Relation.VIEWED_THEN_BOUGHT,) if viewed else ())),
    )
    kg.save(folder / KNOWLEDGE)
    names.save(folder / NAMES_FILE)
