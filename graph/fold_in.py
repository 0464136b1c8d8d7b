"""Vectors for who and what came after training: in microseconds, without a gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch

from graph.schema import FactTable, Floats, GraphError, Ints
from graph.vectors import (
    MAX_POPULARITY,
    POPULARITY_SHARE,
    TASTE_SHARE,
    join_items,
    split_items,
    taste_length,
    unit_or,
)


def interest(weight: Floats) -> Floats:
    """How much a sum of decayed event weights says about a taste: ``log(1 + w)``, any shape."""
    return np.log1p(weight)


def embed_users(items: Floats, histories: Sequence[Ints], weights: Sequence[Floats]) -> Floats:
    """Users from what they touched: the weighted mean taste of their items.

    Training makes its own users in just this way, so a user met in training, folded in with
    the same history and :func:`interest`, gets the same vector again.

    Args:
        items: Item vectors float32 ``[I, G]`` of :class:`graph.vectors.GraphVectors`.
        histories: For each user the item rows, int64 ``[H]``; may be empty.
        weights: For each user the :func:`interest` of each row, float32 ``[H]``.

    Returns:
        Unit rows, float32 ``[B, G]``; a user without history is offered what sells.
    """
    users = np.zeros((len(histories), items.shape[1]), np.float32)
    for user, rows, weight in zip(users, histories, weights, strict=True):
        touched = items.take(rows, axis=0)
        mean = (weight / taste_length(touched[:, 0])) @ touched[:, 1:]
        length = math.sqrt(mean @ mean)
        if length > 1e-12:
            user[0] = POPULARITY_SHARE
            user[1:] = mean * (TASTE_SHARE / length)
        else:
            user[0] = 1.0
    return users


@dataclass(frozen=True, slots=True)
class ItemMap:
    """A linear map from an item's content and facts to its vector, fitted by ridge regression.

    Shapes, with W = G - 1 and F = D + 1 + tables · (W + 1): ``weights`` float32
    ``[F, G]``, ``centre`` float32 ``[G]``; per fact table the mean taste of each tail's items,
    float32 ``[n_tails, W]``, and which tails have one, bool ``[n_tails]``.
    """

    weights: Floats
    centre: Floats
    relations: tuple[tuple[str, str], ...]
    tail_taste: tuple[Floats, ...]
    tail_known: tuple[np.ndarray[tuple[int], np.dtype[np.bool_]], ...]


def fit_item_map(
    items: Floats,
    known: np.ndarray[tuple[int], np.dtype[np.bool_]],
    content: Floats,
    has_content: np.ndarray[tuple[int], np.dtype[np.bool_]],
    facts: tuple[FactTable, ...],
    *,
    ridge: float = 10.0,
) -> ItemMap:
    """Learn to guess item vectors from what is known of an item before anybody touches it.

    Args:
        items: Item vectors, float32 ``[I, G]``.
        known: Items whose vector rests on events and is worth learning from, bool ``[I]``.
        content: Content vectors, float32 ``[I, D]``; rows without content are ignored.
        has_content: bool ``[I]``.
        facts: Fact tables; the mean taste of the other items of a tail is the feature.
        ridge: Penalty, in items: how many must speak for a weight before it is believed.

    Raises:
        GraphError: No item is known.
    """
    if not known.any():
        raise GraphError("no item has events: there are no vectors to learn from")
    taste, popularity = split_items(items)
    taste = np.where(known[:, None], taste, 0.0).astype(np.float32)
    tables = [_tail_tastes(table, taste, known) for table in facts]
    blocks = [
        # An item must not see itself in its category, or the map would learn to copy.
        _fact_features(table, len(items), sums, counts, own=(taste, known))
        for table, (sums, counts) in zip(facts, tables, strict=True)
    ]
    x = np.hstack([_content_features(content, has_content), *blocks])[known]
    y = np.hstack([popularity[:, None], taste])[known]
    centre = y.mean(axis=0)
    gram = (x.T @ x).astype(np.float64) + ridge * np.eye(x.shape[1])
    weights = np.linalg.solve(gram, x.T @ (y - centre)).astype(np.float32)
    return ItemMap(
        weights,
        centre.astype(np.float32),
        tuple((str(t.relation), str(t.tail_type)) for t in facts),
        tuple(
            (sums / np.maximum(counts, 1e-12)[:, None]).astype(np.float32)
            for sums, counts in tables
        ),
        tuple(counts > 0 for _, counts in tables),
    )


def embed_new_items(
    item_map: ItemMap,
    content: Floats,
    has_content: np.ndarray[tuple[int], np.dtype[np.bool_]],
    facts: tuple[FactTable, ...],
) -> Floats:
    """Vectors of items that nobody touched yet, from their content and place in the graph.

    One product per batch and no training: a new item can be recommended as soon as it is known.

    Args:
        item_map: From :func:`fit_item_map`.
        content: float32 ``[B, D]``.
        has_content: bool ``[B]``.
        facts: The tables that the map was fitted with, in the same order; ``head_rows`` are
            rows of this batch.

    Returns:
        Unit rows, float32 ``[B, G]``.

    Raises:
        GraphError: The tables are others than the map was fitted with.
    """
    given = tuple((str(t.relation), str(t.tail_type)) for t in facts)
    if given != item_map.relations:
        raise GraphError(f"facts {given} given, the map was fitted with {item_map.relations}")
    blocks = [
        _fact_features(table, len(content), mean * known[:, None], known.astype(np.float32))
        for table, mean, known in zip(facts, item_map.tail_taste, item_map.tail_known, strict=True)
    ]
    x = np.hstack([_content_features(content, has_content), *blocks])
    guess = torch.from_numpy((x @ item_map.weights + item_map.centre).astype(np.float32))
    centre = torch.from_numpy(item_map.centre[1:])
    first = torch.nn.functional.one_hot(torch.tensor(0), len(centre)).float()
    taste = unit_or(guess[:, 1:], unit_or(centre[None], first)[0])
    vectors: Floats = join_items(taste, guess[:, 0].clamp(0, MAX_POPULARITY)).numpy()
    return vectors


embed_items = embed_new_items
"""The earlier name."""


def _content_features(
    content: Floats, has_content: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> Floats:
    shown = np.where(has_content[:, None], content, 0.0)
    return np.hstack([shown, has_content[:, None]]).astype(np.float32)


def _tail_tastes(
    table: FactTable, taste: Floats, known: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> tuple[Floats, Floats]:
    """Weighted sum of the tastes at each tail ``[n_tails, W]`` and the weight in it."""
    heads = sp.csr_array(
        (table.weight, (table.tail_rows, table.head_rows)), shape=(table.n_tails, len(taste))
    )
    return heads @ taste, np.asarray(heads @ known.astype(np.float32))


def _fact_features(
    table: FactTable,
    n_heads: int,
    sums: Floats,
    counts: Floats,
    *,
    own: tuple[Floats, np.ndarray[tuple[int], np.dtype[np.bool_]]] | None = None,
) -> Floats:
    """Mean taste at an item's tails, without its own, and whether there is one: ``[n, W + 1]``."""
    head, tail, weight = table.head_rows, table.tail_rows, table.weight
    there, count = sums[tail], counts[tail]
    if own is not None:
        taste, known = own
        there = there - weight[:, None] * taste[head]
        count = count - weight * known[head]
    speaks = count > 1e-6
    pick = sp.csr_array((speaks * weight, (head, np.arange(len(head)))), shape=(n_heads, len(head)))
    total: Floats = np.asarray(pick.sum(axis=1)).ravel()
    mean = (pick @ (there / np.maximum(count, 1e-6)[:, None])) / np.maximum(total, 1e-12)[:, None]
    return np.hstack([mean, (total > 0)[:, None]]).astype(np.float32)
