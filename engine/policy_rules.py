"""What a shop may rule about its lists: the settings behind :mod:`engine.policy`.

Every section is off by default. Times without a zone are the shop's own. Whatever weighs a
score (boosts, diversity, uncertainty) does so in units of the score, which are logits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

MAX_LOGIT = 50.0
"""Boosts beyond it would say "always" or "never", which floors and blocklists say better."""


def _as_path(value: object) -> object:
    return (value,) if isinstance(value, str) else value


YEARS = range(1970, 2101)


def _plausible(moment: datetime) -> datetime:
    if moment.year not in YEARS:
        raise ValueError(f"got the year {moment.year}, expected {YEARS[0]} to {YEARS[-1]}")
    return moment


def _no_number(value: object) -> object:
    if isinstance(value, int | float):
        raise ValueError(f"got {value}, expected a time such as 2030-04-01T00:00")
    return value


Day = Annotated[datetime, BeforeValidator(_no_number), AfterValidator(_plausible)]
Number = Annotated[float, Field(strict=True)]
"""No text that could be read as one, and no truth value."""
Whole = Annotated[int, Field(strict=True)]
Days = Annotated[Number, Field(gt=0, le=3_650)]
Logits = Annotated[Number, Field(gt=0, le=MAX_LOGIT)]
Slots = Annotated[Whole, Field(le=1_000)]
MOST_RULES = 200
"""Boosts, and caps, of one policy: each keeps a mask over the items."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=80)]
CategoryPath = Annotated[tuple[str, ...], BeforeValidator(_as_path), Field(min_length=1)]
"""Most general first; the category and everything under it. A single name is a path of one."""


class Section(BaseModel):
    """One section of a policy."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Items(Section):
    """Which items are meant: those that meet every condition given."""

    items: tuple[str, ...] = ()
    """Any of these item ids."""
    brands: tuple[str, ...] = ()
    """Any of these brands."""
    category: CategoryPath | None = None
    """Path of a category, most general first: it and everything under it."""
    attributes: Mapping[str, str] = Field(default_factory=dict)
    """All of these, such as ``{colour: red}``."""

    @model_validator(mode="after")
    def _some_condition(self) -> Self:
        if not (self.items or self.brands or self.category or self.attributes):
            raise ValueError("expected at least one of items, brands, category, attributes")
        return self


class Block(Section):
    """What no list may hold."""

    items: tuple[str, ...] = ()
    """Item ids."""
    brands: tuple[str, ...] = ()
    """Brands."""
    categories: tuple[CategoryPath, ...] = ()
    """Paths of categories, most general first."""


class Boost(Items):
    """Score that some items gain, or lose, for a while."""

    name: Name
    """What the trace calls it."""
    logit: Number = Field(ge=-MAX_LOGIT, le=MAX_LOGIT)
    """Added to the score: 0.69 doubles the odds that the model gives an item, -0.69 halves them."""
    starts_at: Day | None = None
    """First moment at which it counts; None is always."""
    ends_at: Day | None = None
    """First moment at which it no longer counts; None is never."""

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        start, end = self.starts_at, self.ends_at
        if start and end and start.replace(tzinfo=None) >= end.replace(tzinfo=None):
            raise ValueError(f"got a boost from {start} to {end}, expected the earlier first")
        return self


class Cap(Items):
    """A limit on how many of some items one list holds."""

    name: Name
    """What the trace calls it."""
    most: Annotated[Slots, Field(ge=0)]
    """Slots of one list."""


class Frequency(Section):
    """Rest for what a user was shown and passed by."""

    most: Annotated[Slots, Field(ge=1)] = 3
    """Showings after which an item rests."""
    days: Days = 7.0
    """How long a showing counts. An act of the user on the item clears the count."""


class DiversityMethod(StrEnum):
    """How lists are kept from repeating themselves."""

    MMR = "mmr"
    DPP = "dpp"


class VectorSpace(StrEnum):
    """Where items are near each other."""

    CONTENT = "content"
    GRAPH = "graph"


class Diversity(Section):
    """Preference for items unlike those above them in the list."""

    method: DiversityMethod = DiversityMethod.MMR
    """``mmr`` looks at the most similar item above, ``dpp`` at all of them together."""
    weight: Logits = 1.0
    """Logits: with ``mmr``, what a cosine of 1 to an item above costs; with ``dpp``, what every
    factor of e in the volume of the list is worth."""
    vectors: VectorSpace = VectorSpace.CONTENT
    """``content``: what items look and read like; ``graph``: who takes them."""


class ExplorationMethod(StrEnum):
    """How slots are given to chance."""

    EPSILON = "epsilon"
    THOMPSON = "thompson"


class Exploration(Section):
    """Slots given to chance with a known probability, so that the log can be learned from."""

    method: ExplorationMethod = ExplorationMethod.EPSILON
    """``epsilon``: a share of slots goes to anything in the pool alike; ``thompson``: every slot
    goes to the best of scores drawn around the model's, wider where less is known."""
    epsilon: Number = Field(0.1, gt=0, le=1)
    """Share of slots that are drawn; of ``epsilon`` alone."""
    spread: Logits = 1.0
    """Standard deviation, in logits, of the score of an item that was never sold; of ``thompson``
    alone."""
    prior_sales: Number = Field(10.0, gt=0, le=1e9)
    """Sales after which the variance has halved; of ``thompson`` alone."""
    pool: Whole = Field(50, ge=2, le=1000)
    """How many of the best that may take a slot are drawn from."""


class ExposedGroup(StrEnum):
    """Whom a floor of exposure is for."""

    NEW = "new"
    SMALL_BRANDS = "small_brands"


class ExposureScope(StrEnum):
    """What a floor of exposure is kept over."""

    LIST = "list"
    TRAFFIC = "traffic"


class Exposure(Section):
    """A least share of slots for items that the score alone would seldom show."""

    of: ExposedGroup
    """``new``: items put on offer lately; ``small_brands``: items of brands that sell little."""
    share: Number = Field(gt=0, le=1)
    """Least share of slots."""
    over: ExposureScope = ExposureScope.TRAFFIC
    """``list``: of every beginning of a list, rounded down; ``traffic``: of all slots of a server
    process, so that a share of one slot in fifty is kept too; the lowest slots pay it."""
    window_days: Days = 7.0
    """Slots of ``traffic`` count half after so long."""
    new_days: Days = 30.0
    """How long an item is new after its ``created_at``."""
    new_sales: Whole = Field(10, ge=0, le=1_000_000_000)
    """Where ``created_at`` is not known, an item is new up to so many sales."""
    brand_share: Number = Field(0.001, gt=0, lt=1)
    """Up to which share of the shop's sales a brand is small."""


class Policy(Section):
    """The rules between the scores and the list; an empty policy is the order of the scores."""

    name: Name = "default"
    """What the log and the experiments call it."""
    block: Block = Block()
    """Items, brands and categories that no list may hold."""
    max_per_group: Annotated[Slots, Field(ge=1)] | None = None
    """Items of one finest category in an answer at most; None sets no limit."""
    caps: tuple[Cap, ...] = Field((), max_length=MOST_RULES)
    """Further limits, on any items."""
    boosts: tuple[Boost, ...] = Field((), max_length=MOST_RULES)
    """Score that some items gain or lose for a while; those of an item add up."""
    frequency: Frequency | None = None
    """Rest for what a user was shown and passed by."""
    diversity: Diversity | None = None
    """Preference for items unlike those above them."""
    exploration: Exploration | None = None
    """Slots given to chance, in answers that are logged."""
    exposure: tuple[Exposure, ...] = Field((), max_length=8)
    """Least shares of slots; earlier ones go first where two are due."""

    @field_validator("caps", "boosts")
    @classmethod
    def _named_apart(cls, rules: tuple[Cap | Boost, ...]) -> tuple[Cap | Boost, ...]:
        names = [rule.name for rule in rules]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two are named {twice[0]!r}: give each a name of its own")
        return rules

    @property
    def version(self) -> str:
        """Name and digest of the rules: the same rules have the same version anywhere."""
        rules = Policy.model_validate({n: getattr(self, n) for n in Policy.model_fields})
        digest = hashlib.blake2b(rules.model_dump_json().encode(), digest_size=4).hexdigest()
        return f"{self.name}-{digest}"


class PolicyConfig(Policy):
    """The policy of a run, for as long as no policy file takes its place."""

    wish_weight: Number = Field(16.0, ge=0)
    """How many units of score a cosine of 1 between the scene's words or photo and an item adds;
    it belongs to the run, whose scores it is part of."""
