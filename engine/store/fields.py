"""What the store's columns take: ids, text, numbers and moments that every database keeps."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from engine.errors import DataError

LONGEST_ID = 500
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def moment(at_us: int) -> datetime:
    """Microseconds since 1970 as a moment."""
    return _EPOCH + timedelta(microseconds=at_us)


def microseconds(name: str, at: datetime) -> int:
    """A moment as microseconds since 1970.

    Raises:
        DataError: It has no zone.
    """
    if at.tzinfo is None:
        raise DataError(f"{name}: got {at.isoformat()}, expected a time with its zone")
    return (at - _EPOCH) // _MICROSECOND


def checked_number(name: str, value: float) -> float:
    """A finite number.

    Raises:
        DataError: It is not.
    """
    if not math.isfinite(value):
        raise DataError(f"{name}: got {value}, expected a finite number")
    return float(value)


def checked_text(name: str, value: str) -> str:
    """Text that every database takes: PostgreSQL has no NUL, UTF-8 no lone surrogates.

    Raises:
        DataError: It holds one.
    """
    if "\0" in value or value.encode("utf-8", "ignore").decode() != value:
        raise DataError(f"{name}: got {value[:50]!r}, expected text without NUL or surrogates")
    return value


def checked_id(name: str, value: str) -> str:
    """An id: text of 1 to 500 characters.

    Raises:
        DataError: It is not.
    """
    if not 1 <= len(value) <= LONGEST_ID:
        raise DataError(f"{name}: got {len(value)} characters, expected 1 to {LONGEST_ID}")
    return checked_text(name, value)
