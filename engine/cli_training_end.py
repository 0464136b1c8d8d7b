"""Where training ends, as the options of a command say it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import typer

if TYPE_CHECKING:
    from engine.dataset import Dataset


def training_end(dataset: Dataset, as_of: str | None, hold_out_weeks: int | None) -> datetime:
    """The moment from which on no event is read; by default after the last one.

    Raises:
        typer.BadParameter: Both options are given.
        DataError: No such moment, or a dataset without events and no option.
    """
    from engine.moments import end_of_data, read_moment, weeks_before_end

    if as_of is not None and hold_out_weeks is not None:
        raise typer.BadParameter("got --as-of and --hold-out-weeks, expected one of them")
    if as_of is not None:
        return read_moment(as_of, ZoneInfo(dataset.settings.time_zone))
    if hold_out_weeks is not None:
        return weeks_before_end(dataset, hold_out_weeks)
    return end_of_data(dataset)
