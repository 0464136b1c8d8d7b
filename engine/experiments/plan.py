"""Experiments as configuration: who takes part, in which variant, and what it changes.

A user's place is a hash of the user's id and a salt: no list is kept, every process agrees, and
nobody changes sides. Experiments of one layer share out its users and so never meet in one user;
layers are drawn independently of each other, after Tang et al., "Overlapping Experiment
Infrastructure", KDD 2010.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from engine.types import EventKind

Name = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^[\w.-]+$")]


class Section(BaseModel):
    """One section of a plan."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Variant(Section):
    """One side of an experiment."""

    name: Name
    weight: float = Field(1.0, gt=0, le=1e6)
    """Share of the experiment's users, in proportion to the other weights."""
    policy: Path | None = None
    """Policy file that its users' lists keep to, relative to the plan; None is the usual one."""
    run: Path | None = None
    """Run that answers its users, relative to the plan; None is the one that serves."""


class Metric(Section):
    """What the variants are compared by: how often users did something after the first list."""

    kind: EventKind = EventKind.CLICK
    """The act that counts."""
    attributed: bool = True
    """Count only acts that name the request of a list that was shown; else all of the kind."""
    outcome_days: float = Field(7.0, gt=0, le=365)
    """How long after a user's first list acts count. Users join the report when that is over, so
    that a later look at the same user cannot change what an earlier look counted."""


class Experiment(Section):
    """A comparison between variants; the first is what the others are compared with."""

    name: Name
    layer: Name = "default"
    """Experiments of one layer have no user in common."""
    share: float = Field(1.0, gt=0, le=1)
    """Share of the layer's users that take part."""
    variants: tuple[Variant, ...] = Field(min_length=2)
    starts_at: datetime | None = None
    """First moment, with its zone; None is always."""
    ends_at: datetime | None = None
    """First moment no longer part of it; None is never."""
    metric: Metric = Metric()
    level: float = Field(0.95, gt=0.5, lt=1)
    """Of the intervals."""

    @model_validator(mode="after")
    def _can_be_run(self) -> Self:
        names = [variant.name for variant in self.variants]
        if len(set(names)) < len(names):
            raise ValueError(f"got variants {', '.join(names)}, expected distinct names")
        for moment in (self.starts_at, self.ends_at):
            if moment is not None and moment.tzinfo is None:
                raise ValueError(f"got {moment}, expected a time with its zone, such as {moment}Z")
        return self

    def variant(self, name: str) -> Variant:
        """The variant of a name."""
        return next(variant for variant in self.variants if variant.name == name)

    def runs_at(self, moment: datetime) -> bool:
        """Whether a moment lies in the experiment's time."""
        start, end = self.starts_at, self.ends_at
        return (start is None or start <= moment) and (end is None or moment < end)


class Plan(Section):
    """All experiments of a shop."""

    experiments: tuple[Experiment, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [experiment.name for experiment in self.experiments]
        if len(set(names)) < len(names):
            raise ValueError(f"got experiments {', '.join(names)}, expected distinct names")
        for layer in {experiment.layer for experiment in self.experiments}:
            shares = sum(e.share for e in self.experiments if e.layer == layer)
            if shares > 1 + 1e-9:
                raise ValueError(
                    f"layer {layer!r}: shares add up to {shares:g}, expected at most 1; give an "
                    "experiment less, or a layer of its own"
                )
        for what in ("policy", "run"):
            layers = sorted({e.layer for e in self.experiments if _changes(e, what)})
            if len(layers) > 1:
                raise ValueError(
                    f"experiments of the layers {' and '.join(layers)} change the {what}, and a "
                    "user may be in both: put them into one layer"
                )
        return self

    def experiment(self, name: str) -> Experiment | None:
        """The experiment of a name; None where there is none."""
        return next((e for e in self.experiments if e.name == name), None)

    def assigned(self, user_id: str, moment: datetime) -> Mapping[str, str]:
        """Experiment to variant, for those that a user takes part in at a moment."""
        found: dict[str, str] = {}
        begins: dict[str, float] = {}
        for experiment in self.experiments:
            begin = begins.get(experiment.layer, 0.0)
            begins[experiment.layer] = begin + experiment.share
            place = fraction(f"layer:{experiment.layer}", user_id)
            if begin <= place < begin + experiment.share and experiment.runs_at(moment):
                found[experiment.name] = variant_of(experiment, user_id)
        return found


def fraction(salt: str, user_id: str) -> float:
    """A number in [0, 1) that a salt and a user id always have, and that looks drawn."""
    digest = hashlib.blake2b(f"{salt}\0{user_id}".encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big") / 2.0**56


def variant_of(experiment: Experiment, user_id: str) -> str:
    """The variant of a user who takes part."""
    place = fraction(f"experiment:{experiment.name}", user_id)
    weights = [variant.weight for variant in experiment.variants]
    ends = list(accumulate(weights))
    at = next((n for n, end in enumerate(ends) if place < end / ends[-1]), len(ends) - 1)
    return experiment.variants[at].name


@dataclass(frozen=True, slots=True)
class Assigned:
    """What the experiments make of one user's request."""

    variants: Mapping[str, str]
    policy: Path | None = None
    run: Path | None = None


def assign(plan: Plan, user_id: str, moment: datetime) -> Assigned:
    """Variants of a user at a moment, and what they change; a user is in one that does at most."""
    variants = plan.assigned(user_id, moment)
    chosen = [e.variant(variants[e.name]) for e in plan.experiments if e.name in variants]
    policy = next((v.policy for v in chosen if v.policy is not None), None)
    run = next((v.run for v in chosen if v.run is not None), None)
    return Assigned(variants, policy, run)


def _changes(experiment: Experiment, what: str) -> bool:
    return any(getattr(variant, what) is not None for variant in experiment.variants)
