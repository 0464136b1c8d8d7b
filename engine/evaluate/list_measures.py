"""What one list is worth besides its hits: float64 ``[B]``, NaN where a request has no value."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from engine.evaluate import metrics
from engine.evaluate.items import ItemFacts, Renown
from engine.evaluate.protocol import EvaluationSet, Ranked
from engine.interactions import Floats, Ints

PerRequest = NDArray[np.float64]

CHUNK = 256
"""Requests at a time, so that memory does not grow with them."""
SMOOTHING = 0.01
"""Share of the history's mix that is lent to a list, as its own may lack a category (Steck)."""


def novelty(ranked: Ranked, renown: Renown) -> PerRequest:
    """Mean of -log2 of the share of users who had each answer before the cut, in bits.

    Zhou et al., "Solving the apparent diversity-accuracy dilemma of recommender systems", PNAS
    2010. An item that nobody had counts as had by one.
    """
    users = np.maximum(renown.n_users[ranked.rows], 1)
    bits = np.log2(max(renown.n_asking, 1) / users)
    return _mean(np.where(ranked.valid, bits, 0.0).sum(axis=1), ranked.valid.sum(axis=1))


def diversity(ranked: Ranked, vectors: Floats | None) -> PerRequest:
    """Mean of 1 less the cosine over the pairs of a list, of answers whose vector is known.

    Ziegler et al., "Improving recommendation lists through topic diversification", WWW 2005.

    Args:
        ranked: Lists; those with fewer than two known vectors have no value.
        vectors: float32 ``[I, D]``, of any length, zero where not known; None: of no item.
    """
    found = np.full(len(ranked.rows), np.nan)
    if vectors is None:
        return found
    for part in _chunks(len(found)):
        own = vectors[ranked.rows[part]].astype(np.float64)
        length = np.linalg.norm(own, axis=2)
        known = ranked.valid[part] & (length > 0)
        own = np.where(known[:, :, None], own / np.where(known, length, 1.0)[:, :, None], 0.0)
        n = known.sum(axis=1)
        # The square of a sum of unit vectors is n plus twice the sum of the pairs' cosines.
        cosines = (np.square(own.sum(axis=1)).sum(axis=1) - n) / 2
        found[part] = 1.0 - _mean(cosines, n * (n - 1) / 2)
    return found


def serendipity(ranked: Ranked, asked: EvaluationSet, renown: Renown, k: int) -> PerRequest:
    """Share of the answers that are targets and not among the ``k`` that popularity would give.

    Ge, Delgado-Battenfeld and Jannach, "Beyond accuracy: evaluating recommender systems by
    coverage and serendipity", RecSys 2010.
    """
    useful = metrics.hits(ranked.rows, ranked.valid, asked.targets)
    return _mean((useful & ~_expected(ranked, asked, renown, k)).sum(axis=1), ranked.valid.sum(1))


def miscalibration(ranked: Ranked, asked: EvaluationSet, items: ItemFacts) -> PerRequest:
    """Kullback-Leibler divergence of a list's categories from its user's history, in nats.

    Steck, "Calibrated recommendations", RecSys 2018. Every event of the history counts once. A
    user without a history and a list without a category have no value.
    """
    found = np.full(len(ranked.rows), np.nan)
    n_categories = len(items.category_names)
    had = asked.had()
    taken = sp.csr_array(
        (np.ones(len(had)), (had.user, items.category[had.item])),
        shape=(had.n_users, n_categories),
    )
    for part in _chunks(len(found)):
        past = _shares(taken[asked.requests.user[part]].toarray())
        category = np.where(ranked.valid[part], items.category[ranked.rows[part]], 0)
        n = len(category)
        codes = (np.arange(n)[:, None] * n_categories + category).ravel()
        counts = np.bincount(codes, minlength=n * n_categories).reshape(n, n_categories)
        listed = _shares(counts.astype(np.float64))
        mixed = (1 - SMOOTHING) * listed + SMOOTHING * past
        terms = np.zeros_like(past)
        np.log(past / np.where(mixed > 0, mixed, 1.0), out=terms, where=past > 0)
        no_value = (past.sum(axis=1) == 0) | (listed.sum(axis=1) == 0)
        found[part] = np.where(no_value, np.nan, (past * terms).sum(axis=1))
    return found


def _expected(ranked: Ranked, asked: EvaluationSet, renown: Renown, k: int) -> NDArray[np.bool_]:
    """Which answers popularity would give as well, bool ``[B, K]``."""
    rows = np.flatnonzero(asked.candidates)
    order = rows[np.argsort(-renown.n_users[rows], kind="stable")]
    if not asked.new_only:
        return np.isin(ranked.rows, order[:k])
    place = np.full(len(asked.candidates), len(order), np.int64)
    place[order] = np.arange(len(order))
    found = np.zeros(ranked.rows.shape, np.bool_)
    for part in _chunks(len(found)):
        request = np.arange(len(found), dtype=np.int64)[part]
        # Every item before the answer in the order of popularity, less those that the user had.
        ahead = place[ranked.rows[part]] - _had_ahead(asked, request, place, ranked.rows[part])
        found[part] = ahead < k
    return found


def _had_ahead(asked: EvaluationSet, request: Ints, place: Ints, rows: Ints) -> Ints:
    """How many candidates before each answer its user already had, int64 ``[B, K]``."""
    had = asked.had()
    told_to, told = asked.told_items()
    counts = np.zeros(rows.shape, np.int64)
    offsets = had.user_offsets()
    for at, row in enumerate(request):
        user = asked.requests.user[row]
        own = had.item[offsets[user] : offsets[user + 1]]
        own = np.unique(np.concatenate([own, told[told_to == row]]))
        places = np.sort(place[own[asked.candidates[own]]])
        counts[at] = np.searchsorted(places, place[rows[at]])
    return counts


def _shares(counts: PerRequest) -> PerRequest:
    """Counts ``[B, N]`` as shares of their row, without code 0, which is no category."""
    counts[:, 0] = 0.0
    total = counts.sum(axis=1, keepdims=True)
    return counts / np.where(total > 0, total, 1.0)


def _mean(total: PerRequest | Ints, n: PerRequest | Ints) -> PerRequest:
    mean: PerRequest = np.full(len(total), np.nan)
    np.divide(total, n, out=mean, where=n > 0)
    return mean


def _chunks(n: int) -> Iterator[slice]:
    for start in range(0, n, CHUNK):
        yield slice(start, start + CHUNK)
