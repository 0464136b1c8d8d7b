"""Everything known about the moment of a request."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator

from engine.errors import SceneError

MIN_YEAR, MAX_YEAR = 1900, 2200
"""Near the ends of what a calendar can name, a change of zone leads out of it."""

Text = Annotated[str, Field(min_length=1, max_length=200)]


class Scene(BaseModel):
    """The scene a shopper is in; any subset may be missing.

    The same type is reconstructed for every past event, so that the model trains on what it
    will see. What can be derived (weekday, season, holiday, offers running) is derived in
    :mod:`engine.calendar` from ``time``, the shop's time zone and its country.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    time: datetime | None = None
    """Moment of the request; without a zone it is the shop's local time. None means now."""
    place: Text | None = None
    """Where the shopper is: a store, a site, a country; an id of the dataset's places."""
    country: Text | None = None
    """ISO 3166 code, for holidays; None means the shop's own."""
    device: Text | None = None
    weather: Text | None = None
    temperature: float | None = Field(default=None, ge=-80, le=70)
    """Degrees Celsius."""
    occasion: Text | None = None
    """What the visit is for: birthday, wedding, barbecue."""
    companions: Text | None = None
    query: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    """Words the shopper typed: a wish."""
    image: bytes | None = None
    """A photo, as the bytes of its file."""
    hemisphere: Literal["north", "south"] | None = None
    """Decides the season; None means from the shop's country."""
    attributes: Mapping[str, str] = Field(default_factory=dict)

    @field_validator("time", mode="before")
    @classmethod
    def _readable_time(cls, value: object) -> object:
        if isinstance(value, str):
            try:
                return datetime.fromisoformat(value)
            except ValueError as error:
                raise ValueError(
                    f"got {value!r}, expected ISO 8601 such as 2017-12-22T18:30"
                ) from error
        return value

    @property
    def wish(self) -> str | None:
        """The words of the scene as one text: what was typed, and what the visit is for."""
        return ". ".join(words for words in (self.query, self.occasion) if words) or None

    def at(self, zone: ZoneInfo, *, now: datetime | None = None) -> datetime:
        """The moment of the request, aware, in the shop's zone.

        Raises:
            SceneError: Its year is out of bounds.
        """
        moment = self.time or now or datetime.now(UTC)
        if not MIN_YEAR <= moment.year <= MAX_YEAR:
            raise SceneError("time", f"got {moment}, expected a year from {MIN_YEAR} to {MAX_YEAR}")
        return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)
