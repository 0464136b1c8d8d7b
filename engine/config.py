"""Settings of a run: one frozen model per stage."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from engine.errors import DataError
from engine.policy_rules import PolicyConfig
from graph import GraphConfig
from retrieval.rerank.config import CandidateConfig, RerankConfig


class EngineConfig(BaseModel):
    """Everything that decides what a training makes of a dataset."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: NonNegativeInt = 0
    """Of every random choice in training."""
    encoder: str = "bundled"
    """Name for :meth:`encoders.Encoder.open`."""
    image_weight: float = Field(0.35, ge=0, le=1)
    """Share of the picture beside a title alone, where no gates are learned."""
    min_users: NonNegativeInt = 0
    """Items that fewer users than this took before ``as_of`` are searched but not recommended;
    0 recommends every available item."""
    graph: GraphConfig = GraphConfig()
    candidates: CandidateConfig = CandidateConfig()
    rerank: RerankConfig = RerankConfig()
    policy: PolicyConfig = PolicyConfig()

    @classmethod
    def read(cls, path: Path) -> EngineConfig:
        """Settings from a YAML file.

        Raises:
            DataError: The file cannot be read or a key is unknown or out of bounds.
        """
        try:
            return cls.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
        except (OSError, yaml.YAMLError, ValidationError) as error:
            raise DataError(f"{path}: {error}") from error
