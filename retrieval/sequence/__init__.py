"""What comes next: a transformer over bare lists of events, ranked against every item."""

from retrieval.sequence.config import SequenceConfig
from retrieval.sequence.histories import Histories, Padded
from retrieval.sequence.model import NextItem, SequenceModel
from retrieval.sequence.score import chances, score_items
from retrieval.sequence.train import Epoch, Fitted, Questions, Training, fit, train

__all__ = [
    "Epoch",
    "Fitted",
    "Histories",
    "NextItem",
    "Padded",
    "Questions",
    "SequenceConfig",
    "SequenceModel",
    "Training",
    "chances",
    "fit",
    "score_items",
    "train",
]
