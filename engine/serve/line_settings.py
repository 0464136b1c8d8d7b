"""How long the line may grow, and how it is handed out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LineSettings:
    """Bounds of :class:`engine.serve.line.Line`."""

    longest: int = 64
    """Calls that may wait; the next one is refused."""
    batch: int = 4
    """Calls that a worker gets at once, at most."""
    timeout_s: float = 30.0
    """A call that waited longer is not worth an answer."""
    stuck_s: float = 60.0
    """A worker that is silent for longer over what it has in hand is killed, and replaced."""
