"""A run with empty rows behind its items, for those that come while it serves."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse

from engine.interactions import Floats, Ints
from engine.runtime import Run
from retrieval.neighbours import Neighbours
from retrieval.rerank.features import World
from retrieval.rerank.model import Reranker
from retrieval.rerank.records import ItemTable
from retrieval.rerank.trends import Trends

NEVER_TAKEN = {"repeat_rate": 0.2, "frequency": 1.0}
"""Trends of an item without buyers that are not 0; see :func:`take_trends`."""


def with_room(run: Run, n_more: int) -> Run:
    """A copy of a run whose arrays have ``n_more`` rows of items that nothing recommends.

    The copy owns every array that describes an item, so that a row behind the last item may be
    written before anybody is told of it.
    """
    tables = run.tables
    neighbours = Neighbours(
        _longer(tables.neighbours.rows, n_more), _longer(tables.neighbours.weight, n_more)
    )
    graph = _longer(tables.graph, n_more)
    graph[len(graph) - n_more :, 1] = 1.0  # a length of 0 cannot be divided by
    content = _longer(tables.content, n_more)
    vectors = _longer(run.model.items.numpy(), n_more)
    groups = _longer(run.world.items.groups, n_more, axis=1)
    return replace(
        run,
        world=_wider_world(run.world, groups, n_more),
        tables=replace(tables, neighbours=neighbours, graph=graph, content=content),
        model=_model_on(run.model, vectors, groups[0]),
    )


def _wider_world(world: World, groups: Ints, n_more: int) -> World:
    items, crowd = world.items, world.crowd
    table = ItemTable(
        groups=groups,
        n_groups=items.n_groups,
        log_price=_longer(items.log_price, n_more, fill=np.nan),
        recommendable=_longer(items.recommendable, n_more),
    )
    n_items = groups.shape[1]
    return replace(
        world,
        items=table,
        trends=_wider_trends(world.trends, groups, n_more),
        offers=replace(world.offers, n_items=n_items),
        crowd=replace(crowd, profile=_wider(crowd.profile, n_items)),
    )


def _wider_trends(trends: Trends, groups: Ints, n_more: int) -> Trends:
    n_items = groups.shape[1] - n_more
    wider: dict[str, Any] = {"groups": groups}
    for field in fields(trends):
        value = getattr(trends, field.name)
        if isinstance(value, sparse.csr_matrix):
            wider[field.name] = _wider(value, n_items + n_more)
        elif field.name in ("best_sellers", "place_totals", "group_counts", "groups"):
            continue
        elif isinstance(value, np.ndarray) and value.shape[-1] == n_items:
            fill = NEVER_TAKEN.get(field.name, 0.0)
            wider[field.name] = _longer(value, n_more, axis=value.ndim - 1, fill=fill)
    return replace(trends, **wider)


def _model_on(model: Reranker, items: Floats, group: Ints) -> Reranker:
    """The same network over other items; it reads the arrays where they lie."""
    other = Reranker(model.shape, torch.from_numpy(items), torch.from_numpy(group))
    other.load_state_dict(model.state_dict())
    return other.eval()


def _wider(matrix: sparse.csr_matrix, n_columns: int) -> sparse.csr_matrix:
    shape = (matrix.shape[0], n_columns)
    return sparse.csr_matrix((matrix.data, matrix.indices, matrix.indptr), shape=shape)


def _longer(array: NDArray[Any], n_more: int, *, axis: int = 0, fill: float = 0.0) -> NDArray[Any]:
    more = list(array.shape)
    more[axis] = n_more
    return np.concatenate([array, np.full(more, fill, dtype=array.dtype)], axis=axis)
