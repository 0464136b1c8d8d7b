"""Items like an item: by its looks, by its words, or taken in its stead."""

from __future__ import annotations

import numpy as np

from engine.errors import DataError
from engine.filters import Filters, allowed_items
from engine.interactions import Floats, Ints
from engine.plain import plain_list
from engine.recommendation import Recommendation
from engine.runtime import Run
from engine.sides import Side
from engine.types import Likeness as Likeness
from retrieval.candidates import Bools, Candidates, Channel, merge, top_rows
from retrieval.fusion import fuse

FUSED_DEPTH = 100
"""How deep each way of being alike is read where all of them are fused."""
COMPARED = 100_000
"""Items that are compared one by one; of more, those that are nearest as a whole."""
SHORTLIST = 2_000
STAND_INS = 500
"""Nearest items of other categories that may stand in where the category holds too few."""
TOGETHER_COUNTS = 0.25
"""What a log lift of one, of two items in one basket, takes from how well one replaces the other:
people who take both do not choose between them."""
NOT_OF_ITS_KIND = 2.0
"""Taken from an item of another category; two cosines apart, so the category comes first."""


REASONS = {
    Likeness.LOOKS: "Looks like {}.",
    Likeness.READS: "Reads like {}.",
    Likeness.INSTEAD: "Taken instead of {}.",
    Likeness.ALL: "Looks, reads and sells like {}.",
}


def similar_items(
    run: Run, row: int, k: int, likeness: Likeness, allowed: Bools
) -> tuple[Channel, Candidates]:
    """The ``k`` items most like one, and which ways of being alike found each.

    Args:
        run: Knows the items.
        row: The item.
        k: Answers at most.
        likeness: In what way; ``ALL`` fuses every way that the item has, by reciprocal rank.
        allowed: bool ``[I]``.

    Raises:
        DataError: The item has no picture, or no words, to be compared by.
    """
    allowed = allowed.copy()
    allowed[row] = False
    if likeness is not Likeness.ALL:
        found = _WAYS[likeness](run, row, k, allowed)
        if found is None:
            lacks = "picture" if likeness is Likeness.LOOKS else "words"
            raise DataError(
                f"item {run.vocabulary.items.id(row)!r} has no {lacks} to be compared by: ask for "
                "another likeness, such as 'all'"
            )
        return found, merge([found])
    depth = max(k, FUSED_DEPTH)
    ways = (find(run, row, depth, allowed) for find in _WAYS.values())
    found_ways = [found for found in ways if found is not None]
    return fuse("similar", found_ways, k), merge(found_ways)


def _looks(run: Run, row: int, k: int, allowed: Bools) -> Channel | None:
    return _by_side(run, run.sides.looks, "looks", row, k, allowed)


def _reads(run: Run, row: int, k: int, allowed: Bools) -> Channel | None:
    return _by_side(run, run.sides.reads, "reads", row, k, allowed)


def _by_side(run: Run, side: Side, name: str, row: int, k: int, allowed: Bools) -> Channel | None:
    vector = side.vector(row)
    if not vector.any():
        return None
    rows = compared_rows(run, run.tables.content[row], allowed)
    return top_rows(name, rows, side.cosines(rows, vector[None])[:, 0], k)


def compared_rows(run: Run, content: Floats, allowed: Bools) -> Ints:
    """Rows worth comparing one by one with an item of this fused vector, int64 ``[N]``."""
    rows = np.flatnonzero(allowed)
    if len(rows) <= COMPARED:
        return rows
    found = run.by_content.search(content[None], SHORTLIST, allowed=rows)
    return np.sort(found.rows[0][found.valid[0]])


def _instead(run: Run, row: int, k: int, allowed: Bools) -> Channel:
    """Of the same category, taken by the same people, and seldom in one basket with it."""
    group, graph = run.world.items.groups[0], run.tables.graph
    rows = np.flatnonzero(allowed & (group == group[row]))
    if len(rows) < k:
        near = run.by_taste.search(graph[row][None], STAND_INS)
        others = near.rows[0][near.valid[0]]
        rows = np.union1d(rows, others[allowed[others]])
    taste = graph[:, 1:]  # the first number says how much an item sells, to whomever
    length = np.linalg.norm(taste[rows], axis=1) * np.linalg.norm(taste[row])
    alike = (taste[rows] @ taste[row]) / np.maximum(length, 1e-9)
    alike += run.tables.content[rows] @ run.tables.content[row]
    together = run.tables.partners.lifts_to(row, rows)
    foreign = np.where(group[rows] == group[row], 0.0, NOT_OF_ITS_KIND)
    scores = alike / 2 - TOGETHER_COUNTS * together - foreign
    return top_rows("instead", rows, scores.astype(np.float32), k)


def similar_list(
    run: Run, item_id: str, k: int, likeness: Likeness, filters: Filters | None
) -> list[Recommendation]:
    """:func:`similar_items` of an item by its id, as a list with a reason.

    Raises:
        UnknownIdError: No such item.
        DataError: As :func:`similar_items`.
    """
    row = run.vocabulary.items.row(item_id)
    found, came_from = similar_items(run, row, k, likeness, allowed_items(run, filters))
    reason = REASONS[likeness].format(run.catalogue[row].title)
    return plain_list(run, found, reason, came_from)


_WAYS = {Likeness.LOOKS: _looks, Likeness.READS: _reads, Likeness.INSTEAD: _instead}
