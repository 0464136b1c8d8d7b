"""Which settings of each baseline are tried."""

from __future__ import annotations

from dataclasses import dataclass

from engine.evaluate.baselines.ease import Ease
from engine.evaluate.baselines.factorisation import Als, Bpr
from engine.evaluate.baselines.item_knn import ItemKnn
from engine.evaluate.baselines.personal import PersonalFrequency
from engine.evaluate.baselines.popularity import Popularity
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


_PER = Axis("per", ("ever", "basket"))
_SHARE = Axis("popularity_share", (1e-3, 1e-2, 0.1))
_POPULARITY_HALF_LIFE = Axis("popularity_half_life_days", (None, 14.0, 60.0))

FAMILIES = (
    Family("popularity", Popularity(), (_PER,)),
    Family("popularity, last 7 days", Popularity(7.0), (_PER,)),
    Family("popularity, last 28 days", Popularity(28.0), (_PER,)),
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
            Axis("half_life_days", (30.0, 60.0, 90.0, 120.0, 150.0, 180.0, 240.0)),
            Axis("per", ("basket", "quantity")),
            _SHARE,
            _POPULARITY_HALF_LIFE,
        ),
    ),
    Family(
        "item-kNN",
        ItemKnn(),
        (
            Axis("own_similarity", (0.0, 3.0, 10.0, 30.0)),
            Axis("n_neighbours", (10, 20, 50, 200)),
            Axis("shrink", (10.0, 30.0, 100.0)),
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
            Axis("regularisation", (1.0, 10.0)),
            Axis("half_life_days", (None, 120.0)),
        ),
    ),
    Family("BPR", Bpr(), (Axis("learning_rate", (0.01, 0.02)),)),
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
