"""Models of Cornac (Salah et al., "Cornac: a comparative framework", JMLR 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import MissingExtraError
from engine.evaluate.baselines.purchases import Purchases, Weighting
from engine.evaluate.protocol import Requests
from engine.interactions import Floats


@dataclass(frozen=True, slots=True)
class CornacBpr:
    """Its Bayesian personalised ranking."""

    factors: int = 32
    learning_rate: float = 0.02
    regularisation: float = 0.01
    epochs: int = 50
    seed: int = 0

    def fit(self, purchases: Purchases) -> CornacScores:
        """Descend on one thread, so that the result can be had again.

        Raises:
            MissingExtraError: Cornac is not installed.
        """
        model = _models().BPR(
            k=self.factors,
            max_iter=self.epochs,
            learning_rate=self.learning_rate,
            lambda_reg=self.regularisation,
            num_threads=1,
            seed=self.seed,
        )
        return _fitted(model, purchases, self.seed)


@dataclass(frozen=True, slots=True)
class CornacEase:
    """Its EASE, which keeps only what items say for each other unless told otherwise."""

    l2: float = 300.0
    positive_only: bool = True

    def fit(self, purchases: Purchases) -> CornacScores:
        """Solve for all items.

        Raises:
            MissingExtraError: Cornac is not installed.
        """
        model = _models().EASE(lamb=self.l2, posB=self.positive_only, verbose=False)
        return _fitted(model, purchases, 0)


@dataclass(frozen=True, slots=True)
class CornacVae:
    """Its variational autoencoder with a multinomial likelihood (Liang et al., WWW 2018)."""

    factors: int = 64
    hidden: int = 128
    beta: float = 0.2
    learning_rate: float = 1e-3
    epochs: int = 40
    seed: int = 0

    def fit(self, purchases: Purchases) -> CornacScores:
        """Descend.

        Raises:
            MissingExtraError: Cornac is not installed.
        """
        model = _models().VAECF(
            k=self.factors,
            autoencoder_structure=[self.hidden],
            act_fn="tanh",
            likelihood="mult",
            n_epochs=self.epochs,
            learning_rate=self.learning_rate,
            beta=self.beta,
            seed=self.seed,
        )
        return _fitted(model, purchases, self.seed)


@dataclass(frozen=True, slots=True)
class CornacScores:
    """A fitted model; it scores one user after the other."""

    model: Any
    n_columns: int

    def score(self, requests: Requests) -> Floats:
        """float32 ``[B, C]``."""
        scores = np.zeros((len(requests), self.n_columns), np.float32)
        for i, user in enumerate(requests.user.tolist()):
            scores[i] = np.asarray(self.model.score(user)).ravel()
        return scores


def _fitted(model: Any, purchases: Purchases, seed: int) -> CornacScores:  # noqa: ANN401
    """Who had what, once each, under the rows that we have for both."""
    from cornac.data import Dataset  # type: ignore[import-not-found,import-untyped,unused-ignore]

    bought = purchases.matrix(Weighting("ever")).tocoo()
    ids = ({row: row for row in range(n)} for n in (purchases.n_users, purchases.n_columns))
    table = (bought.row, bought.col, np.ones(bought.nnz, np.float32))
    model.fit(Dataset(purchases.n_users, purchases.n_columns, *ids, table, seed=seed))
    return CornacScores(model, purchases.n_columns)


def _models() -> Any:  # noqa: ANN401 - a module
    try:
        from cornac import models  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError as error:
        raise MissingExtraError("cornac", "peers") from error
    return models
