"""Relations that no table states: viewed then bought, visually alike, and where things sell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import faiss as typed_faiss
import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from graph.co_occurrence import strongest
from graph.schema import (
    Facet,
    Floats,
    GraphError,
    GraphTables,
    Ints,
    NodeType,
    decayed_weight,
)

faiss: Any = typed_faiss  # its stubs lack what its Python layer adds

PAIRS_PER_CHUNK = 4_000_000
"""Pairs of a view and a purchase held at once; about 100 MB."""
SIMILARITIES_PER_CHUNK = 16_000_000
"""Cosines held at once; 64 MB."""
MAX_SAME_PICTURE = 12
"""A picture that more items share is a placeholder: it shows none of them."""
EXACT_PICTURES = 50_000
"""Up to so many pictures all pairs are compared; beyond, those of the nearest cells."""
PROBED_SHARE = 1 / 64
"""Of the cells, beyond that."""
MIN_LIFT = 1.2
"""An item belongs to a facet where it sells at least this much above the shop's average."""
FACET_SHRINKAGE = 5.0
"""Average sales added to what was counted, so that one sale in winter makes no winter item."""


def viewed_then_bought(
    tables: GraphTables,
    *,
    as_of_unix_s: int,
    half_life_days: float,
    n_neighbours: int = 20,
    shrinkage: float = 3.0,
    max_session_items: int = 200,
) -> tuple[Ints, Ints, Floats]:
    r"""What was bought in the end by those who looked at an item first.

    .. math:: s_{ij} = \frac{c_{ij}}{\sqrt{v_i b_j} + \lambda}

    where :math:`c_{ij}` counts the sessions in which a view of ``i`` came no later than a
    purchase of ``j``, :math:`v_i` the sessions that viewed ``i`` and :math:`b_j` those that
    bought ``j``, each decayed by its age. The relation has a direction: a dear camera is viewed
    before a cheap one is bought, seldom the other way round.

    Args:
        tables: Events; without ``bought`` there is no such relation.
        as_of_unix_s: Later events are ignored; ages are counted from here.
        half_life_days: Age at which a session counts half.
        n_neighbours: Kept per viewed item.
        shrinkage: The ``λ`` above, in sessions.
        max_session_items: Larger sessions say little about any pair and are left out.

    Returns:
        Viewed items int64 ``[M]``, bought items int64 ``[M]``, scores float32 ``[M]`` in (0, 1),
        ordered by viewed item, best first.
    """
    past = tables.until(as_of_unix_s)
    if past.bought is None or past.bought.all() or not past.bought.any():
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
    decay = decayed_weight(past, as_of_unix_s=as_of_unix_s, half_life_days=half_life_days)
    decay = decay / past.weight
    _, session = np.unique(past.session, return_inverse=True)
    # A view counts when it began, a purchase when it ended: "before" then means before.
    viewed = _once(past, session, ~past.bought, latest=False)
    bought = _once(past, session, past.bought, latest=True)
    n_sessions = int(session.max()) + 1
    small = np.bincount(session[np.concatenate([viewed, bought])], minlength=n_sessions)
    viewed, bought = (rows[small[session[rows]] <= max_session_items] for rows in (viewed, bought))
    together = sp.csr_array((past.n_items, past.n_items), dtype=np.float64)
    for v, b in _pairs(session[viewed], session[bought]):
        first, then = viewed[v], bought[b]
        right = (past.at_unix_s[first] <= past.at_unix_s[then]) & (
            past.item[first] != past.item[then]
        )
        place = (past.item[first[right]], past.item[then[right]])
        counted = sp.csr_array((decay[then[right]], place), shape=together.shape)
        together = sp.csr_array(together + counted)
    n_viewed = np.bincount(past.item[viewed], decay[viewed], minlength=past.n_items)
    n_bought = np.bincount(past.item[bought], decay[bought], minlength=past.n_items)
    rows = np.repeat(np.arange(past.n_items), np.diff(together.indptr))
    score = together.data / (np.sqrt(n_viewed[rows] * n_bought[together.indices]) + shrinkage)
    kept = strongest(together.indptr, score, n_neighbours)
    return rows[kept], together.indices[kept].astype(np.int64), score[kept].astype(np.float32)


def visually_alike(
    vectors: Floats,
    known: NDArray[np.bool_],
    *,
    n_neighbours: int = 10,
    min_cosine: float = 0.5,
) -> tuple[Ints, Ints, Floats]:
    """The items whose pictures are nearest, by cosine.

    Pictures that more than ``MAX_SAME_PICTURE`` items share are passed over. Up to
    ``EXACT_PICTURES`` all pairs are compared, chunk by chunk; beyond, an inverted file of FAISS
    compares those of the nearest cells.

    Args:
        vectors: Of the pictures, float32 ``[I, D]``, of any length.
        known: Items that have a picture, bool ``[I]``.
        n_neighbours: Kept per item.
        min_cosine: Less alike is not alike.

    Returns:
        Items int64 ``[M]``, items like them int64 ``[M]``, cosines float32 ``[M]``, ordered by
        item, best first.

    Raises:
        GraphError: The two arrays do not fit each other.
    """
    if vectors.ndim != 2 or known.shape != vectors.shape[:1]:
        raise GraphError(
            f"vectors have shape {vectors.shape}, known {known.shape}: expected [I, D] and [I]"
        )
    length = np.linalg.norm(vectors, axis=1)
    items = _own_pictures(vectors, np.flatnonzero(known & (length > 0)))
    width = min(n_neighbours, len(items) - 1)
    if width < 1:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
    unit = vectors[items] / length[items, None]
    nearest = _all_pairs(unit) if len(items) <= EXACT_PICTURES else _by_cells(unit)
    heads, tails, cosines = [], [], []
    chunk = max(1, SIMILARITIES_PER_CHUNK // len(items))
    for first in range(0, len(items), chunk):
        rows = np.arange(first, min(first + chunk, len(items)))
        near, cosine = nearest(rows, width)
        alike = cosine >= min_cosine
        heads.append(items[np.repeat(rows, alike.sum(axis=1))])
        tails.append(items[near[alike]])
        cosines.append(np.minimum(cosine[alike], 1.0).astype(np.float32))
    return np.concatenate(heads), np.concatenate(tails), np.concatenate(cosines)


def _own_pictures(vectors: Floats, items: Ints) -> Ints:
    """Those of the items whose picture few others share."""
    if not len(items):
        return items
    shown = np.ascontiguousarray(vectors[items])
    picture = shown.view(np.dtype((np.void, shown.itemsize * shown.shape[1]))).ravel()
    _, of, sharing = np.unique(picture, return_inverse=True, return_counts=True)
    own: Ints = items[sharing[of] <= MAX_SAME_PICTURE]
    return own


Nearest = Callable[[Ints, int], tuple[Ints, Floats]]
"""For some rows and a width: the rows with the highest cosine to each, best first, without
itself, and the cosines; -inf where there is none."""


def _all_pairs(unit: Floats) -> Nearest:
    def nearest(rows: Ints, width: int) -> tuple[Ints, Floats]:
        cosine = unit[rows] @ unit.T
        cosine[np.arange(len(rows)), rows] = -np.inf
        near = np.argpartition(-cosine, width - 1, axis=1)[:, :width]
        value = np.take_along_axis(cosine, near, axis=1)
        order = np.argsort(-value, axis=1, kind="stable")
        return np.take_along_axis(near, order, axis=1), np.take_along_axis(value, order, axis=1)

    return nearest


def _by_cells(unit: Floats) -> Nearest:
    n_cells = int(4 * np.sqrt(len(unit)))
    cells = faiss.index_factory(unit.shape[1], f"IVF{n_cells},Flat", faiss.METRIC_INNER_PRODUCT)
    cells.train(unit[:: max(1, len(unit) // (64 * n_cells))])
    cells.add(unit)
    cells.nprobe = max(8, int(n_cells * PROBED_SHARE))

    def nearest(rows: Ints, width: int) -> tuple[Ints, Floats]:
        cosine, near = cells.search(unit[rows], width + 1)
        cosine[(near == rows[:, None]) | (near < 0)] = -np.inf
        order = np.argsort(-cosine, axis=1, kind="stable")[:, :width]
        return np.take_along_axis(near, order, axis=1), np.take_along_axis(cosine, order, axis=1)

    return nearest


def facet_strength(
    tables: GraphTables, facet: Facet, *, as_of_unix_s: int, half_life_days: float
) -> tuple[Ints, Ints, Floats]:
    r"""Who is found in a facet more often than chance would have it.

    .. math:: \text{lift}_{hf} = \frac{w_{hf} + \kappa p_f}{(w_h + \kappa)\, p_f}, \qquad
              s_{hf} = 1 - 1 / \text{lift}_{hf}

    with the decayed weight :math:`w` of the events and the shop's own share :math:`p` of the
    facet. Kept where the lift is at least ``MIN_LIFT``: a scarf is joined with winter, bread
    with no season at all.

    Returns:
        Heads int64 ``[M]``, facets int64 ``[M]``, strengths float32 ``[M]`` in (0, 1).
    """
    told = facet.known & (tables.at_unix_s < as_of_unix_s)
    of_users = facet.head_type == NodeType.USER
    n_heads, head = (tables.n_users, tables.user) if of_users else (tables.n_items, tables.item)
    weight = decayed_weight(tables, as_of_unix_s=as_of_unix_s, half_life_days=half_life_days)
    pairs, place = np.unique(head[told] * facet.n_tails + facet.rows[told], return_inverse=True)
    counted = np.bincount(place, weight[told], minlength=len(pairs))
    heads, tails = pairs // max(facet.n_tails, 1), pairs % max(facet.n_tails, 1)
    total = np.bincount(heads, counted, minlength=n_heads)
    share = np.bincount(tails, counted, minlength=facet.n_tails) / max(counted.sum(), 1e-12)
    expected = share[tails]
    lift = (counted + FACET_SHRINKAGE * expected) / ((total[heads] + FACET_SHRINKAGE) * expected)
    kept = lift >= MIN_LIFT
    return heads[kept], tails[kept], (1 - 1 / lift[kept]).astype(np.float32)


def _once(tables: GraphTables, session: Ints, chosen: NDArray[np.bool_], *, latest: bool) -> Ints:
    """One event of each (session, item) among the chosen, by session: the first or the last."""
    rows = np.flatnonzero(chosen)
    time = tables.at_unix_s[rows]
    rows = rows[np.argsort(-time if latest else time, kind="stable")]
    _, first = np.unique(session[rows] * tables.n_items + tables.item[rows], return_index=True)
    return rows[first]


def _pairs(left: Ints, right: Ints) -> Iterator[tuple[Ints, Ints]]:
    """Positions of every pair with equal values, both rising; in chunks."""
    begin, end = np.searchsorted(right, left), np.searchsorted(right, left, side="right")
    length = end - begin
    chunk_of = np.cumsum(length) // PAIRS_PER_CHUNK
    for part in np.split(np.arange(len(left)), np.flatnonzero(np.diff(chunk_of)) + 1):
        n = length[part]
        owner = np.repeat(part, n)
        within = np.arange(len(owner)) - np.repeat(np.cumsum(n) - n, n)
        yield owner, begin[owner] + within
