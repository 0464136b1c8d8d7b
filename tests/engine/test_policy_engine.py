"""A policy in an engine: each rule changes the list as it says, and the log can replay it."""

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import planted
import pytest
import torch

from engine.errors import DataError
from engine.experiments.counterfactual import Question, evaluate_policy
from engine.policy.exposure import Ledger
from engine.policy.file import write_policy
from engine.policy_rules import Policy
from engine.recommend import Engine
from engine.scene import Scene
from engine.shown import logged_examples, names_of, replayed
from engine.store import EventStore
from engine.types import Event, EventKind
from retrieval.rerank.batch import single

USER = planted.user_id(4)
VISIT = Scene(time=planted.CUT + timedelta(days=3))
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture
def ruled(loaded, tmp_path):
    """Opens an engine under a policy, with a store and a folder of its own."""
    opened, number = [], itertools.count()

    def open_with(policy=None, plan: str | None = None) -> Engine:
        folder = tmp_path / f"rules-{next(number)}"
        folder.mkdir()
        if policy is not None:
            write_policy(Policy.model_validate(policy), folder / "policy.yaml")
        if plan is not None:
            (folder / "experiments.yaml").write_text(plan)
        store = EventStore.open(f"sqlite:///{folder / 'events.sqlite'}")
        opened.append(Engine(loaded, store, rules=folder))
        return opened[-1]

    yield open_with
    for engine in opened:
        engine.close()


def ids(listed) -> list[str]:
    return [r.item.item_id for r in listed]


def logged(engine: Engine):
    """What the log holds, once everything is written."""
    engine._log.close()
    return list(engine.store.shown.between(LONG_AGO, datetime.now(UTC), seen=True))


def test_no_rule_changes_nothing(ruled):
    plain, empty = ruled(), ruled({})
    assert plain.recommend(USER, VISIT, k=20) == empty.recommend(USER, VISIT, k=20)
    answer = plain.answer(USER, VISIT, k=20)
    assert list(answer.recommendations) == plain.recommend(USER, VISIT, k=20)
    (shown,) = logged(plain)
    assert {slot.propensity for slot in shown.slots} == {1.0}
    assert shown.policy == plain.run.config.policy.version
    assert shown.variants == {}
    assert shown.seen.pool_items == ()


def test_what_is_blocked_is_not_there_and_the_list_is_still_full(ruled):
    first = ruled().recommend(USER, VISIT, k=10)
    brand = next(r.item.brand for r in first if r.item.brand)
    category = first[0].item.categories
    rules = {"items": ids(first[:1]), "brands": [brand], "categories": [category]}
    blocked = ruled({"block": rules}).recommend(USER, VISIT, k=10)
    assert len(blocked) == 10
    assert first[0].item.item_id not in ids(blocked)
    assert all(r.item.brand != brand for r in blocked)
    assert all(r.item.categories != category for r in blocked)


def test_a_boost_is_added_to_the_score_in_its_time_and_named(ruled):
    everything = ruled().recommend(USER, VISIT, k=planted.N_ITEMS)
    lifted = everything[8].item.item_id
    gap = everything[0].score - everything[8].score
    boost = {
        "name": "spring",
        "items": [lifted],
        "logit": gap + 0.5,
        "starts_at": (planted.CUT + timedelta(days=2)).replace(tzinfo=None).isoformat(),
        "ends_at": (planted.CUT + timedelta(days=4)).replace(tzinfo=None).isoformat(),
    }
    engine = ruled({"boosts": [boost]})
    first = engine.recommend(USER, VISIT, k=3)[0]
    assert first.item.item_id == lifted
    assert first.score == pytest.approx(first.trace.model_score + gap + 0.5, abs=1e-4)
    assert first.trace.boost_score == pytest.approx(gap + 0.5)
    assert first.trace.rules == (f"boost spring {gap + 0.5:+g}",)
    later = Scene(time=planted.CUT + timedelta(days=5))
    assert engine.recommend(USER, later) == ruled().recommend(USER, later)


def test_boosts_add_up_and_find_items_by_brand_category_and_attribute(ruled):
    rules = [
        {"name": "brand", "brands": ["Brand 1"], "logit": 0.25},
        {"name": "shelf", "category": ["Kitchen", "Kitchen dry"], "logit": -0.5},
        {"name": "both", "brands": ["Brand 1"], "category": "Kitchen", "logit": 1.0},
    ]
    for r in ruled({"boosts": rules}).recommend(USER, VISIT, k=planted.N_ITEMS):
        of_brand, of_kitchen = r.item.brand == "Brand 1", r.item.categories[0] == "Kitchen"
        expected = 0.25 * of_brand + 1.0 * (of_brand and of_kitchen)
        expected -= 0.5 * (r.item.categories[-1] == "Kitchen dry")
        assert r.trace.boost_score == pytest.approx(expected)
        assert len(r.trace.rules) >= (expected != 0)


def test_a_cap_holds_for_a_category_and_everything_under_it(ruled):
    cap = {"name": "kitchen", "category": "Kitchen", "most": 2}
    listed = ruled({"caps": [cap]}).recommend(USER, VISIT, k=10)
    assert sum(r.item.categories[0] == "Kitchen" for r in listed) == 2
    assert any("cap kitchen passed over" in rule for r in listed for rule in r.trace.rules)


@pytest.mark.parametrize("method", ["mmr", "dpp"])
def test_a_diverse_list_is_less_alike(ruled, method):
    plain = ruled()
    content = plain.run.tables.content

    def likeness(listed) -> float:
        rows = [plain.run.vocabulary.items.row(item_id) for item_id in ids(listed)]
        cosines = content[rows] @ content[rows].T
        return float(cosines[np.triu_indices(len(rows), 1)].mean())

    diverse = ruled({"diversity": {"method": method, "weight": 20}})
    before, after = plain.recommend(USER, VISIT, k=8), diverse.recommend(USER, VISIT, k=8)
    assert likeness(after) < likeness(before) - 0.05
    assert before[0].item == after[0].item
    assert any(f"{method} preferred it" in rule for r in after for rule in r.trace.rules)


def test_an_item_rests_once_shown_too_often_and_an_act_ends_its_rest(ruled):
    engine = ruled({"frequency": {"most": 2, "days": 1}})
    first = engine.answer(USER, VISIT, k=5)
    second = engine.answer(USER, VISIT, k=5)
    assert ids(first.recommendations) == ids(second.recommendations)
    engine._log.close()  # both are written
    tired = engine.recommend(USER, VISIT, k=5)
    assert not set(ids(tired)) & set(ids(first.recommendations))
    assert tired[0].trace.rules == ("frequency passed over 5",)
    assert ids(engine.recommend(planted.user_id(6), VISIT, k=5)) != ids(tired)
    loved = first.recommendations[3].item.item_id
    act = Event(USER, loved, EventKind.CLICK, planted.CUT, request_id=second.request_id)
    engine.observe([act])
    assert loved in ids(engine.recommend(USER, VISIT, k=5))


def test_new_items_get_their_share_of_every_list_and_of_all_traffic(ruled):
    plain = ruled()
    listed = plain.recommend(USER, VISIT, k=planted.N_ITEMS)
    sold = plain.run.world.trends.all_time
    rows = plain.run.vocabulary.items
    limit = int(np.sort([sold[rows.row(r.item.item_id)] for r in listed])[4])
    new = {r.item.item_id for r in listed if sold[rows.row(r.item.item_id)] <= limit}

    def shares(rule, n=30):
        engine = ruled({"exposure": [{"of": "new", "new_sales": limit, **rule}]})
        users = [planted.user_id(i % planted.N_USERS) for i in range(n)]
        answers = [engine.answer(user, VISIT, k=5).recommendations for user in users]
        return [np.mean([item in new for item in ids(answer)]) for answer in answers]

    assert min(shares({"share": 0.4, "over": "list"}, n=5)) >= 0.4
    over_all = shares({"share": 0.1})
    assert min(over_all) == 0.0  # half of the lists are left alone
    assert np.mean(over_all) >= 0.1


def test_a_ledger_forgets(ruled):
    clock = [0.0]
    ledger = Ledger(lambda: clock[0])
    rule = Policy(exposure=[{"of": "new", "share": 0.1, "window_days": 2}]).exposure[0]
    ledger.note(rule, np.array([True, False, False, False]))
    clock[0] = 2 * 86_400.0
    seen = ledger.before(rule)
    assert (seen.slots, seen.members) == pytest.approx((2.0, 0.5))


def test_small_brands_are_those_that_sell_little(ruled):
    engine = ruled()
    run = engine.run
    brands = [run.catalogue[row].brand for row in range(planted.N_ITEMS)]
    sold = Counter()
    for brand, n in zip(brands, run.world.trends.all_time, strict=True):
        sold[brand] += float(n)
    total = sum(sold.values())
    smallest = min((b for b in sold if b), key=lambda b: sold[b])
    rule = {"of": "small_brands", "brand_share": sold[smallest] / total, "share": 0.5}
    ruling = engine.house.preview(Policy(exposure=[rule]), run)
    member = ruling.floors[0].members(np.arange(planted.N_ITEMS), planted.CUT_UNIX_S)
    assert {b for b, m in zip(brands, member, strict=True) if m} == {smallest}


# Exploration and the log


EPSILON = {"exploration": {"epsilon": 0.5, "pool": 6}}
THOMPSON = {"exploration": {"method": "thompson", "spread": 1.5, "pool": 8}}
RULES = {
    "max_per_group": 2,
    "boosts": [{"name": "b", "brands": ["Brand 2"], "logit": 0.7}],
    "diversity": {"weight": 0.5},
}


def test_only_what_is_logged_is_drawn(ruled):
    engine = ruled(EPSILON)
    lists = {tuple(ids(engine.recommend(USER, VISIT))) for _ in range(5)}
    assert len(lists) == 1
    answers = {tuple(ids(engine.answer(USER, VISIT).recommendations)) for _ in range(8)}
    assert len(answers) > 4


@pytest.mark.parametrize("exploration", [EPSILON, THOMPSON], ids=["epsilon", "thompson"])
def test_the_first_slot_is_drawn_as_often_as_the_log_says(ruled, exploration):
    engine = ruled({**RULES, **exploration})
    n = 300
    for _ in range(n):
        engine.answer(USER, VISIT, k=1)
    told = Counter()
    shown = Counter()
    for impression in logged(engine):
        (slot,) = impression.slots
        told[slot.item_id] = slot.propensity
        shown[slot.item_id] += 1
    assert len(told) > 2
    for item_id, chance in told.items():
        sigma = np.sqrt(chance * (1 - chance) / n)
        assert abs(shown[item_id] / n - chance) < 4 * sigma + 1e-3


@pytest.mark.parametrize("exploration", [EPSILON, THOMPSON], ids=["epsilon", "thompson"])
def test_the_policy_of_the_log_led_along_it_finds_the_logged_chances(ruled, exploration):
    policy = Policy.model_validate({**RULES, **exploration})
    engine = ruled({**RULES, **exploration})
    for i in range(12):
        answer = engine.answer(planted.user_id(i), VISIT, k=4)
        clicked = answer.recommendations[i % 4].item.item_id
        now, request = datetime.now(UTC), answer.request_id
        user = planted.user_id(i)
        engine.observe([Event(user, clicked, EventKind.CLICK, now, request_id=request)])
    lists = logged(engine)
    assert all(0 < slot.propensity < 1 for one in lists for slot in one.slots)
    asked = Question(policy, EventKind.CLICK, LONG_AGO, datetime.now(UTC), depth=4)
    found = evaluate_policy(engine.run, engine.store, asked)
    assert found.n_lists == 12
    assert found.logging.estimate == 1.0
    assert found.ips.estimate == pytest.approx(1.0, abs=1e-5)
    assert found.mean_weight == pytest.approx(1.0, abs=1e-5)
    assert found.effective_lists == pytest.approx(12, rel=1e-5)


def test_a_log_without_exploration_answers_no_question(ruled):
    engine = ruled()
    engine.answer(USER, VISIT)
    engine._log.close()
    asked = Question(Policy(), EventKind.CLICK, LONG_AGO, datetime.now(UTC))
    with pytest.raises(DataError, match="no exploration: 1 lists were shown"):
        evaluate_policy(engine.run, engine.store, asked)


def test_the_log_replays_exactly_what_the_scorer_saw(ruled):
    """The inputs come back from the log, and through the network they give the logged scores."""
    engine = ruled()
    run = engine.run
    engine.observe(
        [Event("visitor", planted.item_id(7), EventKind.PURCHASE, planted.CUT, place="north")]
    )
    scene = Scene(time=planted.CUT + timedelta(days=1), place="north")
    answers = {}
    for user in (USER, "visitor", "stranger"):
        answer = engine.answer(user, scene, k=6)
        answers[answer.request_id] = answer
    # The world moves on; the log does not.
    engine.observe([Event("visitor", planted.item_id(9), EventKind.PURCHASE, planted.CUT)])
    for shown in logged(engine):
        example = replayed(shown, run.vocabulary)
        assert shown.seen.names == names_of(run)
        assert example.features.shape == (6, len(shown.seen.names))
        with torch.inference_mode():
            batch = single(example.tokens, example.candidates, example.features)
            logits = run.model(batch)[0, :, 0].numpy()
        given = [r.trace.model_score for r in answers[shown.request_id].recommendations]
        assert logits == pytest.approx(given, abs=2e-4)
        events = len(shown.seen.token_items)
        assert events == example.tokens.mask.sum()
        assert events == {"visitor": 1, "stranger": 0}.get(shown.user_id, run.config.rerank.history)


def test_replayed_lists_become_labelled_examples(ruled):
    engine = ruled()
    answer = engine.answer(USER, VISIT, k=4)
    other = engine.answer(planted.user_id(5), VISIT, k=4)
    taken = [answer.recommendations[i].item.item_id for i in (1, 2)]
    now = datetime.now(UTC)
    engine.observe(
        [
            Event(USER, taken[0], EventKind.PURCHASE, now, request_id=answer.request_id),
            Event(USER, taken[1], EventKind.CLICK, now, request_id=answer.request_id),
            Event(USER, ids(answer.recommendations)[3], EventKind.PURCHASE, now),
        ]
    )
    engine._log.close()
    vocabulary = engine.run.vocabulary
    first, second = logged_examples(
        engine.store,
        vocabulary,
        ("purchase", "click"),
        since=LONG_AGO,
        before=now + timedelta(days=1),
    )
    assert first.label.tolist() == [[False, False], [True, False], [False, True], [False, False]]
    assert not second.label.any()
    assert [vocabulary.items.id(int(r)) for r in first.candidates] == ids(answer.recommendations)
    assert [vocabulary.items.id(int(r)) for r in second.candidates] == ids(other.recommendations)
    mine = slice(*engine.run.offsets[first.user : first.user + 2].tolist())
    taken_before = set(engine.run.history.item[mine].tolist())
    assert first.is_new.tolist() == [int(r) not in taken_before for r in first.candidates]


# Preview, experiments, changes


def test_a_preview_is_the_list_that_the_policy_gives(ruled):
    rules = {"max_per_group": 1, "boosts": [{"name": "x", "brands": ["Brand 3"], "logit": 2}]}
    engine, other = ruled(), ruled(rules)
    seen = engine.preview(USER, Policy.model_validate(rules), VISIT, k=8)
    assert list(seen.before) == engine.recommend(USER, VISIT, k=8)
    assert list(seen.after) == other.recommend(USER, VISIT, k=8)
    assert ids(seen.before) != ids(seen.after)


def test_a_policy_that_is_put_holds_at_once(ruled):
    engine = ruled()
    engine.house.put_policy(Policy(max_per_group=1))
    listed = engine.recommend(USER, VISIT, k=6)
    assert len({r.item.categories for r in listed}) == len(listed)
    again = Engine(engine.run, engine.store, rules=engine.house.folder)
    assert again.recommend(USER, VISIT, k=6) == listed


PLAN = """\
experiments:
  - name: limits
    variants:
      - {name: control}
      - {name: one, policy: one.yaml}
"""


def test_users_of_a_variant_meet_its_policy_and_the_log_says_so(ruled):
    with pytest.raises(DataError, match=r"one\.yaml cannot be read"):
        ruled(plan=PLAN)
    first = ruled()
    write_policy(Policy(name="one", max_per_group=1), first.house.folder / "one.yaml")
    (first.house.folder / "experiments.yaml").write_text(PLAN)
    engine = Engine(first.run, first.store, rules=first.house.folder)
    for i in range(16):
        engine.answer(f"user-{i}", VISIT, k=5)
    sides, repeats = Counter(), 0
    for shown in logged(engine):
        (side,) = shown.variants.values()
        groups = [engine.item(slot.item_id).categories for slot in shown.slots]
        limited = len(set(groups)) == len(groups)
        assert limited or side == "control"
        repeats += not limited
        assert shown.policy.startswith("one-" if side == "one" else "default-")
        sides[side] += 1
    assert min(sides.values()) >= 3
    assert repeats


def test_rules_know_the_items_of_now(ruled):
    """A live change compiles the policy anew: a new item of a blocked brand is blocked."""
    engine = ruled({"block": {"brands": ["Gone"]}})
    engine.add_item("fresh", "Apple of the block", brand="Gone", categories=("Kitchen",))
    assert "fresh" not in ids(engine.recommend(USER, VISIT, k=planted.N_ITEMS + 1))
    engine.update_item("fresh", brand="Here")
    admitted = engine.house.ruling(engine.run, USER).admitted
    assert admitted[engine.run.vocabulary.items.row("fresh")]


def test_evaluation_is_of_the_runs_own_policy_and_never_drawn(ruled):
    engine, plain = ruled({**EPSILON, "max_per_group": 1}), ruled()
    moment = engine.moment_of(VISIT)
    rows, scores = engine.rank_rows(USER, moment, 10)
    same, _ = plain.rank_rows(USER, moment, 10)
    assert rows.tolist() == same.tolist()
    assert (np.diff(scores) <= 0).all()
