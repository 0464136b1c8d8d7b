"""Models of LensKit (Ekstrand, "LensKit for Python", CIKM 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import MissingExtraError
from engine.evaluate.baselines.purchases import Purchases, Weighting
from engine.evaluate.protocol import Requests
from engine.interactions import Floats


@dataclass(frozen=True, slots=True)
class LensKitAls:
    """Its weighted matrix factorisation (Hu, Koren and Volinsky, ICDM 2008)."""

    factors: int = 64
    regularisation: float = 0.1
    weight: float = 40.0
    epochs: int = 10
    seed: int = 0

    def fit(self, purchases: Purchases) -> LensKitScores:
        """Alternate.

        Raises:
            MissingExtraError: LensKit is not installed.
        """
        _must_be_there()
        from lenskit.als import ImplicitMFScorer  # type: ignore[import-not-found,import-untyped,unused-ignore]

        scorer = ImplicitMFScorer(
            embedding_size=self.factors,
            regularization=self.regularisation,
            weight=self.weight,
            epochs=self.epochs,
        )
        return _fitted(scorer, purchases, self.seed)


@dataclass(frozen=True, slots=True)
class LensKitKnn:
    """Its item-kNN over implicit feedback (Deshpande and Karypis, TOIS 2004)."""

    n_neighbours: int = 20

    def fit(self, purchases: Purchases) -> LensKitScores:
        """Find the neighbours.

        Raises:
            MissingExtraError: LensKit is not installed.
        """
        _must_be_there()
        from lenskit.knn import ItemKNNScorer  # type: ignore[import-not-found,import-untyped,unused-ignore]

        return _fitted(ItemKNNScorer(k=self.n_neighbours, feedback="implicit"), purchases, 0)


@dataclass(frozen=True, slots=True)
class LensKitEase:
    """Its EASE (Steck, WWW 2019)."""

    l2: float = 300.0

    def fit(self, purchases: Purchases) -> LensKitScores:
        """Solve for all items.

        Raises:
            MissingExtraError: LensKit is not installed.
        """
        _must_be_there()
        from lenskit.knn import EASEScorer  # type: ignore[import-not-found,import-untyped,unused-ignore]

        return _fitted(EASEScorer(regularization=self.l2), purchases, 0)


@dataclass(frozen=True, slots=True)
class LensKitScores:
    """A fitted component; it scores one user's list of items after the other."""

    scorer: Any
    data: Any
    n_columns: int

    def score(self, requests: Requests) -> Floats:
        """float32 ``[B, C]``; what a component leaves unscored is ``-inf``."""
        from lenskit.data import ItemList, RecQuery  # type: ignore[import-not-found,import-untyped,unused-ignore]

        scores = np.full((len(requests), self.n_columns), -np.inf, np.float32)
        items = ItemList(item_ids=np.arange(self.n_columns, dtype=np.int64))
        for i, user in enumerate(requests.user.tolist()):
            row = self.data.user_row(user)
            query = RecQuery(user_id=user, user_items=row)
            found = self.scorer(query=query, items=items).scores("numpy")
            scores[i] = np.where(np.isnan(found), -np.inf, found)
        return scores


def _fitted(scorer: Any, purchases: Purchases, seed: int) -> LensKitScores:  # noqa: ANN401
    """Who had what, once each, under the rows that we have for both."""
    import pandas as pd  # type: ignore[import-not-found,import-untyped,unused-ignore]
    from lenskit.data import from_interactions_df  # type: ignore[import-not-found,import-untyped,unused-ignore]
    from lenskit.training import TrainingOptions  # type: ignore[import-not-found,import-untyped,unused-ignore]

    bought = purchases.matrix(Weighting("ever")).tocoo()
    rows = {"user_id": bought.row.astype(np.int64), "item_id": bought.col.astype(np.int64)}
    items = np.arange(purchases.n_columns, dtype=np.int64)
    data = from_interactions_df(pd.DataFrame(rows), items=items)
    scorer.train(data, TrainingOptions(rng=seed))
    return LensKitScores(scorer, data, purchases.n_columns)


def _must_be_there() -> None:
    try:
        import lenskit  # type: ignore[import-not-found,import-untyped,unused-ignore]  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("lenskit", "peers") from error
