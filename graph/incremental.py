"""A graph that grows: new events are added to what was counted, nothing is counted twice."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from graph.build import assemble, build_graph, interacted_edges, item_edges
from graph.co_occurrence import baskets_of, strongest
from graph.edges import Edges
from graph.kg import KnowledgeGraph
from graph.schema import Floats, GraphError, GraphTables, Ints, Relation, decayed_weight

MAX_SESSION_ITEMS = 200
SHRINKAGE = 3.0
SECONDS_PER_DAY = 86_400


@dataclass(frozen=True, slots=True)
class GrowingGraph:
    """A graph, and the counts behind its ``bought_with``, of which it shows only the best."""

    kg: KnowledgeGraph
    half_life_days: float
    n_neighbours: int
    together: sp.csr_array
    """Decayed sessions in which two items met, float64 ``[I, I]``; on the diagonal, of one."""
    sessions: sp.csr_array
    """The same sessions, counted without decay, int64 ``[I, I]``: what is exactly zero."""


def start_graph(
    tables: GraphTables,
    *,
    as_of_unix_s: int,
    half_life_days: float = 90.0,
    n_neighbours: int = 20,
) -> GrowingGraph:
    """Build a graph that can be extended; the same as :func:`graph.build.build_graph` makes."""
    past = tables.until(as_of_unix_s)
    together, sessions = _count(past, as_of_unix_s, half_life_days)
    kg = build_graph(
        past,
        as_of_unix_s=as_of_unix_s,
        half_life_days=half_life_days,
        n_neighbours=n_neighbours,
    )
    return GrowingGraph(kg, half_life_days, n_neighbours, together, sessions)


def extend_graph(growing: GrowingGraph, tables: GraphTables, *, as_of_unix_s: int) -> GrowingGraph:
    """Add the events since the graph's moment, and let the older ones fade to the new moment.

    Weights halve alike, so that old sums are scaled, not summed again; only the sessions that
    went on are counted anew. Facts, links, facets and the category tree are read from the
    tables as they are now. The graph equals the one built from scratch, up to rounding.

    Args:
        growing: What :func:`start_graph` or this function made.
        tables: All events. Users, items and the nodes of facts keep their rows; new ones come
            after them.
        as_of_unix_s: The new moment, not before the old one.

    Raises:
        GraphError: The moment is before the graph's, or there are fewer users or items.
    """
    kg = growing.kg
    _check_growth(kg, tables, as_of_unix_s)
    past = tables.until(as_of_unix_s)
    new = past.at_unix_s >= kg.as_of_unix_s
    elapsed_days = (as_of_unix_s - kg.as_of_unix_s) / SECONDS_PER_DAY
    fade = 0.5 ** (elapsed_days / growing.half_life_days)
    interacted = _interacted(growing, past, past.where(new), as_of_unix_s, fade)
    together, sessions = _together(growing, past, new, as_of_unix_s, fade)
    pairs = _bought_with(together, growing.n_neighbours)
    between = [item_edges(past, Relation.BOUGHT_WITH, *pairs)]
    grown = assemble(past, interacted, between, as_of_unix_s, growing.half_life_days)
    return replace(growing, kg=grown, together=together, sessions=sessions)


def _interacted(
    growing: GrowingGraph, past: GraphTables, new: GraphTables, as_of_unix_s: int, fade: float
) -> Edges:
    """Old edges faded; only those of users who came back are summed again."""
    kg = growing.kg
    old = kg.edges([e.relation for e in kg.edge_types].index(Relation.INTERACTED))
    items = old.tail - kg.start("item")
    weight = (old.weight * fade).astype(np.float32)
    fresh = decayed_weight(new, as_of_unix_s=as_of_unix_s, half_life_days=growing.half_life_days)
    came_back = np.zeros(past.n_users, np.bool_)
    came_back[new.user] = True
    again = came_back[old.head]
    times = np.zeros(len(old.head), np.int64) if old.at_unix_s is None else old.at_unix_s
    summed = interacted_edges(
        past,
        np.concatenate([old.head[again], new.user]),
        np.concatenate([items[again], new.item]),
        np.concatenate([weight[again], fresh]),
        np.concatenate([times[again], new.at_unix_s]),
    )
    rest = ~again
    start = past.n_users
    return Edges(
        old.edge_type,
        np.concatenate([old.head[rest], summed.head]),
        np.concatenate([items[rest] + start, summed.tail]),
        np.concatenate([weight[rest], summed.weight]),
        np.concatenate([times[rest], summed.at_unix_s]),
    )


def _together(
    growing: GrowingGraph,
    past: GraphTables,
    new: np.ndarray,
    as_of_unix_s: int,
    fade: float,
) -> tuple[sp.csr_array, sp.csr_array]:
    """Counts faded, less the sessions that went on as they were, plus them as they are."""
    of_session = np.isin(past.session, np.unique(past.session[new]))
    half_life_days = growing.half_life_days
    before = _count(past.where(of_session & ~new), as_of_unix_s, half_life_days)
    after = _count(past.where(of_session), as_of_unix_s, half_life_days)
    shape = (past.n_items, past.n_items)
    together = _resized(growing.together, shape) * fade - before[0] + after[0]
    sessions = _resized(growing.sessions, shape) - before[1] + after[1]
    # What remains of a subtraction is rounding where the sessions themselves cancel out.
    sessions.eliminate_zeros()
    together = sp.csr_array(together.multiply(sessions != 0))
    together.sort_indices()
    return together, sessions


def _count(
    tables: GraphTables, as_of_unix_s: int, half_life_days: float
) -> tuple[sp.csr_array, sp.csr_array]:
    """Decayed and plain numbers of sessions of every pair of items, and of each item."""
    baskets = baskets_of(tables, as_of_unix_s, half_life_days, MAX_SESSION_ITEMS)
    plain = baskets.astype(np.bool_).astype(np.int64)
    return sp.csr_array(baskets.T @ baskets), sp.csr_array(plain.T @ plain)


def _bought_with(together: sp.csr_array, n_neighbours: int) -> tuple[Ints, Ints, Floats]:
    n = together.diagonal()
    rows = np.repeat(np.arange(together.shape[0]), np.diff(together.indptr))
    score = together.data / (np.sqrt(n[rows] * n[together.indices]) + SHRINKAGE)
    score[rows == together.indices] = 0.0
    kept = strongest(together.indptr, score, n_neighbours)
    return rows[kept], together.indices[kept].astype(np.int64), score[kept].astype(np.float32)


def _resized(counts: sp.csr_array, shape: tuple[int, int]) -> sp.csr_array:
    added = np.full(shape[0] - counts.shape[0], counts.nnz, counts.indptr.dtype)
    indptr = np.concatenate([counts.indptr, added])
    return sp.csr_array((counts.data, counts.indices, indptr), shape=shape)


def _check_growth(kg: KnowledgeGraph, tables: GraphTables, as_of_unix_s: int) -> None:
    if as_of_unix_s < kg.as_of_unix_s:
        raise GraphError(
            f"the graph is of {kg.as_of_unix_s}, later than {as_of_unix_s}: time runs on only"
        )
    for node_type, n in (("user", tables.n_users), ("item", tables.n_items)):
        known = dict(zip(kg.node_types, np.diff(kg.offsets).tolist(), strict=True))[node_type]
        if n < known:
            raise GraphError(
                f"{known} {node_type}s are in the graph, {n} in the tables: rows must be kept"
            )
