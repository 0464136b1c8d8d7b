"""Settings of the graph stage."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt


class GraphConfig(BaseModel):
    """How user and item vectors are learned from the graph."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(64, ge=4)
    """Length G of user and item vectors; one coordinate is popularity."""
    layers: int = Field(2, ge=1, le=4)
    """Steps of propagation: how far a fact can travel."""
    half_life_days: PositiveFloat = 90.0
    """Age at which an event counts half, in the graph and as a training target."""
    popularity_half_life_days: PositiveFloat = 28.0
    """Age at which an event counts half towards an item's popularity."""
    n_neighbours: PositiveInt = 20
    """``bought_with`` neighbours kept per item."""
    loss: Literal["sampled_softmax", "bpr"] = "sampled_softmax"
    """``sampled_softmax`` learns probabilities, ``bpr`` pairwise order."""
    id_dropout: float = Field(0.3, ge=0, lt=1)
    """Share of items that a step sees without their history, as if they were new."""
    contrastive_weight: float = Field(0.0, ge=0)
    """Weight of the contrastive term beside the ranking loss; 0 leaves it and its noise out."""
    contrastive_noise: float = Field(0.1, ge=0)
    """Length of the noise added to a node's state at every layer of propagation."""
    contrastive_temperature: PositiveFloat = 0.2
    """Softness of the contrastive term: small looks only at the nearest other items."""
    fanout: PositiveInt | None = None
    """Neighbours sampled per node and relation in a step, for graphs that are too large to
    propagate over whole; None propagates over the whole graph."""
    mixed_precision: bool = True
    """Dense products in bfloat16 on a GPU; sparse products and sums stay float32."""
    epochs: int = Field(10, ge=0)
    """Epochs at most; 0 keeps the closed form."""
    steps_per_epoch: PositiveInt = 4
    """Gradient steps between two validations; each propagates over the whole graph."""
    batch_size: PositiveInt = 16_384
    """Positive user-item pairs per step."""
    n_negatives: PositiveInt = 2_048
    """Sampled items per step, shared by its users."""
    negative_exponent: float = Field(0.5, ge=0, le=1)
    """Negatives are drawn by popularity to this power: 0 uniform, 1 as they sell."""
    learning_rate: PositiveFloat = 0.002
    """Adam's step."""
    weight_decay: float = Field(1e-4, ge=0)
    """Decoupled shrinkage of the learned weights per step, times the learning rate."""
    patience: PositiveInt = 3
    """Epochs without a better validation before training stops."""
    validation_days: PositiveFloat = 14.0
    """Length of the last stretch before ``as_of`` that validation looks at."""
    validation_k: PositiveInt = 20
    """K of the Recall@K that chooses."""
    validation_users: PositiveInt = 1_000
    """Users validated on at most, drawn by the seed."""
