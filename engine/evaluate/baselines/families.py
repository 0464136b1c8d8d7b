"""Which settings of each baseline are tried."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from engine.evaluate.baselines.ease import Ease
from engine.evaluate.baselines.factorisation import Als, Bpr
from engine.evaluate.baselines.item_knn import ItemKnn
from engine.evaluate.baselines.light_gcn import LightGcn
from engine.evaluate.baselines.personal import PersonalFrequency
from engine.evaluate.baselines.popularity import Popularity
from engine.evaluate.baselines.sas_rec import SasRec
from engine.evaluate.baselines.scene_popularity import ScenePopularity
from engine.evaluate.baselines.scorer import Baseline
from engine.evaluate.baselines.tifu_knn import TifuKnn


@dataclass(frozen=True, slots=True)
class Axis:
    """The values of one field to try."""

    field: str
    values: tuple[float | str | None, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """A baseline, where its tuning starts and along which axes it goes."""

    name: str
    start: Baseline
    axes: tuple[Axis, ...] = ()

    @property
    def size(self) -> int:
        """Settings that the axes span."""
        return math.prod(len(axis.values) for axis in self.axes)

    def at(self, place: int) -> Baseline:
        """One of these settings, counted as an odometer counts, the last axis first."""
        settings = self.start
        for axis in reversed(self.axes):
            place, digit = divmod(place, len(axis.values))
            settings = replace(settings, **{axis.field: axis.values[digit]})
        return settings


_PER = Axis("per", ("ever", "basket"))
_SHARE = Axis("popularity_share", (1e-3, 1e-2, 0.1))
_POPULARITY_HALF_LIFE = Axis("popularity_half_life_days", (None, 14.0, 60.0))

FAMILIES = (
    Family("popularity", Popularity(), (_PER,)),
    Family(
        "popularity, last days",
        Popularity(7.0),
        (Axis("window_days", (3.0, 7.0, 14.0, 28.0, 60.0, 90.0)), _PER),
    ),
    Family(
        "popularity in the scene",
        ScenePopularity(),
        (
            Axis("prior_purchases", (30.0, 100.0, 1e3, 1e4)),
            Axis("half_life_days", (None, 14.0, 30.0, 60.0, 120.0)),
        ),
    ),
    Family("personal frequency", PersonalFrequency(), (_SHARE, _POPULARITY_HALF_LIFE)),
    Family(
        "personal frequency, decayed",
        PersonalFrequency(half_life_days=120.0),
        (
            Axis("half_life_days", (30.0, 60.0, 120.0, 240.0)),
            Axis("per", ("basket", "quantity")),
            _SHARE,
            _POPULARITY_HALF_LIFE,
        ),
    ),
    Family(
        "item-kNN",
        ItemKnn(),
        (
            Axis("n_neighbours", (10, 20, 50, 200)),
            Axis("shrink", (10.0, 30.0, 100.0)),
            Axis("own_similarity", (0.0, 3.0, 10.0, 30.0)),
        ),
    ),
    Family(
        "EASE",
        Ease(100.0, half_life_days=120.0),
        (
            _PER,
            Axis("half_life_days", (None, 60.0, 120.0)),
            Axis("l2", (3.0, 10.0, 30.0, 100.0, 300.0)),
        ),
    ),
    Family(
        "ALS",
        Als(),
        (
            Axis("regularisation", (0.1, 1.0, 10.0)),
            Axis("half_life_days", (None, 120.0)),
            Axis("confidence", (1.0, 10.0)),
            Axis("factors", (32, 96)),
        ),
    ),
    Family(
        "BPR",
        Bpr(),
        (
            Axis("learning_rate", (0.01, 0.02, 0.05)),
            Axis("iterations", (30, 100)),
            Axis("regularisation", (0.01, 0.1)),
            Axis("factors", (32, 64)),
        ),
    ),
    Family(
        "TIFU-KNN",
        TifuKnn(),
        (
            Axis("own_share", (0.1, 0.3, 0.5, 0.7)),
            Axis("n_neighbours", (10, 30, 100, 300)),
            Axis("group_decay", (0.5, 0.7, 0.9)),
            Axis("n_groups", (3, 7, 15)),
            Axis("within_decay", (0.9, 1.0)),
        ),
    ),
)
"""Fitted in seconds to a minute: what a shop's own evaluation runs."""

LEARNED = (
    Family(
        "LightGCN",
        LightGcn(),
        (
            Axis("learning_rate", (0.005, 0.01, 0.02)),
            Axis("decay", (1e-5, 1e-4, 1e-3)),
            Axis("layers", (1, 2, 3)),
            Axis("steps", (200, 400)),
        ),
    ),
    Family(
        "SASRec",
        SasRec(),
        (
            Axis("epochs", (5, 15, 30)),
            Axis("dropout", (0.2, 0.5)),
            Axis("learning_rate", (1e-3, 2e-3, 4e-3)),
            Axis("max_events", (50, 100)),
            Axis("layers", (1, 2)),
        ),
    ),
)
"""Networks, of which each setting takes minutes."""
