"""The bundled demo: a grocer's year, ready to train on."""

from engine.demo.complete_journey import complete_journey
from engine.demo.terms import ATTRIBUTION, PUBLISHERS_WORDS, TERMS

__all__ = ["ATTRIBUTION", "PUBLISHERS_WORDS", "TERMS", "complete_journey"]
