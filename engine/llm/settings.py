"""Which language model, how long it may take and what it costs."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

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
