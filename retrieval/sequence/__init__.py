"""What comes next: a transformer over bare lists of events, ranked against every item."""

from retrieval.sequence.config import SequenceConfig
from retrieval.sequence.histories import Histories, Padded
from retrieval.sequence.model import SequenceModel
from retrieval.sequence.score import score_items
from retrieval.sequence.train import Epoch, Fitted, fit

__all__ = [
    "Epoch",
    "Fitted",
    "Histories",
    "Padded",
    "SequenceConfig",
    "SequenceModel",
    "fit",
    "score_items",
]
