"""New vectors from the newest events, starting from those of an earlier training.

Training a network over the graph again would find nearly the same vectors again. What has
changed between two moments shows in the closed form (:mod:`graph.spectral`): so it is made for
both, by a few rounds of subspace iteration from the vectors that are there, and every learned
vector moves by as much as its closed form did.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from graph.config import GraphConfig
from graph.fold_in import embed_items, embed_users, fit_item_map, interest
from graph.schema import Floats, GraphError, GraphTables, decayed_weight
from graph.validation import holdout, recall
from graph.vectors import MAX_POPULARITY, split_items

ROUNDS = 2
"""Of subspace iteration. Complete Journey, 84 days of events: Recall@20 of new items 0.0292 after
2 rounds, 0.0293 after 4, 0.0272 with the exact factors, whose tail is noise."""
SPARE = 8
"""Random directions beside the earlier ones, for what is new."""
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier training left."""

    items: Floats
    """Item vectors, float32 ``[I, G]``, laid out as :mod:`graph.vectors` says."""
    as_of_unix_s: int
    """The moment that they were learned at."""


@dataclass(frozen=True, slots=True)
class Freshness:
    """Recall@K of the items that users newly turn to, by vectors that are less and more new."""

    stale: float
    """Of the earlier vectors as they were."""
    refreshed: float
    """Of :func:`refresh_items`."""
    retrained: float
    """Of a full training at the same moment."""
    n_users: int
    k: int


@dataclass(frozen=True, slots=True)
class _Closed:
    """The closed form at a moment: tastes ``[I, W]`` (zero where cold) and popularity ``[I]``.

    ``basis`` float32 ``[I, W]`` has orthonormal columns, which the tastes are scaled rows of.
    """

    basis: Floats
    taste: Floats
    warm: NDArray[np.bool_]
    popularity: Floats


def refresh_items(
    earlier: Earlier,
    tables: GraphTables,
    content: Floats,
    has_content: NDArray[np.bool_],
    config: GraphConfig,
    *,
    as_of_unix_s: int,
    seed: int,
) -> Floats:
    r"""Item vectors at a later moment, in the space of the earlier ones.

    .. math::
        d_i' \propto d_i + (c_i' Q' - c_i) Q, \qquad p_i' = p_i + \lambda (\pi_i' - \pi_i)

    with the unit taste ``d`` and popularity ``p`` of the earlier vectors, the closed form's taste
    ``c`` and popularity ``π`` then and, dashed, now; ``Q'`` rotates the closed form of now to that
    of then, ``Q`` that of then to the earlier vectors (orthogonal Procrustes), and ``λ`` is how
    much of ``π`` they hold (least squares). An item that had no events then takes ``c' Q' Q``; one
    that has none now is guessed from its content and facts.

    Args:
        earlier: Vectors of the same items at an earlier moment.
        tables: Events up to now; those from ``as_of_unix_s`` on are ignored.
        content: Content vectors, float32 ``[I, D]``.
        has_content: bool ``[I]``.
        config: Settings of the training that made the earlier vectors.
        as_of_unix_s: The present moment.
        seed: Of the closed form.

    Returns:
        Unit rows, float32 ``[I, G]``.

    Raises:
        GraphError: The vectors are of other items or of another width, or of a later moment.
    """
    _check(earlier, tables, config, as_of_unix_s)
    past = tables.until(as_of_unix_s)
    taste, popularity = split_items(earlier.items)
    then = _closed_form(past, earlier.as_of_unix_s, config, taste, seed)
    now = _closed_form(past, as_of_unix_s, config, then.basis, seed)
    known = then.warm & now.warm
    before = then.taste @ _rotation(then.taste[known], taste[known])
    after = now.taste @ _rotation(now.taste[known], before[known])
    moved = np.where(known[:, None], taste + after - before, after)
    held = _slope(then.popularity[known], popularity[known])
    risen = popularity + held * (now.popularity - then.popularity)
    sold = np.where(known, risen, held * now.popularity).clip(0, MAX_POPULARITY)
    items = _joined(moved, sold.astype(np.float32), now.warm, taste)
    return _with_cold(items, now.warm, past, content, has_content)


def freshness(
    tables: GraphTables,
    candidates: tuple[Floats, Floats, Floats],
    config: GraphConfig,
    *,
    cut_unix_s: int,
    seed: int,
) -> Freshness:
    """How well stale, refreshed and retrained vectors find what users turn to from a cut on.

    A user is the same mean of what they touched before the cut under each, as in serving: the
    vectors of the items alone may be old.

    Args:
        tables: Events before the cut, and those from it on that are the question.
        candidates: Stale, refreshed and retrained item vectors, each float32 ``[I, G]``.
        config: Its ``validation_k`` and ``validation_users`` shape the question.
        cut_unix_s: The moment; the vectors must have seen nothing from it on.
        seed: Draws the users where there are more than the configuration asks.
    """
    pairs = _interest(tables.until(cut_unix_s), cut_unix_s, config)
    after = tables.where(tables.at_unix_s >= cut_unix_s)
    held = holdout(pairs, after, config, np.random.default_rng(seed))
    spans = [slice(a, b) for a, b in zip(pairs.indptr[:-1], pairs.indptr[1:], strict=True)]
    rows = [pairs.indices[span].astype(np.int64) for span in spans]
    weights = [pairs.data[span].astype(np.float32) for span in spans]
    stale, refreshed, retrained = (
        recall(embed_users(items, rows, weights), items, held, config.validation_k)
        for items in candidates
    )
    return Freshness(stale, refreshed, retrained, len(held), config.validation_k)


def _check(earlier: Earlier, tables: GraphTables, config: GraphConfig, as_of_unix_s: int) -> None:
    expected = (tables.n_items, config.width)
    if earlier.items.shape != expected:
        raise GraphError(
            f"earlier vectors have shape {earlier.items.shape}, expected {expected}: give one for "
            "every item, of the configuration's width"
        )
    if earlier.as_of_unix_s > as_of_unix_s:
        raise GraphError(
            f"earlier vectors are of {earlier.as_of_unix_s}, which is after {as_of_unix_s}: only "
            "a later moment can be reached from them"
        )


def _closed_form(
    tables: GraphTables, as_of_unix_s: int, config: GraphConfig, start: Floats, seed: int
) -> _Closed:
    past = tables.until(as_of_unix_s)
    pairs = _interest(past, as_of_unix_s, config)
    basis, strength = leading_factors(pairs, start, seed=seed)
    warm = np.asarray(pairs.sum(axis=0)).ravel() > 0
    return _Closed(basis, _unit(basis * strength), warm, _popularity(past, as_of_unix_s, config))


def leading_factors(
    pairs: sp.csr_array, start: Floats, *, seed: int, rounds: int = ROUNDS
) -> tuple[Floats, Floats]:
    r"""Leading item factors of the degree-normalised interactions, from nearly right ones.

    .. math:: X \leftarrow \mathrm{orth}(\tilde R^\top \tilde R X)

    Block subspace iteration (Halko et al. 2011): each round costs two sparse products.

    Args:
        pairs: Non-negative weights, ``[U, I]``.
        start: Where the factors were, float32 ``[I, W]``.
        seed: Of the spare directions.
        rounds: More come nearer to the exact factors.

    Returns:
        Orthonormal columns float32 ``[I, W]``, and their singular values float32 ``[W]``, falling.
    """
    n_items, width = start.shape
    normalised = _normalised(pairs)
    spare = np.random.default_rng(seed).standard_normal((n_items, SPARE), dtype=np.float32)
    block = np.hstack([start, spare * (np.abs(start).mean() + _TINY)])
    for _ in range(rounds):
        block, _ = np.linalg.qr(normalised.T @ (normalised @ block))
    _, strength, turn = np.linalg.svd(normalised @ block, full_matrices=False)
    basis: Floats = (block @ turn.T)[:, :width].astype(np.float32)
    basis[np.asarray(pairs.sum(axis=0)).ravel() == 0] = 0.0
    return basis, strength[:width].astype(np.float32)


def _normalised(pairs: sp.csr_array) -> sp.csr_array:
    left, right = (
        np.maximum(np.asarray(pairs.sum(axis=axis)).ravel(), _TINY) ** -0.5 for axis in (1, 0)
    )
    scaled = sp.diags_array(left) @ pairs @ sp.diags_array(right)
    return sp.csr_array(scaled, dtype=np.float32)


def _interest(tables: GraphTables, as_of_unix_s: int, config: GraphConfig) -> sp.csr_array:
    """Interest of users in items, ``[U, I]``, as the graph's ``interacted`` edges carry it."""
    weight = decayed_weight(tables, as_of_unix_s=as_of_unix_s, half_life_days=config.half_life_days)
    shape = (tables.n_users, tables.n_items)
    summed = sp.coo_array((weight, (tables.user, tables.item)), shape=shape).tocsr()
    return sp.csr_array((interest(summed.data), summed.indices, summed.indptr), shape=shape)


def _popularity(tables: GraphTables, as_of_unix_s: int, config: GraphConfig) -> Floats:
    """Logarithm of recent decayed weight, scaled to 1 for the best seller, float32 ``[I]``."""
    weight = decayed_weight(
        tables, as_of_unix_s=as_of_unix_s, half_life_days=config.popularity_half_life_days
    )
    sold = np.log1p(np.bincount(tables.item, weight, minlength=tables.n_items))
    return (sold / max(float(sold.max(initial=0.0)), _TINY)).astype(np.float32)


def _rotation(closed: Floats, learned: Floats) -> Floats:
    """Orthogonal ``[W, W]`` that brings rows of the closed form nearest to the learned ones."""
    u, _, vt = np.linalg.svd(closed.T @ learned)
    rotation: Floats = (u @ vt).astype(np.float32)
    return rotation


def _slope(closed: Floats, learned: Floats) -> float:
    """How much of the closed form's popularity the learned one holds."""
    return float(closed @ learned) / max(float(closed @ closed), _TINY)


def _unit(vectors: Floats) -> Floats:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Floats = (vectors / np.maximum(length, _TINY)).astype(np.float32)
    return unit


def _joined(
    taste: Floats, popularity: Floats, warm: NDArray[np.bool_], earlier_taste: Floats
) -> Floats:
    """Item vectors ``[I, G]``; where no taste is left, that of before."""
    unit = _unit(taste)
    unit = np.where((warm & unit.any(axis=1))[:, None], unit, earlier_taste)
    rest = np.sqrt(1 - popularity**2)
    return np.hstack([popularity[:, None], rest[:, None] * unit]).astype(np.float32)


def _with_cold(
    items: Floats,
    warm: NDArray[np.bool_],
    tables: GraphTables,
    content: Floats,
    has_content: NDArray[np.bool_],
) -> Floats:
    """The same vectors with those of untouched items guessed from content and facts."""
    if warm.all() or not warm.any():
        return items
    facts = tables.item_facts
    guessing = fit_item_map(items, warm, content, has_content, facts)
    guess, _ = split_items(embed_items(guessing, content, has_content, facts))
    items = items.copy()
    items[~warm, 0] = 0.0
    items[~warm, 1:] = guess[~warm]
    return items
