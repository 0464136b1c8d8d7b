"""Settings of the sequence model."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt


class SequenceConfig(BaseModel):
    """The transformer over a user's events and its training."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(64, ge=8)
    """Width D of items and states; a multiple of ``heads``."""
    heads: PositiveInt = 1
    """Attention heads."""
    layers: PositiveInt = 1
    """Transformer layers."""
    max_events: PositiveInt = 50
    """Last events that are read."""
    dropout: float = Field(0.4, ge=0, lt=1)
    """On items and inside layers."""
    positions: bool = True
    """Learn a vector for how many events ago something was."""
    time_bias: bool = True
    """Bias attention by the time between two events."""
    negatives: PositiveInt | None = 512
    """Items drawn per step; every position of the batch is scored against all of them. None
    scores every item of the catalogue instead."""
    popularity_exponent: float = Field(0.0, ge=0, le=1)
    """Items are drawn in proportion to count to this power; 0 is uniform."""
    batch_size: PositiveInt = 256
    """Users per step."""
    epochs: NonNegativeInt = 100
    """Epochs at most."""
    patience: PositiveInt = 3
    """Epochs without a better validation NDCG@10 before training stops."""
    learning_rate: PositiveFloat = 4e-3
    """Of AdamW."""
    weight_decay: float = Field(0.0, ge=0)
    """Of AdamW."""
    temperature: PositiveFloat = 0.07
    """A cosine divided by this is a logit."""
