import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.config import PolicyConfig
from engine.policy import fill_slots

FREE = PolicyConfig()


def filled(scores, k, *, allowed=None, group=None, config=FREE):
    n = len(scores)
    slots = fill_slots(
        np.array(scores, dtype=np.float32),
        np.ones(n, dtype=np.bool_) if allowed is None else np.array(allowed, dtype=np.bool_),
        np.zeros(n, dtype=np.int64) if group is None else np.array(group, dtype=np.int64),
        k,
        config,
    )
    return [(slot.at, slot.rules) for slot in slots]


def at(slots):
    return [where for where, _ in slots]


def test_best_first_and_equals_keep_their_order():
    assert at(filled([1, 3, 2, 3], 3)) == [1, 3, 2]


def test_what_is_not_allowed_is_never_shown():
    assert at(filled([5, 4, 3, 2], 3, allowed=[False, True, False, True])) == [1, 3]


def test_no_more_than_the_limit_of_a_group_and_the_rule_says_what_it_cost():
    two = PolicyConfig(max_per_group=2)
    slots = filled([9, 8, 7, 6, 5, 4], 4, group=[0, 0, 0, 0, 1, 2], config=two)
    assert slots == [
        (0, ()),
        (1, ()),
        (4, ("max_per_group passed over 2",)),
        (5, ("max_per_group passed over 2",)),
    ]


def test_a_limit_may_leave_slots_empty():
    one = PolicyConfig(max_per_group=1)
    assert at(filled([3, 2, 1], 3, group=[7, 7, 7], config=one)) == [0]


@pytest.mark.parametrize("config", [FREE, PolicyConfig(max_per_group=1)])
def test_no_slots_no_items(config):
    assert filled([1, 2], 0, group=[0, 1], config=config) == []


@given(
    st.lists(st.tuples(st.integers(-5, 5), st.booleans(), st.integers(0, 3)), max_size=30),
    st.integers(0, 12),
    st.integers(1, 4),
)
def test_the_list_is_what_a_greedy_reader_would_pick(candidates, k, limit):
    scores, allowed, group = zip(*candidates, strict=True) if candidates else ((), (), ())
    picked: list[int] = []
    for i in sorted(range(len(scores)), key=lambda i: -scores[i]):
        fits = sum(group[j] == group[i] for j in picked) < limit
        if len(picked) < k and allowed[i] and fits:
            picked.append(i)
    config = PolicyConfig(max_per_group=limit)
    assert at(filled(scores, k, allowed=allowed, group=group, config=config)) == picked
