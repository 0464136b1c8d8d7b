"""Neighbours of the past: sampled edges that are all older than a moment.

PyG's ``NeighborLoader`` can hand a step edges of its own future (pyg-team/pytorch_geometric
#7794). Here rows are sorted by time, so that the past of any moment is a prefix of each row, and
nothing else can be drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from graph.schema import Floats, Ints

ALWAYS = np.iinfo(np.int64).min
"""Time of an edge that was true before anything happened, such as a brand."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Sampled edges, ``row`` being the position of the listening node in the rows asked for.

    Shapes: ``row``, ``neighbour``, ``at_unix_s`` int64 ``[M]``; ``weight`` float32 ``[M]``.
    """

    row: Ints
    neighbour: Ints
    weight: Floats
    at_unix_s: Ints


@dataclass(frozen=True, slots=True)
class TimedRows:
    """Edges by the node that hears them, oldest first.

    Shapes: ``indptr`` int64 ``[N + 1]``; ``neighbour`` and ``at_unix_s`` int64, ``weight``
    float32, all ``[M]``; times rise within a row.
    """

    indptr: Ints
    neighbour: Ints
    weight: Floats
    at_unix_s: Ints
    n_neighbours: int

    @classmethod
    def of(cls, weights: sp.coo_array, at_unix_s: Ints | None) -> TimedRows:
        """From a sparse ``[N, S]`` and the time of each of its entries, or None for always."""
        node, neighbour = (np.asarray(rows, np.int64) for rows in weights.coords)
        at = np.full(len(node), ALWAYS) if at_unix_s is None else at_unix_s.astype(np.int64)
        order = np.lexsort((at, node))
        counts = np.bincount(node, minlength=weights.shape[0])
        return cls(
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            neighbour[order],
            weights.data[order].astype(np.float32),
            at[order],
            weights.shape[1],
        )

    def before(self, rows: Ints, moment_unix_s: int) -> Ints:
        """How many edges of each row are older than a moment, int64 like ``rows``."""
        low, high = self.indptr[rows], self.indptr[rows + 1]
        start = low.copy()
        while (low < high).any():
            middle = (low + high) // 2
            # A row that is done reads any place: its comparison is not used.
            older = self.at_unix_s[np.minimum(middle, len(self.at_unix_s) - 1)] < moment_unix_s
            undone = low < high
            low = np.where(undone & older, middle + 1, low)
            high = np.where(undone & ~older, middle, high)
        return low - start

    def sample(
        self, rows: Ints, moment_unix_s: int, fanout: int, rng: np.random.Generator
    ) -> Sample:
        """At most ``fanout`` different edges of each row, all older than a moment.

        A row of more is cut into ``fanout`` equal stretches of time, and each gives one edge.

        Args:
            rows: Nodes that listen, int64 ``[n]``.
            moment_unix_s: Edges at or after it do not exist yet.
            fanout: Edges per row at most.
            rng: Draws them.
        """
        there = self.before(rows, moment_unix_s)
        taken = np.minimum(there, fanout)
        row = np.repeat(np.arange(len(rows)), taken)
        stretch = np.arange(len(row)) - np.repeat(np.cumsum(taken) - taken, taken)
        per_row, n = there[row], taken[row]
        low, high = stretch * per_row // n, (stretch + 1) * per_row // n
        place = self.indptr[rows[row]] + rng.integers(low, high)
        return Sample(row, self.neighbour[place], self.weight[place], self.at_unix_s[place])
