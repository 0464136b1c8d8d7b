"""The two recipes: what is shipped, and what may be made for research from every set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from encoders.training.augment import NOTHING, Augmentation
from encoders.training.blend import Shares
from encoders.training.features import Views
from encoders.training.sets import PairSet, Split, read_fashion, read_grocery, read_photos
from encoders.training.train import Settings

TRAIN_SIDE = 160
"""Random crops show things larger than they are; a smaller view in training makes up for it
(Touvron et al. 2019, arXiv:1906.06423)."""
EXAM_SIDE = 192

_LIGHT = Augmentation(zoom=0.65, shrink=1.15, degrees=8, stretch=1.2, jitter=0.2, ground=0)
_STRONG = Augmentation(zoom=0.55, shrink=1.6, degrees=25, stretch=1.3, jitter=0.35, ground=0.9)
_SHELF = Augmentation(zoom=0.45, shrink=1.1, degrees=12, stretch=1.35, jitter=0.25, ground=0)
_CLOSE = Augmentation(zoom=0.3, shrink=0.8, degrees=20, stretch=1.35, jitter=0.35, ground=0)
_PHOTO = Augmentation(zoom=0.7, shrink=1.0, degrees=4, stretch=1.2, jitter=0.2, ground=0)


@dataclass(frozen=True, slots=True)
class Source:
    """One set of a recipe.

    Attributes:
        read: Gives a split of it.
        views: Of its training pictures.
        exam: Of its validation pictures.
        batch: Its pictures in every batch.
    """

    read: Callable[[Path, Split], PairSet]
    views: Views
    exam: Views
    batch: int


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is learned from, how, and how much of it is kept."""

    sources: tuple[Source, ...]
    settings: Settings
    shares: Shares


def _exam(source_side: int) -> Views:
    return Views((NOTHING,), EXAM_SIDE, source_side, seed=1)


FASHION = Source(
    read_fashion,
    Views((_LIGHT, _LIGHT, _STRONG, _STRONG), TRAIN_SIDE, 0, seed=1),
    _exam(0),
    batch=352,
)
GROCERY = Source(
    read_grocery,
    Views((_SHELF,) * 6 + (_CLOSE,) * 6, TRAIN_SIDE, 224, seed=1),
    _exam(EXAM_SIDE),
    batch=64,
)
PHOTOS = Source(
    read_photos,
    Views((_PHOTO,) * 4, TRAIN_SIDE, 224, seed=1),
    _exam(EXAM_SIDE),
    batch=256,
)

SHIPPED = Recipe((FASHION, GROCERY), Settings(steps=390), Shares(tail=0.4, head=0.2, words=0.6))
RESEARCH = Recipe((PHOTOS,), Settings(steps=260, keep_words=0.5, about=1.0), Shares(1, 1, 1))
