"""Tuning an encoder to a shop's own catalogue, and opening what was tuned."""

from encoders.low_rank import Update
from encoders.tuning.catalogue import Catalogue, Pairs, PicturePairs, TuningError
from encoders.tuning.checkpoint import Epoch
from encoders.tuning.exam import Figures
from encoders.tuning.merge import Base, fingerprint_of, open_tuned, write_tuned
from encoders.tuning.settings import Tower, TuningSettings
from encoders.tuning.train import Tuned, tune

__all__ = [
    "Base",
    "Catalogue",
    "Epoch",
    "Figures",
    "Pairs",
    "PicturePairs",
    "Tower",
    "Tuned",
    "TuningError",
    "TuningSettings",
    "Update",
    "fingerprint_of",
    "open_tuned",
    "tune",
    "write_tuned",
]
