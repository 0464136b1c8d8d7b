"""Moments as people name them: a date of the shop, the end of the data, weeks before it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from engine.dataset import Dataset
from engine.errors import DataError


def read_moment(text: str, zone: ZoneInfo) -> datetime:
    """The aware moment that a text names.

    Args:
        text: ISO 8601; a date alone is its midnight.
        zone: Of a text that names none.

    Raises:
        DataError: The text is no such thing.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise DataError(
            f"got {text!r}, expected a date or time such as 2017-12-04 or 2017-12-04T18:30"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


def end_of_data(dataset: Dataset) -> datetime:
    """The first second after the last event.

    Raises:
        DataError: The dataset has no events.
    """
    last = dataset.events["timestamp"].max()
    if not isinstance(last, datetime):
        raise DataError(f"{dataset.folder} has no events: nothing can be learned from it")
    return last.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)


def weeks_before_end(dataset: Dataset, weeks: int) -> datetime:
    """The midnight from which on the data has so many whole weeks, the last day included.

    Raises:
        DataError: The dataset has no events.
    """
    zone = ZoneInfo(dataset.settings.time_zone)
    # The last instant itself, lest an event just before midnight count for the next day.
    last = end_of_data(dataset) - timedelta(seconds=1)
    return midnight(last.astimezone(zone).date() + timedelta(days=1, weeks=-weeks), zone)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The beginning of a day in a zone."""
    return datetime.combine(day, time(), tzinfo=zone)
