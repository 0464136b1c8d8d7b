"""What an encoder knows of a catalogue: retrieval among items that were never learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import open_clip  # type: ignore[import-untyped]

from encoders.base import Float32, ItemEncoder
from encoders.fusion import fuse
from encoders.tuning.catalogue import Bools, Catalogue, Ints, TuningError, word_groups

MAX_QUERIES = 1_000
"""Held-out pictures, and items bought together with others, that are asked for at most."""
MAX_GALLERY = 2_000
"""Items among which those bought together are looked for, at most, beside the right ones."""
FILES_AT_ONCE = 256
"""Pictures that are in memory together."""

GENERAL_WORDS: tuple[str, ...] = tuple(open_clip.IMAGENET_CLASSNAMES)
"""Things of all kinds, most of them in no shop: the 1,000 class names of ImageNet."""
EXAMINED_WORDS = GENERAL_WORDS[::10]
"""Those that tuning is measured on."""
ANCHOR_WORDS = tuple(word for word in GENERAL_WORDS if word not in EXAMINED_WORDS)
"""Those that tuning keeps in their place."""


@dataclass(frozen=True, slots=True)
class Figures:
    """How well an encoder finds what belongs together; None where there is nothing to find.

    Text to image: the share of the distinct texts that have a picture of theirs among the first
    K pictures. Image to text: the share of the pictures that have their text among the first K
    distinct ones. Together: of the items bought together with an item, the share among the first
    K, or of K if there are more; averaged over items.
    """

    text_to_image_r1: float | None
    text_to_image_r10: float | None
    image_to_text_r1: float | None
    image_to_text_r10: float | None
    together_r10: float | None

    @property
    def score(self) -> tuple[float, float]:
        """Mean Recall@10, then mean Recall@1 to break ties; higher is better."""
        tens = (self.text_to_image_r10, self.image_to_text_r10, self.together_r10)
        ones = (self.text_to_image_r1, self.image_to_text_r1)
        return _mean(tens), _mean(ones)


@dataclass(frozen=True, slots=True)
class Exam:
    """The questions, chosen once and asked before and after."""

    catalogue: Catalogue
    image_weight: float
    pictures: Ints
    """Rows of held-out pictures, int64 ``[P]``."""
    queries: Ints
    """Held-out items that were bought together with others, int64 ``[Q]``."""
    gallery: Ints
    """Items that are looked through, int64 ``[G]``."""
    together: Bools
    """Which were bought together, bool ``[Q, G]``."""

    @classmethod
    def of(cls, catalogue: Catalogue, *, image_weight: float, seed: int) -> Exam:
        """Choose the questions.

        Raises:
            TuningError: No held-out item has a picture or was bought with another.
        """
        rng = np.random.default_rng([seed, 2])
        pictures = np.flatnonzero(catalogue.held_out[catalogue.pictures.item])
        pictures = _some(pictures, MAX_QUERIES, rng)
        pairs = catalogue.together
        one = np.concatenate([pairs.first, pairs.second])
        other = np.concatenate([pairs.second, pairs.first])
        queries = _some(np.unique(one[catalogue.held_out[one]]), MAX_QUERIES, rng)
        asked = np.isin(one, queries)
        right = np.unique(other[asked])
        fill = _some(np.setdiff1d(np.arange(len(catalogue.words)), right), MAX_GALLERY, rng)
        gallery = np.union1d(right, fill)
        together = np.zeros((len(queries), len(gallery)), dtype=np.bool_)
        rows = np.searchsorted(queries, one[asked])
        together[rows, np.searchsorted(gallery, other[asked])] = True
        if not len(pictures) and not len(queries):
            raise TuningError(
                f"no held-out item ({catalogue.held_out.sum()} of {len(catalogue.words)}) has a "
                "picture, or sells with another: there is nothing to measure on"
            )
        return cls(catalogue, image_weight, pictures, queries, gallery, together)

    @property
    def n_items(self) -> int:
        """Held-out items that are asked about."""
        pictured = self.catalogue.pictures.item[self.pictures]
        return len(np.union1d(pictured, self.queries))

    def sit(self, encoder: ItemEncoder) -> Figures:
        """Ask an encoder."""
        to_image, to_text = self._pictures(encoder)
        return Figures(*to_image, *to_text, self._together(encoder))

    def _pictures(self, encoder: ItemEncoder) -> tuple[Recalls, Recalls]:
        if not len(self.pictures):
            return (None, None), (None, None)
        items = self.catalogue.pictures.item[self.pictures]
        texts = [self.catalogue.words[row] for row in items]
        group = word_groups(texts)
        distinct = list(dict.fromkeys(texts))
        words = encoder.encode_texts(distinct)  # [T, D]
        scores = words @ self._images(self.pictures, encoder).T  # [T, P]
        right = np.arange(len(distinct))[:, None] == group
        return (
            (hits_at(scores, right, 1), hits_at(scores, right, 10)),
            (hits_at(scores.T, right.T, 1), hits_at(scores.T, right.T, 10)),
        )

    def _together(self, encoder: ItemEncoder) -> float | None:
        if not len(self.queries):
            return None
        items = np.union1d(self.queries, self.gallery)
        vectors = self._item_vectors(items, encoder)
        query = vectors[np.searchsorted(items, self.queries)]
        gallery = vectors[np.searchsorted(items, self.gallery)]
        scores = query @ gallery.T
        scores[self.queries[:, None] == self.gallery] = -np.inf
        return recall_at(scores, self.together, 10)

    def _item_vectors(self, items: Ints, encoder: ItemEncoder) -> Float32:
        """Picture and words of items as one row each, unit rows ``[len(items), D]``."""
        text = encoder.encode_texts([self.catalogue.words[row] for row in items])
        owner, first = np.unique(self.catalogue.pictures.item, return_index=True)
        has_image = np.isin(items, owner)
        image = np.zeros_like(text)
        if has_image.any():
            rows = first[np.searchsorted(owner, items[has_image])]
            image[has_image] = self._images(rows, encoder)
        has_text = np.ones(len(items), dtype=np.bool_)
        return fuse(image, has_image, text, has_text, image_weight=self.image_weight)

    def _images(self, rows: Ints, encoder: ItemEncoder) -> Float32:
        files = self.catalogue.pictures.files
        parts = [
            encoder.encode_images([files[row] for row in rows[start : start + FILES_AT_ONCE]])
            for start in range(0, len(rows), FILES_AT_ONCE)
        ]
        return np.concatenate(parts)


Recalls = tuple[float | None, float | None]


def hits_at(scores: Float32, right: Bools, k: int) -> float:
    """Share of the queries with a right answer among their best k.

    Args:
        scores: float ``[Q, G]``; equal ones in the gallery's order.
        right: bool ``[Q, G]``, at least one per query.
        k: How many answers count.
    """
    return float(_right_answers(scores, right, k).any(axis=1).mean())


def recall_at(scores: Float32, right: Bools, k: int) -> float:
    """Share of the right answers among the best k, or of k if there are more; mean of queries.

    Args:
        scores: float ``[Q, G]``; equal ones in the gallery's order.
        right: bool ``[Q, G]``, at least one per query.
        k: How many answers count.
    """
    found = _right_answers(scores, right, k).sum(axis=1)
    return float((found / np.minimum(right.sum(axis=1), k)).mean())


def _right_answers(scores: Float32, right: Bools, k: int) -> Bools:
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(right, best, axis=1)


def _some(rows: Ints, limit: int, rng: np.random.Generator) -> Ints:
    """At most so many of the rows, in order."""
    return rows if len(rows) <= limit else np.sort(rng.choice(rows, limit, replace=False))


def _mean(values: Sequence[float | None]) -> float:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else 0.0
