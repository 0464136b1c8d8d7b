"""Which settings of each peer are tried."""

from __future__ import annotations

from engine.evaluate.baselines.families import Axis, Family
from engine.evaluate.peers.cornac import CornacBpr, CornacEase, CornacVae
from engine.evaluate.peers.lenskit import LensKitAls, LensKitEase, LensKitKnn

_PENALTIES = Axis("l2", (1.0, 10.0, 30.0, 100.0, 300.0, 1000.0))

PEERS = (
    Family(
        "Cornac BPR",
        CornacBpr(),
        (
            Axis("learning_rate", (0.01, 0.02, 0.05)),
            Axis("regularisation", (1e-3, 1e-2, 0.1)),
            Axis("epochs", (50, 100)),
            Axis("factors", (32, 64)),
        ),
    ),
    Family("Cornac EASE", CornacEase(), (_PENALTIES, Axis("positive_only", (True, False)))),
    Family(
        "Cornac VAECF",
        CornacVae(),
        (
            Axis("learning_rate", (1e-3, 3e-3)),
            Axis("beta", (0.05, 0.2, 1.0)),
            Axis("epochs", (20, 40)),
            Axis("hidden", (128, 256)),
        ),
    ),
    Family(
        "LensKit ALS",
        LensKitAls(),
        (
            Axis("weight", (1.0, 10.0, 40.0)),
            Axis("regularisation", (0.01, 0.1, 1.0)),
            Axis("factors", (32, 64)),
        ),
    ),
    Family("LensKit EASE", LensKitEase(), (_PENALTIES,)),
    Family(
        "LensKit item-kNN",
        LensKitKnn(),
        (Axis("n_neighbours", (5, 10, 20, 50, 100, 200)),),
    ),
)
