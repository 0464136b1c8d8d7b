"""What an engine worker does with calls about policies and experiments."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime

from engine.errors import UnknownIdError
from engine.experiments.report import report_of
from engine.policy_rules import Policy
from engine.recommend import Engine
from engine.serve.policy_schemas import (
    ArmOut,
    ExperimentRequest,
    ExperimentsAnswer,
    ExperimentsRequest,
    PolicyAnswer,
    PolicyRequest,
    PreviewAnswer,
    PreviewRequest,
    PutPolicyRequest,
    ReportAnswer,
    UpliftOut,
)
from engine.serve.wire import slots_of


def policy(call: PolicyRequest, engine: Engine) -> PolicyAnswer:
    """The policy in force."""
    return _in_force(engine)


def put_policy(call: PutPolicyRequest, engine: Engine) -> PolicyAnswer:
    """Put a policy in force: here at once, in other workers within a second."""
    engine.house.put_policy(call.policy)
    return _in_force(engine)


def preview(call: PreviewRequest, engine: Engine) -> PreviewAnswer:
    """A user's list under the policy in force, and under another."""
    seen = engine.preview(call.user_id, call.policy, call.scene, k=call.k)
    before, after = ([one.item.item_id for one in listed] for listed in (seen.before, seen.after))
    return PreviewAnswer(
        version_before=engine.house.policy(engine.run).version,
        version_after=call.policy.version,
        before=slots_of(engine, seen.before),
        after=slots_of(engine, seen.after),
        entered=tuple(item_id for item_id in after if item_id not in before),
        left=tuple(item_id for item_id in before if item_id not in after),
    )


def experiments(call: ExperimentsRequest, engine: Engine) -> ExperimentsAnswer:
    """The experiments in force."""
    return ExperimentsAnswer(
        experiments=engine.house.plan().experiments, problem=engine.house.experiments_file.problem
    )


def experiment(call: ExperimentRequest, engine: Engine) -> ReportAnswer:
    """An experiment as it stands."""
    found = engine.house.plan().experiment(call.name)
    if found is None:
        raise UnknownIdError("experiment", call.name)
    now = datetime.now(UTC)
    report = report_of(engine.store, found, now)
    return ReportAnswer(
        experiment=found,
        read_at=now,
        arms=tuple(ArmOut(**asdict(arm)) for arm in report.arms),
        uplifts=tuple(UpliftOut(**asdict(uplift)) for uplift in report.uplifts),
        moved=report.moved,
        sample_ratio_p=report.sample_ratio_p,
        mismatch=report.mismatch,
    )


def _in_force(engine: Engine) -> PolicyAnswer:
    held = engine.house.policy_file
    found = engine.house.policy(engine.run)
    rules = Policy.model_validate({name: getattr(found, name) for name in Policy.model_fields})
    source = "run" if held.current() is None else "file"
    return PolicyAnswer(version=found.version, source=source, problem=held.problem, policy=rules)


POLICY_VERBS = (policy, put_policy, preview, experiments, experiment)
