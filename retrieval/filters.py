"""Filters over items: what a shopper may narrow by, resolved to the rows that remain.

Columns are arrays over item rows; categories are numbered in preorder, so that everything below
one is a range of numbers.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from retrieval.index.allowed import Allowed

Rows = NDArray[np.int64]
Bools = NDArray[np.bool_]
NO_CATEGORY = -1
_WORD = 64


@dataclass(frozen=True, slots=True, eq=False)
class CategoryTree:
    """Categories in preorder: a category, then all that is below it, then the next."""

    ends: Rows
    """int64 ``[C]``: one past the last category below each; ``c + 1`` where there is none."""

    @classmethod
    def of(cls, parents: Sequence[int] | Rows) -> tuple[CategoryTree, Rows]:
        """Number categories in preorder, siblings in the order given.

        Args:
            parents: ``[C]``: the parent of each category, -1 for those at the top.

        Returns:
            The tree, and the new number of each category, int64 ``[C]``.

        Raises:
            ValueError: A parent is unknown, or a category lies below itself.
        """
        parent = np.asarray(parents, np.int64)
        n = len(parent)
        if n and not ((parent >= -1) & (parent < n)).all():
            raise ValueError(f"parents: got one outside -1 .. {n - 1}, expected known categories")
        below: list[list[int]] = [[] for _ in range(n + 1)]
        for child, above in enumerate(parent.tolist()):
            below[above].append(child)  # -1 is the last list: the root
        number, ends = np.full(n, -1), np.zeros(n, np.int64)
        stack, count = [(child, False) for child in reversed(below[-1])], 0
        while stack:
            category, left = stack.pop()
            if left:
                ends[number[category]] = count
                continue
            number[category] = count
            count += 1
            stack.append((category, True))
            stack.extend((child, False) for child in reversed(below[category]))
        if count < n:
            lost = int(np.flatnonzero(number < 0)[0])
            raise ValueError(f"parents: got category {lost} below itself, expected a tree")
        return cls(ends), number


@dataclass(frozen=True, slots=True, eq=False)
class ItemColumns:
    """What items can be filtered by; every array is over item rows ``[I]``."""

    category: Rows
    """int64: preorder number, -1 for none."""
    tree: CategoryTree
    brand: Rows
    """int64: brand row, -1 for none."""
    price: NDArray[np.float64]
    """In the shop's currency; NaN for unknown, which no price range holds."""
    available: Bools
    attributes: NDArray[np.uint64]
    """uint64 ``[I, ceil(A / 64)]``: a bit per attribute value, see :func:`attribute_bits`."""

    def __post_init__(self) -> None:
        lengths = {
            field.name: len(getattr(self, field.name))
            for field in fields(self)
            if field.name != "tree"
        }
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns: got lengths {lengths}, expected one length for all")

    def __len__(self) -> int:
        return len(self.category)


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """What an item must meet to remain; a condition that is None or empty asks for nothing.

    Rows and values are numbers; two filters that ask the same are equal.
    """

    categories: tuple[int, ...] = ()
    """In one of these, or below it: preorder numbers."""
    brands: tuple[int, ...] = ()
    """Of one of these."""
    price_from: float | None = None
    """At least this."""
    price_to: float | None = None
    """At most this."""
    available: bool | None = None
    """Available, or not."""
    attributes_all: tuple[int, ...] = ()
    """Has every one of these attribute values."""
    attributes_any: tuple[int, ...] = ()
    """Has one of these at least."""
    only: tuple[int, ...] | None = None
    """Among these item rows; an empty tuple leaves nothing."""
    exclude: tuple[int, ...] = ()
    """Not among these item rows."""

    def __post_init__(self) -> None:
        low, high = self.price_from, self.price_to
        if low is not None and high is not None and low > high:
            raise ValueError(f"price: got {low} to {high}, expected the lower end first")


def attribute_bits(items: Rows, values: Rows, n_items: int, n_values: int) -> NDArray[np.uint64]:
    """Bitsets of attribute values: uint64 ``[I, ceil(A / 64)]``.

    Args:
        items: int64 ``[n]``: the item of each pair.
        values: int64 ``[n]``: the value that it has, ``0 .. A - 1``.
        n_items: I.
        n_values: A.
    """
    bits = np.zeros((n_items, -(-n_values // _WORD)), np.uint64)
    one = np.left_shift(np.uint64(1), (values % _WORD).astype(np.uint64))
    np.bitwise_or.at(bits, (items, values // _WORD), one)
    return bits


def matching(columns: ItemColumns, wanted: ItemFilter) -> Bools:
    """Which items meet every condition: bool ``[I]``.

    Raises:
        ValueError: A category, attribute value or item row does not exist.
    """
    kept = np.ones(len(columns), np.bool_)
    if wanted.only is not None:
        kept[:] = False
        kept[_known(wanted.only, len(columns), "only")] = True
    if wanted.categories:
        kept &= _in_subtrees(columns, wanted.categories)
    if wanted.brands:
        kept &= np.isin(columns.brand, wanted.brands)
    if wanted.price_from is not None:
        kept &= columns.price >= wanted.price_from
    if wanted.price_to is not None:
        kept &= columns.price <= wanted.price_to
    if wanted.available is not None:
        kept &= columns.available == wanted.available
    if wanted.attributes_all:
        mask = _mask(columns, wanted.attributes_all)
        kept &= ((columns.attributes & mask) == mask).all(axis=1)
    if wanted.attributes_any:
        kept &= (columns.attributes & _mask(columns, wanted.attributes_any)).any(axis=1)
    kept[_known(wanted.exclude, len(columns), "exclude")] = False
    return kept


def resolve(columns: ItemColumns, wanted: ItemFilter) -> Allowed:
    """The rows that a filter leaves, for :meth:`retrieval.index.base.VectorIndex.search`.

    Raises:
        ValueError: A category, attribute value or item row does not exist.
    """
    return Allowed(np.flatnonzero(matching(columns, wanted)))


class Filters:
    """Resolves filters over one set of columns and remembers the last ones.

    A filter that is asked again costs a look-up here and nothing in the index. Safe between
    threads. Columns that change are a new object of this class.
    """

    def __init__(self, columns: ItemColumns, *, remembered: int = 256) -> None:
        """Begin with nothing remembered.

        Args:
            columns: What is filtered by.
            remembered: How many filters; each holds about 8 bytes per row that it leaves.
        """
        if remembered < 1:
            raise ValueError(f"remembered: got {remembered}, expected at least 1")
        self._columns = columns
        self._remembered = remembered
        self._known: OrderedDict[ItemFilter, Allowed] = OrderedDict()
        self._lock = Lock()

    def __call__(self, wanted: ItemFilter) -> Allowed:
        """The rows that a filter leaves.

        Raises:
            ValueError: A category, attribute value or item row does not exist.
        """
        with self._lock:
            known = self._known.get(wanted)
            if known is not None:
                self._known.move_to_end(wanted)
                return known
        found = resolve(self._columns, wanted)
        with self._lock:
            self._known[wanted] = found
            while len(self._known) > self._remembered:
                self._known.popitem(last=False)
        return found


def _in_subtrees(columns: ItemColumns, categories: tuple[int, ...]) -> Bools:
    starts = _known(categories, len(columns.tree.ends), "categories")
    kept = np.zeros(len(columns), np.bool_)
    for start, end in zip(starts.tolist(), columns.tree.ends[starts].tolist(), strict=True):
        kept |= (columns.category >= start) & (columns.category < end)
    return kept


def _mask(columns: ItemColumns, values: tuple[int, ...]) -> NDArray[np.uint64]:
    words = columns.attributes.shape[1]
    at = _known(values, words * _WORD, "attributes")
    mask: NDArray[np.uint64] = attribute_bits(np.zeros_like(at), at, 1, words * _WORD)[0]
    return mask


def _known(rows: tuple[int, ...], n: int, name: str) -> Rows:
    array = np.array(rows, np.int64)
    strange = array[(array < 0) | (array >= n)]
    if strange.size:
        raise ValueError(f"{name}: got {strange[0]}, expected numbers from 0 to {n - 1}")
    return array
