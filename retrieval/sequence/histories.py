"""Users' events as compressed rows, and batches of them as padded tensors.

Alphabet: U users, E events, B batch, T longest history of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Padded:
    """Histories of a batch, the oldest event first, padded at the end.

    Shapes: ``item``, ``at_unix_s`` int64 ``[B, T]`` (0 where padded); ``valid`` bool ``[B, T]``.
    """

    item: Tensor
    at_unix_s: Tensor
    valid: Tensor

    def to(self, device: torch.device) -> Padded:
        """The same on another device."""
        return Padded(self.item.to(device), self.at_unix_s.to(device), self.valid.to(device))


@dataclass(frozen=True, slots=True, eq=False)
class Histories:
    """Events of U users, each user's in order of time.

    Shapes: ``starts`` int64 ``[U + 1]``; ``item``, ``at_unix_s`` int64 ``[E]``. User ``u`` has the
    events ``starts[u]:starts[u + 1]``. Times are whole seconds: float32 cannot tell two events of
    a minute apart, and would put them in the wrong order.
    """

    starts: Rows
    item: Rows
    at_unix_s: Rows

    @classmethod
    def of(cls, user: Rows, item: Rows, at_unix_s: Rows, *, n_users: int) -> Histories:
        """Sort events ``[E]`` by user and time; equal times keep their order.

        Raises:
            ValueError: Unequal lengths, or a user outside ``0..n_users-1``.
        """
        if not len(user) == len(item) == len(at_unix_s):
            raise ValueError(
                f"histories: got {len(user)} users, {len(item)} items and {len(at_unix_s)} times, "
                "expected equally many"
            )
        if len(user) and not (user.min() >= 0 and user.max() < n_users):
            raise ValueError(
                f"histories: got users {user.min()}..{user.max()}, expected 0..{n_users - 1}"
            )
        order = np.lexsort((at_unix_s, user))
        counts = np.bincount(user, minlength=n_users)
        starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return cls(starts, item[order], at_unix_s[order])

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> Rows:
        """Events per user, int64 ``[U]``."""
        return np.diff(self.starts)

    def without_last(self, n: int) -> Histories:
        """The same users without the last ``n`` events of each."""
        kept = np.maximum(self.lengths - n, 0)
        return self._first(kept)

    def until(self, at_unix_s: int) -> Histories:
        """The same users without what happened at or after a moment."""
        before = np.concatenate([[0], np.cumsum(self.at_unix_s < at_unix_s)])
        return self._first(before[self.starts[1:]] - before[self.starts[:-1]])

    def windows(self, n: int) -> Histories:
        """Every history in pieces of at most ``n`` events, as if each were a user.

        Pieces are counted from the end of a history, and each begins with the event that ends the
        one before: every event but the first of a user follows another in exactly one piece.
        """
        pieces = np.maximum(-(-(self.lengths - 1) // (n - 1)), 1)
        owner = np.repeat(np.arange(len(self)), pieces)
        to_go = np.repeat(np.cumsum(pieces), pieces) - np.arange(len(owner)) - 1
        end = self.lengths[owner] - to_go * (n - 1)
        begin = np.maximum(end - n, 0)
        return self._cut(self.starts[owner] + begin, end - begin)

    def last_item(self) -> Rows:
        """The last item of each user, int64 ``[U]``; -1 for users without events."""
        if not len(self.item):
            return np.full(len(self), -1, np.int64)
        at = np.maximum(self.starts[1:] - 1, 0)
        return np.where(self.lengths > 0, self.item[at], -1)

    def padded(self, users: Rows, max_events: int) -> Padded:
        """The last ``max_events`` events of some users (int64 ``[B]``)."""
        lengths = np.minimum(self.lengths[users], max_events)
        width = int(lengths.max(initial=1))
        steps = np.arange(width)
        valid = steps < lengths[:, None]
        at = np.where(valid, (self.starts[users + 1] - lengths)[:, None] + steps, 0)
        empty = not len(self.item)
        item = np.zeros_like(at) if empty else np.where(valid, self.item[at], 0)
        time = np.zeros_like(at) if empty else np.where(valid, self.at_unix_s[at], 0)
        return Padded(*(torch.from_numpy(array) for array in (item, time, valid)))

    def _first(self, kept: Rows) -> Histories:
        return self._cut(self.starts[:-1], kept)

    def _cut(self, begin: Rows, lengths: Rows) -> Histories:
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        at = np.repeat(begin - starts[:-1], lengths) + np.arange(starts[-1])
        return Histories(starts, self.item[at], self.at_unix_s[at])


def batches(lengths: Rows, size: int, rng: np.random.Generator) -> Iterator[Rows]:
    """Users with at least two events in random batches of like lengths, so that little is padded.

    Args:
        lengths: Events per user, int64 ``[U]``.
        size: Users per batch.
        rng: Order of users within a length, and of batches.
    """
    users = np.flatnonzero(lengths >= 2)
    # A little noise keeps the same people from meeting in every epoch.
    noisy = lengths[users] * rng.uniform(0.8, 1.25, len(users))
    users = users[np.argsort(noisy, kind="stable")]
    chunks = [users[start : start + size] for start in range(0, len(users), size)]
    for chunk in rng.permutation(len(chunks)):
        yield chunks[chunk]
