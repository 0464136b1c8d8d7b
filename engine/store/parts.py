"""Long lists of ids, asked about in parts: a statement takes only so many values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

One = TypeVar("One")

READ_AT_ONCE = 500
"""What is asked about, or read, with one query."""


def in_parts(values: Sequence[One]) -> Iterator[Sequence[One]]:
    """The values, at most :data:`READ_AT_ONCE` together."""
    for start in range(0, len(values), READ_AT_ONCE):
        yield values[start : start + READ_AT_ONCE]
