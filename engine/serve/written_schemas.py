"""Lists whose reasons a language model wrote, over the wire."""

from __future__ import annotations

from pydantic import BaseModel

from engine.explain.sheet import Sheet
from engine.explain.writers import Source, Why
from engine.serve.schemas import ListAnswer, RecommendedItem


class WrittenSlot(RecommendedItem):
    """One slot, and who wrote its reason."""

    reason_by: Source = Source.RULES
    """``cache`` is the model's sentence for the same evidence, of before."""
    replaced: Why | None = None
    """Why rules wrote it although the model was asked."""


class Writing(BaseModel):
    """How the sentences of a list came about."""

    by_model: int
    from_cache: int
    by_rules: int
    note: str | None = None
    """Why no model was asked, and how to have one asked."""


class WrittenAnswer(ListAnswer):
    """A ranked list: the best first."""

    items: tuple[WrittenSlot, ...]
    writing: Writing | None = None
    """Where written reasons were asked for."""


class SheetedAnswer(ListAnswer):
    """A list as a worker answers it, with what may be claimed of each item."""

    sheets: tuple[Sheet, ...]


class ReasonWritten(BaseModel):
    """A reason that takes the place of the one in the list."""

    rank: int
    item_id: str
    reason: str
    reason_by: Source
    replaced: Why | None
