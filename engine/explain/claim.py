"""One thing that the facts of an item allow to be said."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from engine.recommendation import Evidence


class Kind(StrEnum):
    """What a piece of evidence is about; where weights are equal, the earlier comes first."""

    DUE = "due"
    WISH = "wish"
    LOOK = "look"
    HABIT = "habit"
    OFFER = "offer"
    TOGETHER = "together"
    CATEGORY = "category"
    PLACE = "place"
    HOUR = "hour"
    LAST_TIME = "last_time"
    PATH = "path"
    POPULAR = "popular"
    NEW = "new"


class Claim(NamedTuple):
    """One thing that the facts allow to be said."""

    kind: Kind
    evidence: Evidence
    """Its weight is in (0, 1]: persuasion of the kind times strength of the fact."""
    wordings: tuple[str, ...]
    """Clauses that mean the same; the first is the evidence's text and holds every number."""
    name: str | None = None
    """Whatever the clauses name, so that a sentence names nothing twice."""


def claim_of(
    kind: Kind,
    weight: float,
    wordings: tuple[str, ...],
    name: str | None = None,
    item_id: str | None = None,
) -> Claim:
    """A claim whose first wording is its evidence's text, about another item if one is named."""
    return Claim(kind, Evidence(str(kind), weight, wordings[0], item_id), wordings, name)
