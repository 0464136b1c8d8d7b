"""Calls, tokens, seconds and money that language models took."""

from __future__ import annotations

from dataclasses import dataclass

from engine.llm.settings import ModelSettings


@dataclass(frozen=True, slots=True)
class Usage:
    """What was used; two add up."""

    calls: int = 0
    failures: int = 0
    """Calls that broke off or took too long."""
    tokens_in: int = 0
    tokens_out: int = 0
    seconds: float = 0.0
    usd: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.calls + other.calls,
            self.failures + other.failures,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            self.seconds + other.seconds,
            self.usd + other.usd,
        )


def usage_of(
    settings: ModelSettings, *, tokens_in: int, tokens_out: int, seconds: float, failed: bool
) -> Usage:
    """One call's usage at the settings' prices."""
    usd = tokens_in * settings.usd_per_million_in + tokens_out * settings.usd_per_million_out
    return Usage(1, int(failed), tokens_in, tokens_out, seconds, usd / 1e6)
