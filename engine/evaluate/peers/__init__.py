"""Models of other libraries, asked the same questions: each is a baseline like ours.

They learn from the same events, rank the same candidates and are tuned with the same budget, over
:data:`engine.evaluate.peers.families.PEERS`. The libraries are imported when a model is fitted.
"""

from engine.evaluate.peers.cornac import CornacBpr, CornacEase, CornacVae
from engine.evaluate.peers.lenskit import LensKitAls, LensKitEase, LensKitKnn

__all__ = [
    "CornacBpr",
    "CornacEase",
    "CornacVae",
    "LensKitAls",
    "LensKitEase",
    "LensKitKnn",
]
