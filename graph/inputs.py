"""What the network reads: a graph and content as tensors, and the closed form it starts from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from numpy.typing import NDArray
from torch import Tensor

from graph.adjacency import Adjacency
from graph.config import GraphConfig
from graph.fold_in import embed_items, fit_item_map, interest
from graph.kg import KnowledgeGraph
from graph.schema import Floats, GraphTables, NodeType, Relation, decayed_weight
from graph.spectral import align, spectral_state
from graph.vectors import join_items, split_items, unit_or


@dataclass(frozen=True, slots=True)
class Content:
    """Item content float32 ``[I, D]`` and which items have any, bool ``[I]``."""

    vectors: Floats
    known: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Link:
    """Messages into one node type: the mean over a relation, or over two in a row."""

    name: str
    relation: str
    source: str
    target: str
    hops: tuple[Adjacency, ...]


@dataclass(frozen=True, slots=True)
class GraphInputs:
    """Everything that the network reads at one moment in time.

    Shapes, with W = G - 1: ``taste`` float32 ``[I, W]``, unit rows from the spectrum, zeros for
    items without events; ``warm`` bool ``[I]``, items with events; ``popularity`` float32
    ``[I]`` in [0, 1]; ``content`` float32 ``[I, D]``, zeros where there is none; ``pairs`` the
    sparse :func:`graph.fold_in.interest` of users in items ``[U, I]``; ``readout`` its weighted
    mean.
    """

    spectrum: Floats
    """Smoothed spectral factors, float32 ``[I, W]``: the basis to align those of later to."""
    taste: Tensor
    warm: Tensor
    popularity: Tensor
    content: Tensor
    links: tuple[Link, ...]
    pairs: sp.csr_array
    readout: Adjacency
    as_of_unix_s: int
    rows: dict[str, Tensor] | None = None
    """Of a sampled part of the graph: for each node type the rows of the whole that it holds,
    int64; None for the whole graph."""


def graph_inputs(
    kg: KnowledgeGraph,
    tables: GraphTables,
    content: Content,
    config: GraphConfig,
    *,
    seed: int,
    basis: Floats | None = None,
) -> GraphInputs:
    """Read a graph for training or for the final vectors.

    Args:
        kg: The graph; its ``as_of_unix_s`` is the moment.
        tables: Events at or after that moment are ignored.
        content: Content of the items.
        config: Settings.
        seed: For the spectrum.
        basis: Spectral factors ``[I, W]`` of an earlier moment; the present ones are rotated to
            them, so that weights trained there keep their meaning.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    pairs = _interest(kg, tables)
    spectrum = spectral_state(pairs, config.width - 1, seed=seed).smoothed_items()
    if basis is not None:
        spectrum = align(spectrum, basis)
    zero = torch.zeros(spectrum.shape[1])
    shown = np.where(content.known[:, None], content.vectors, 0.0).astype(np.float32)
    readout = Adjacency.mean(pairs, device)
    return GraphInputs(
        spectrum=spectrum,
        taste=unit_or(torch.from_numpy(spectrum), zero).to(device),
        warm=torch.from_numpy(np.asarray(pairs.sum(axis=0)) > 0).to(device),
        popularity=torch.from_numpy(_popularity(kg, tables, config)).to(device),
        content=torch.from_numpy(shown).to(device),
        links=_links(kg, pairs, readout, device),
        pairs=pairs,
        readout=readout,
        as_of_unix_s=kg.as_of_unix_s,
    )


def closed_form_items(
    inputs: GraphInputs, tables: GraphTables, content: Content, *, popularity_scale: float
) -> Floats:
    """Item vectors ``[I, G]`` without training: spectral taste, popularity times a scale."""
    first = torch.zeros_like(inputs.taste[0])
    first[0] = 1.0
    popularity = inputs.popularity * popularity_scale
    items: Floats = join_items(unit_or(inputs.taste, first), popularity).cpu().numpy()
    return with_cold_items(items, inputs, tables, content)


def with_cold_items(
    items: Floats, inputs: GraphInputs, tables: GraphTables, content: Content
) -> Floats:
    """Item vectors ``[I, G]`` with those of untouched items guessed from content and facts.

    The guess is that of :func:`graph.fold_in.embed_items`, so that an item without events and
    one that is added after training are treated alike; but it has no popularity yet.
    """
    known = inputs.warm.cpu().numpy()
    if known.all() or not known.any():
        return items
    facts = tables.item_facts
    guessing = fit_item_map(items, known, content.vectors, content.known, facts)
    guess = embed_items(guessing, content.vectors, content.known, facts)
    items = items.copy()
    items[~known, 0] = 0.0
    items[~known, 1:] = split_items(guess[~known])[0]
    return items


def _interest(kg: KnowledgeGraph, tables: GraphTables) -> sp.csr_array:
    k = [e.relation for e in kg.edge_types].index(Relation.INTERACTED)
    edges = kg.edges(k)
    columns = edges.tail - kg.global_row(NodeType.ITEM, 0)
    shape = (tables.n_users, tables.n_items)
    return sp.csr_array((interest(edges.weight), (edges.head, columns)), shape=shape)


def _popularity(kg: KnowledgeGraph, tables: GraphTables, config: GraphConfig) -> Floats:
    """Logarithm of recent decayed weight, scaled to 1 for the best seller, ``[I]``."""
    past = tables.until(kg.as_of_unix_s)
    weight = decayed_weight(
        past,
        as_of_unix_s=kg.as_of_unix_s,
        half_life_days=config.popularity_half_life_days,
    )
    sold = np.log1p(np.bincount(past.item, weight, minlength=past.n_items))
    return (sold / max(float(sold.max(initial=0.0)), 1e-12)).astype(np.float32)


def _links(
    kg: KnowledgeGraph, pairs: sp.csr_array, readout: Adjacency, device: torch.device
) -> tuple[Link, ...]:
    """Both directions of every relation; users only pass on what their items say."""
    to_items = Adjacency.mean(sp.csr_array(pairs.T), device)
    hops = (readout, to_items)
    links = [Link("interacted", Relation.INTERACTED, NodeType.ITEM, NodeType.ITEM, hops)]
    starts = dict(zip(kg.node_types, kg.offsets, strict=False))
    sizes = dict(kg.stats().n_nodes)
    for k, (head_type, relation, tail_type) in enumerate(kg.edge_types):
        if relation == Relation.INTERACTED:
            continue
        edges = kg.edges(k)
        place = (edges.head - starts[head_type], edges.tail - starts[tail_type])
        weights = sp.csr_array((edges.weight, place), shape=(sizes[head_type], sizes[tail_type]))
        if not weights.nnz:
            continue
        name = f"{relation} {tail_type}"
        there = Adjacency.mean(weights, device)
        links.append(Link(name, relation, tail_type, head_type, (there,)))
        # bought_with is near symmetric: its other direction would say the same twice.
        if relation != Relation.BOUGHT_WITH:
            back = Adjacency.mean(sp.csr_array(weights.T), device)
            links.append(Link(f"{name} of", relation, head_type, tail_type, (back,)))
    return tuple(links)
