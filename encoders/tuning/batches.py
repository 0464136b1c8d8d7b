"""Which items each step learns from: a pure function of the seed and the step's number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from encoders.base import Float32
from encoders.tuning.catalogue import Bools, Catalogue, Ints, Pairs, TuningError, word_groups
from encoders.tuning.settings import TuningSettings


@dataclass(frozen=True, slots=True)
class Step:
    """What one step learns from."""

    number: int
    items: Ints
    """Distinct rows of items, int64 ``[B]``."""
    has_picture: Bools
    """bool ``[B]``"""
    pictures: Ints
    """Row of a picture of each item that has one, in the items' order, int64 ``[V]``."""
    first: Ints
    """Items bought together, as positions in ``items``, int64 ``[N]``."""
    second: Ints
    """int64 ``[N]``"""


class Sampler:
    """Draws the steps of a training from the part of a catalogue that is not held out."""

    def __init__(self, catalogue: Catalogue, settings: TuningSettings) -> None:
        """Draw from a catalogue.

        Raises:
            TuningError: Nothing in it can be learned from.
        """
        self._settings = settings
        self._groups, self._n_items = word_groups(catalogue.words), len(catalogue.words)
        learned = ~catalogue.held_out
        item = catalogue.pictures.item
        self._item_of_picture = item
        self._pictures: Ints = np.flatnonzero(learned[item])
        self._by_item = self._pictures[np.argsort(item[self._pictures], kind="stable")]
        self._owner = item[self._by_item]
        pairs = catalogue.together
        counts = learned[pairs.first] & learned[pairs.second] & (settings.together_weight > 0)
        self._pairs = pairs.where(counts)
        self._weight_until = np.cumsum(self._pairs.weight, dtype=np.float64)
        self._share = _share_of_draws(self._pairs, self._n_items)
        self._codes = np.unique(self._code(self._pairs.first, self._pairs.second))
        self._picture_steps = -(-len(self._pictures) // settings.batch_size)
        paired = int(np.count_nonzero(self._share))
        pair_steps = -(-paired // (2 * settings.together_batch_size))
        self.steps_per_epoch: int = max(self._picture_steps, pair_steps)
        """Steps in which each picture and each item that sells with others comes about once."""
        if not self.steps_per_epoch:
            raise TuningError("no item that is not held out has a picture, or sells with another")

    def step(self, number: int) -> Step:
        """Step ``number`` of the training, from 0 on."""
        rng = np.random.default_rng([self._settings.seed, 1, number])
        pictures = self._next_pictures(number)
        first, second = self._draw_pairs(rng)
        items = np.unique(np.concatenate([self._item_of_picture[pictures], first, second]))
        picture, has_picture = self._one_picture_each(items, rng)
        chosen = np.searchsorted(items, self._item_of_picture[pictures])
        picture[chosen] = pictures
        return Step(
            number,
            items,
            has_picture,
            picture[has_picture],
            np.searchsorted(items, first),
            np.searchsorted(items, second),
        )

    def allowed_pictures(self, step: Step) -> Bools:
        """Whose words may stand against whose picture, bool ``[V, V]``: not those with the same."""
        group = self._groups[step.items[step.has_picture]]
        other: Bools = group[:, None] != group
        return other | np.eye(len(group), dtype=np.bool_)

    def allowed_pairs(self, step: Step) -> Bools:
        """Which items may stand against each other as not bought together, bool ``[N, N]``."""
        first, second = step.items[step.first], step.items[step.second]
        related = self._are_known(first[:, None], second)
        for a, b in ((first, second), (first, first), (second, second)):
            related |= self._groups[a][:, None] == self._groups[b]
        return ~related | np.eye(len(first), dtype=np.bool_)

    def log_share(self, step: Step) -> Float32:
        """Logarithm of how often each item is drawn, of the first and second ones, ``[2, N]``."""
        return np.log(self._share[step.items[np.stack([step.first, step.second])]])

    def _next_pictures(self, number: int) -> Ints:
        if not self._picture_steps:
            return np.zeros(0, dtype=np.int64)
        turn, position = divmod(number, self._picture_steps)
        rng = np.random.default_rng([self._settings.seed, 0, turn])
        # Parts of equal size: against few others, finding one's partner teaches little.
        return np.array_split(rng.permutation(self._pictures), self._picture_steps)[position]

    def _draw_pairs(self, rng: np.random.Generator) -> tuple[Ints, Ints]:
        pairs, until = self._pairs, self._weight_until
        n = min(self._settings.together_batch_size, len(pairs))
        if not n:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        drawn = np.searchsorted(until, rng.random(n) * until[-1], side="right")
        drawn = np.unique(np.minimum(drawn, len(pairs) - 1))
        turned = rng.random(len(drawn)) < 0.5
        one, other = pairs.first[drawn], pairs.second[drawn]
        return np.where(turned, other, one), np.where(turned, one, other)

    def _code(self, first: Ints, second: Ints) -> Ints:
        """A number for each pair, whichever way it is turned."""
        return np.minimum(first, second) * self._n_items + np.maximum(first, second)

    def _are_known(self, first: Ints, second: Ints) -> Bools:
        codes = self._code(first, second)
        at = np.searchsorted(self._codes, codes)
        known: Bools = self._codes[np.minimum(at, len(self._codes) - 1)] == codes
        return known

    def _one_picture_each(self, items: Ints, rng: np.random.Generator) -> tuple[Ints, Bools]:
        """A random picture of each item int64 ``[B]``, and which have one bool ``[B]``."""
        start = np.searchsorted(self._owner, items, side="left")
        stop = np.searchsorted(self._owner, items, side="right")
        has_picture = stop > start
        at = start + (rng.random(len(items)) * (stop - start)).astype(np.int64)
        picture = np.full(len(items), -1, dtype=np.int64)
        picture[has_picture] = self._by_item[at[has_picture]]
        return picture, has_picture


def _share_of_draws(pairs: Pairs, n_items: int) -> Float32:
    rows = np.concatenate([pairs.first, pairs.second])
    weight = np.concatenate([pairs.weight, pairs.weight]).astype(np.float64)
    drawn = np.bincount(rows, weight, minlength=n_items)
    share: Float32 = (drawn / max(drawn.sum(), 1e-12)).astype(np.float32)
    return share
