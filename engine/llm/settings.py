"""Which language model, how long it may take and what it costs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import DataError

MODEL_VARIABLE = "VITRINE_LLM"
"""Environment variable that names a model, as :attr:`ModelSettings.model` does, or the YAML file
of its settings."""

Seconds = Annotated[float, Field(gt=0, le=600)]
Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class ModelSettings(BaseModel):
    """A chat model and its bounds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Annotated[str, Field(min_length=1)]
    """``openai:gpt-5-mini``, ``ollama:qwen3``, ``huggingface:ORG/NAME``, or any other provider of
    LangChain; ``http://host:8080/v1`` or ``http://host:8080/v1#name``, a server that speaks as
    OpenAI's does; ``local``, the packaged Gemma."""
    timeout_s: Seconds = 10.0
    """For one call, all its tokens included."""
    retries: Annotated[int, Field(ge=0, le=5)] = 1
    """Further tries after a failure; never after the time is up."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.2
    max_tokens: Annotated[int, Field(ge=16, le=16_384)] = 1_024
    usd_per_million_in: Dollars = 0.0
    usd_per_million_out: Dollars = 0.0
    threads: Annotated[int, Field(ge=1, le=256)] = 2
    """Of the packaged model."""


def settings_of(named: str) -> ModelSettings:
    """Settings by the name of a model, or of a YAML file that holds all of them.

    Args:
        named: As :attr:`ModelSettings.model`, or a path that ends in ``.yaml`` or ``.yml``.

    Raises:
        DataError: The file cannot be read, or holds no settings.
    """
    if not named.endswith((".yaml", ".yml")):
        return ModelSettings(model=named)
    try:
        return ModelSettings.model_validate(yaml.safe_load(Path(named).read_text("utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        raise DataError(
            f"got {named!r}, expected a YAML file of a model's settings such as "
            f"'model: openai:gpt-5-mini': {error}"
        ) from error


def settings_from_environment(
    environment: Mapping[str, str] = os.environ,
) -> ModelSettings | None:
    """The model that the environment names; None where it names none.

    Raises:
        DataError: It names a file that holds no settings.
    """
    named = environment.get(MODEL_VARIABLE)
    return settings_of(named) if named else None
