"""Assignment, and what the report says of worlds whose truth is known."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from pydantic import ValidationError

from engine.errors import DataError
from engine.experiments.plan import Experiment, Metric, Plan, Variant, assign, fraction
from engine.experiments.report import report_of
from engine.experiments.sequential import (
    Estimate,
    difference,
    fixed_interval,
    relative_difference,
    sample_ratio_p,
    sequential_interval,
    sequential_p,
)
from engine.policy.file import read_model
from engine.store import EventStore, Impression
from engine.types import Event, EventKind

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SIDES = (Variant(name="control"), Variant(name="treated"))


def experiment(name: str = "test", **fields) -> Experiment:
    return Experiment(name=name, **{"variants": SIDES, **fields})


def users(n: int) -> list[str]:
    return [f"user-{i}" for i in range(n)]


# Assignment


def test_the_same_user_has_the_same_variant_in_every_process():
    plan = Plan(experiments=(experiment(),))
    assert {plan.assigned("ann", NOW)["test"] for _ in range(3)} == {"treated"}  # a known answer
    assert fraction("layer:default", "ann") == pytest.approx(0.5533016121509012, abs=1e-15)


def test_weights_are_kept():
    weighed = experiment(variants=(SIDES[0], Variant(name="treated", weight=3)))
    plan = Plan(experiments=(weighed,))
    counts = Counter(plan.assigned(user, NOW)["test"] for user in users(8000))
    assert sample_ratio_p(np.array([counts["control"], counts["treated"]]), np.array([1, 3])) > 1e-3


def test_experiments_of_a_layer_share_its_users_out_and_layers_cross():
    plan = Plan(
        experiments=(
            experiment("a", layer="list", share=0.3),
            experiment("b", layer="list", share=0.5),
            experiment("c", layer="page"),
        )
    )
    found = [plan.assigned(user, NOW) for user in users(6000)]
    assert not any("a" in one and "b" in one for one in found)
    parts = [sum(name in one for one in found) / len(found) for name in ("a", "b", "c")]
    assert parts == pytest.approx([0.3, 0.5, 1.0], abs=0.03)
    both = Counter((one["b"], one["c"]) for one in found if "b" in one)
    table = np.array([[both[b, c] for c in ("control", "treated")] for b in ("control", "treated")])
    assert table.min() / table.max() > 0.8  # independent: all four alike


def test_a_larger_share_keeps_the_users_that_were_in():
    small, large = (Plan(experiments=(experiment(share=share),)) for share in (0.2, 0.6))
    was = {user: plan for user in users(2000) if (plan := small.assigned(user, NOW))}
    assert was
    assert all(large.assigned(user, NOW) == variant for user, variant in was.items())


def test_nobody_takes_part_before_or_after():
    dated = Plan(experiments=(experiment(starts_at=NOW, ends_at=NOW + DAY),))
    in_it = [bool(dated.assigned("ann", NOW + n * DAY / 2)) for n in (-1, 0, 1, 2)]
    assert in_it == [False, True, True, False]


def test_a_variant_brings_its_policy_and_its_run(tmp_path):
    sides = (SIDES[0], Variant(name="treated", policy="spring.yaml", run="../new"))
    assigned = assign(Plan(experiments=(experiment(variants=sides),)), "ann", NOW)
    assert (str(assigned.policy), str(assigned.run)) == ("spring.yaml", "../new")


@pytest.mark.parametrize(
    ("experiments", "message"),
    [
        ([experiment("a"), experiment("a", layer="other")], "distinct names"),
        ([experiment("a", share=0.7), experiment("b", share=0.4)], "add up to 1.1"),
        (
            [
                experiment(n, layer=n, variants=(SIDES[0], Variant(name="x", policy="p.yaml")))
                for n in "ab"
            ],
            "layers a and b change the policy",
        ),
    ],
)
def test_a_plan_that_cannot_be_run_is_refused(experiments, message):
    with pytest.raises(ValidationError, match=message):
        Plan(experiments=experiments)


def test_a_wrong_key_of_a_plan_is_named_with_its_line(tmp_path):
    path = tmp_path / "experiments.yaml"
    path.write_text("experiments:\n  - name: a\n    variants:\n      - {name: x, wieght: 2}\n")
    with pytest.raises(DataError, match=r"line 4: .*wieght: unknown key; did you mean 'weight'"):
        read_model(path, Plan)


# Intervals


def half_width(n: int, alpha: float, tuned_for: int) -> float:
    """Of a variance of 1, as in theorem 2.2, tuned for a level of 0.95."""
    told = -2 * np.log(0.05)
    rho2 = (told + np.log(told + 1)) / tuned_for
    grown = n * rho2 + 1
    return np.sqrt(2 * grown / (n**2 * rho2) * np.log(np.sqrt(grown) / alpha))


def test_the_sequence_by_its_formula():
    half = sequential_interval(Estimate(0.0, 4.0, 100), 0.95, tuned_for=100).high
    assert half == pytest.approx(2 * half_width(100, 0.05, 100))


@pytest.mark.parametrize("value", [0.15, 0.2, 0.5])
def test_the_p_value_is_the_level_at_which_the_sequence_touches_zero(value):
    seen = Estimate(value, 1.0, 400)
    p = sequential_p(seen, 0.95)
    assert 0 < p < 1
    assert half_width(400, p, 5000) == pytest.approx(value)
    assert (p < 0.05) == (sequential_interval(seen, 0.95).low > 0)


def test_the_p_value_of_nothing_is_one():
    assert sequential_p(Estimate(0.0, 1.0, 400), 0.95) == 1.0
    assert sequential_p(Estimate(0.0, 0.0, 400), 0.95) == 1.0


def test_looking_every_day_fools_the_usual_interval_and_not_the_sequence():
    """500 experiments without a difference, looked at 40 times each."""
    rng = np.random.default_rng(5)
    fooled = Counter()
    for _ in range(500):
        values = rng.exponential(1.0, (2, 2000))  # skewed, as counts of acts are
        usual = sequence = False
        for n in range(50, 2001, 50):
            seen = difference(values[0, :n], values[1, :n])
            plain = fixed_interval(seen, 0.95)
            usual |= not plain.low <= 0 <= plain.high
            sequence |= sequential_p(seen, 0.95, tuned_for=1000) < 0.05
        fooled["usual"] += usual
        fooled["sequence"] += sequence
    assert fooled["usual"] / 500 > 0.2
    assert fooled["sequence"] / 500 <= 0.05


def test_the_relative_interval_covers():
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(300):
        seen = relative_difference(rng.poisson(0.6, 800) * 1.0, rng.poisson(0.5, 800) * 1.0)
        interval = fixed_interval(seen, 0.95)
        held += interval.low <= 0.2 <= interval.high
    assert 0.91 <= held / 300 <= 0.985
    assert relative_difference(np.ones(5), np.zeros(5)) is None


def test_counts_that_do_not_fit_the_weights_are_found():
    assert sample_ratio_p(np.array([5000, 5020]), np.array([1, 1])) > 0.5
    assert sample_ratio_p(np.array([5000, 5400]), np.array([1, 1])) < 1e-3


# The report


@pytest.fixture
def store(tmp_path):
    with EventStore.open(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        yield opened


def shown(user: str, at: datetime, variant: str, n: int = 0) -> Impression:
    return Impression(f"{user}/{n}", user, at, "{}", "run", (), "p", {"test": variant})


def act(user: str, at: datetime, request: str | None, kind=EventKind.CLICK) -> Event:
    return Event(user, "item", kind, at, request_id=request)


def world(store, lift: float, n: int = 400) -> None:
    """Users of both variants, shown a list 10 days ago; one in five acts, or a share more."""
    rng = np.random.default_rng(0)
    lists, events = [], []
    for i, user in enumerate(users(n)):
        variant = "treated" if i % 2 else "control"
        at = NOW - 10 * DAY + timedelta(minutes=i)
        lists.append(shown(user, at, variant))
        if rng.random() < 0.2 + (lift if variant == "treated" else 0.0):
            events.append(act(user, at + DAY, f"{user}/0"))
    store.log_impressions(*lists)
    store.append(events)


def test_an_uplift_is_found_and_its_size_is_right(store):
    world(store, 0.4)
    report = report_of(store, experiment(), NOW)
    assert [(arm.name, arm.exposed, arm.counted) for arm in report.arms] == [
        ("control", 200, 200),
        ("treated", 200, 200),
    ]
    (uplift,) = report.uplifts
    assert uplift.absolute.low > 0
    assert uplift.absolute.low < 0.4 < uplift.absolute.high
    assert uplift.fixed.high - uplift.fixed.low < uplift.absolute.high - uplift.absolute.low
    assert uplift.p_value < 0.05
    assert not report.mismatch
    control, treated = (arm.mean for arm in report.arms)
    assert uplift.absolute.estimate == pytest.approx(treated - control)
    assert uplift.relative.estimate == pytest.approx(treated / control - 1)


def test_no_uplift_is_not_found(store):
    world(store, 0.0)
    (uplift,) = report_of(store, experiment(), NOW).uplifts
    assert uplift.absolute.low < 0 < uplift.absolute.high
    assert uplift.p_value > 0.05


def test_what_counts_and_what_does_not(store):
    metric = Metric(outcome_days=2)
    store.log_impressions(
        shown("ann", NOW - 5 * DAY, "control", 0),
        shown("ann", NOW - 4 * DAY, "control", 1),
        shown("bob", NOW - 5 * DAY, "treated"),
        shown("new", NOW - DAY, "treated"),
        shown("both", NOW - 5 * DAY, "control", 0),
        shown("both", NOW - 4 * DAY, "treated", 1),
    )
    store.append(
        [
            act("ann", NOW - 5 * DAY, "ann/0"),
            act("ann", NOW - 4 * DAY, "ann/1"),
            act("ann", NOW - 4 * DAY, None),  # not from a list
            act("ann", NOW - 4 * DAY, "bob/0"),  # not from a list of hers
            act("ann", NOW - 4 * DAY, "ann/1", EventKind.PURCHASE),  # not what counts
            act("bob", NOW - 2 * DAY, None),  # too late, were it from a list
            act("new", NOW - DAY, "new/0"),  # their days are not over
        ]
    )
    report = report_of(store, experiment(metric=metric), NOW)
    assert report.moved == 1
    assert [(arm.exposed, arm.counted, arm.mean) for arm in report.arms] == [
        (1, 1, 2.0),
        (2, 1, 0.0),
    ]
    assert report.uplifts == ()  # too few
    loose = experiment(metric=Metric(outcome_days=2, attributed=False))
    assert report_of(store, loose, NOW).arms[0].mean == 4.0


def test_users_who_get_lost_in_one_variant_are_noticed(store):
    world(store, 0.0)
    store.log_impressions(*(shown(f"x{i}", NOW - 9 * DAY, "treated") for i in range(120)))
    report = report_of(store, experiment(), NOW)
    assert report.mismatch
    assert report.sample_ratio_p < 1e-3


def test_an_experiment_that_nobody_met_is_empty(store):
    report = report_of(store, experiment("other"), NOW)
    assert [arm.exposed for arm in report.arms] == [0, 0]
    assert report.arms[0].mean is None
    assert report.uplifts == ()
