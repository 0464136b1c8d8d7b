"""Methods that ours must beat: each is settings with ``fit``, and gives a scorer."""

from engine.evaluate.baselines.ease import Ease
from engine.evaluate.baselines.factorisation import Als, Bpr
from engine.evaluate.baselines.item_knn import ItemKnn
from engine.evaluate.baselines.light_gcn import LightGcn
from engine.evaluate.baselines.personal import PersonalFrequency
from engine.evaluate.baselines.popularity import Popularity
from engine.evaluate.baselines.purchases import Purchases, Weighting
from engine.evaluate.baselines.sas_rec import SasRec
from engine.evaluate.baselines.scene_popularity import ScenePopularity
from engine.evaluate.baselines.scorer import Baseline, Scorer, ScoreRanker, top_k
from engine.evaluate.baselines.tifu_knn import TifuKnn

__all__ = [
    "Als",
    "Baseline",
    "Bpr",
    "Ease",
    "ItemKnn",
    "LightGcn",
    "PersonalFrequency",
    "Popularity",
    "Purchases",
    "SasRec",
    "ScenePopularity",
    "ScoreRanker",
    "Scorer",
    "TifuKnn",
    "Weighting",
    "top_k",
]
