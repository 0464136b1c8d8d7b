"""Everything known about the moment of a request."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from engine.errors import SceneError

MIN_YEAR, MAX_YEAR = 1900, 2200
"""Near the ends of what a calendar can name, a change of zone leads out of it."""

Text = Annotated[str, Field(min_length=1, max_length=200)]
Price = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]


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
    """Who comes along: family, friends, 2 people, alone."""
    recipient: Text | None = None
    """For whom it is, where not for the shopper: wife, child, dog."""
    recipient_age: float | None = Field(default=None, ge=0, le=120)
    """Years."""
    price_min: Price | None = None
    price_max: Price | None = None
    """Bounds of a price, both included."""
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] | None = None
    """ISO 4217 code of the bounds; None means the shop's own."""
    locale: Text | None = None
    """BCP 47 tag of the shopper's language: en-GB, zh-CN."""
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

    @model_validator(mode="after")
    def _prices_in_order(self) -> Self:
        lowest, highest = self.price_min, self.price_max
        if lowest is not None and highest is not None and lowest > highest:
            raise ValueError(
                f"got price_min {lowest:g} above price_max {highest:g}, expected them in order"
            )
        return self

    @classmethod
    def parse(
        cls,
        text: str,
        *,
        now: datetime | None = None,
        country: str | None = None,
        locale: str | None = None,
    ) -> Scene:
        """The scene that words tell of: "Friday evening, raining, birthday present, under 30".

        Whatever is not understood stays in ``query``; no text raises. What each stretch of the
        text became is told by :func:`engine.scene_parse.read_scene`.

        Args:
            text: English or Chinese.
            now: The shop's clock, with or without a zone; None is the clock of UTC.
            country: ISO 3166 code, for feasts, weekends and degrees.
            locale: BCP 47 tag of the shopper.
        """
        # Imported here because the parser is built on this type.
        from engine.scene_parse.read import read_scene

        return read_scene(text, now=now, country=country, locale=locale).scene

    @property
    def wish(self) -> str | None:
        """The words of the scene as one text: what was typed, what it is for, and for whom."""
        words = (self.query, self.occasion, self.for_whom)
        return ". ".join(part for part in words if part) or None

    @property
    def for_whom(self) -> str | None:
        """The recipient in words: "for a 6-year-old daughter"; None where none is known."""
        age, who = self.recipient_age, self.recipient
        if age is None:
            return f"for {who}" if who else None
        old = f"{age:.0f}-year-old" if age >= 2 or age == 1 else f"{age * 12:.0f}-month-old"
        return f"for a {old} {who or ('child' if age < 13 else '')}".rstrip()

    def at(self, zone: ZoneInfo, *, now: datetime | None = None) -> datetime:
        """The moment of the request, aware, in the shop's zone.

        Raises:
            SceneError: Its year is out of bounds.
        """
        moment = self.time or now or datetime.now(UTC)
        if not MIN_YEAR <= moment.year <= MAX_YEAR:
            raise SceneError("time", f"got {moment}, expected a year from {MIN_YEAR} to {MAX_YEAR}")
        return moment.replace(tzinfo=zone) if moment.tzinfo is None else moment.astimezone(zone)
