"""Policies and experiments over the wire."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field

from engine.evaluate.bootstrap import Interval
from engine.experiments.plan import Experiment
from engine.policy_rules import Policy
from engine.serve.fields import Count, Id, Request, SceneBody
from engine.serve.schemas import RecommendedItem


class PolicyRequest(Request):
    """``GET /v1/policy``."""


class PutPolicyRequest(Request):
    """``PUT /v1/policy``."""

    policy: Policy


class PolicyAnswer(BaseModel):
    """The policy in force, experiments aside."""

    version: str
    """Name and digest of the rules, as the log has them."""
    source: str
    """``file``, or ``run`` where there is no policy file and the run's own settings hold."""
    problem: str | None
    """What is wrong with the policy file as it is now, if it had to be passed over."""
    policy: Policy


class PreviewRequest(Request):
    """Body of ``POST /v1/policy/preview``."""

    user_id: Id
    policy: Policy
    """What would be tried."""
    scene: SceneBody | None = None
    k: Count = 10


class PreviewAnswer(BaseModel):
    """A list as it is, and as it would be. Nothing is drawn, and nothing logged."""

    version_before: str
    version_after: str
    before: tuple[RecommendedItem, ...]
    after: tuple[RecommendedItem, ...]
    entered: tuple[str, ...]
    """Items of the second list alone, best first."""
    left: tuple[str, ...]
    """Items of the first list alone, best first."""


class ExperimentsRequest(Request):
    """``GET /v1/experiments``."""


class ExperimentsAnswer(BaseModel):
    """The experiments in force."""

    experiments: tuple[Experiment, ...]
    problem: str | None
    """What is wrong with the experiments file as it is now, if it had to be passed over."""


class ExperimentRequest(Request):
    """``GET /v1/experiments/{name}``."""

    name: Id


class ArmOut(BaseModel):
    """One variant."""

    name: str
    exposed: int = Field(description="Users who were shown a list in it.")
    counted: int = Field(description="Those of them whose days are over.")
    mean: float | None = Field(description="Acts per counted user.")


class UpliftOut(BaseModel):
    """One variant against the first."""

    name: str
    absolute: Interval
    """Of the difference in acts per user; valid at every look."""
    relative: Interval | None
    """The same as a share of the first variant's mean; valid at every look."""
    fixed: Interval
    """The difference with the interval of a single look."""
    p_value: float
    """Valid at every look."""


class ReportAnswer(BaseModel):
    """An experiment as it stands."""

    experiment: Experiment
    read_at: datetime
    arms: tuple[ArmOut, ...]
    uplifts: tuple[UpliftOut, ...]
    """Of variants with 30 users whose days are over, and more."""
    moved: int
    """Users who were in two variants, as after a change of the weights; left out."""
    sample_ratio_p: float
    mismatch: bool
    """Whether the users do not share out as the weights say: trust no figure then."""
