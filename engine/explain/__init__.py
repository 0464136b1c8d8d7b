"""Reasons that can be checked: evidence first, then one sentence made of it."""

from engine.explain.evidence import evidence_of
from engine.explain.facts import Facts, Verb
from engine.explain.sentences import sentence

__all__ = ["Facts", "Verb", "evidence_of", "sentence"]
