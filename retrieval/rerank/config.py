"""Settings of the reranker and of the candidates that it is given."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveFloat, PositiveInt


class CandidateConfig(BaseModel):
    """How many candidates each channel may propose.

    The quotas share out one budget by what each channel found of later baskets that no other did;
    those that found nothing of their own are off.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    history: NonNegativeInt = 150
    """Items that the user took before, by decayed frequency."""
    graph: NonNegativeInt = 60
    """Items nearest to the user's graph vector."""
    together: NonNegativeInt = 120
    """Items that people who took the same things took."""
    crowd: NonNegativeInt = 80
    """Items that people of the same taste take."""
    scene: NonNegativeInt = 60
    """Best-sellers at the scene's place."""
    popular: NonNegativeInt = 40
    """Best-sellers of the last 28 days."""
    category: NonNegativeInt = 60
    """Best-sellers of the groups that the user takes from."""
    offers: NonNegativeInt = 60
    """Items on offer at the scene's place and time, of the groups that the user takes from."""
    words: NonNegativeInt = 80
    """Items that read like the scene's words."""
    photo: NonNegativeInt = 80
    """Items that look like the scene's photo."""
    terms: NonNegativeInt = 40
    """Items whose own words are the scene's: an exact brand or size is never missed."""
    basket: NonNegativeInt = 80
    """Items that lie in one basket with those of the user's last visits."""
    week: NonNegativeInt = 80
    """Best-sellers of the last 7 days."""
    hour: NonNegativeInt = 0
    """Best-sellers of the scene's part of the week."""
    recent: NonNegativeInt = 0
    """Items whose graph vectors are nearest to those of the user's last visits."""
    most: PositiveInt | None = None
    """Candidates at most of all channels together, kept by reciprocal rank; None keeps all."""
    habit_half_life_days: PositiveFloat = 120.0
    """Age at which an event counts half toward the history and together channels."""


class RerankConfig(BaseModel):
    """The time- and scene-aware transformer and its training."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(64, ge=8)
    """Width D of tokens; a multiple of ``heads``."""
    heads: PositiveInt = 2
    """Attention heads."""
    layers: PositiveInt = 2
    """Transformer layers over the history."""
    history: PositiveInt = 64
    """Last events that become tokens; features see the whole history."""
    hidden: PositiveInt = 128
    """Width of the feature network."""
    dropout: float = Field(0.1, ge=0, lt=1)
    """On tokens and hidden layers."""
    scene_dropout: float = Field(0.1, ge=0, lt=1)
    """Share of training requests that are shown without place or offers."""
    sales_dropout: float = Field(0.03, ge=0, lt=1)
    """Share of training candidates whose sales are hidden, as of an item that came today."""
    weeks: PositiveInt = 12
    """Training requests are the sessions of this many weeks before ``as_of``."""
    max_requests: PositiveInt = 24_000
    """Training requests at most, drawn by the seed, newer ones more often."""
    half_life_days: PositiveFloat = 60.0
    """Age at which a training request counts half."""
    negatives: PositiveInt = 128
    """Retrieved candidates without a positive label kept per training request."""
    batch_size: PositiveInt = 64
    """Requests per step."""
    epochs: PositiveInt = 5
    """Epochs at most."""
    patience: PositiveInt = 2
    """Epochs without a better validation NDCG@10 before training stops."""
    learning_rate: PositiveFloat = 3e-3
    """Peak of the one-cycle schedule of AdamW."""
    weight_decay: float = Field(1e-3, ge=0)
    """Of AdamW."""
    new_item_weight: float = Field(0.5, ge=0)
    """Weight of the list of never-taken candidates beside the list of all."""
    calibration_weight: float = Field(0.1, ge=0)
    """Weight of the pointwise loss, which makes the scores of different lists comparable."""
    learned_task_weights: bool = True
    """Weigh several heads by their uncertainty; False weighs them alike. One head has no weight."""
    adversarial_epsilon: float = Field(0.0, ge=0)
    """Length of the adversarial shift of the embeddings in training; 0 trains without one."""
    averaging: float = Field(0.995, ge=0, lt=1)
    """Decay of the running mean of the weights that is kept; 0 keeps the last weights."""
    retrieval_trust: float = Field(3.0, ge=0)
    """Logits of a graph score of 1 where hardly a request teaches; less of more users or requests
    (:mod:`retrieval.rerank.trust`); 0 leaves all to the network."""
