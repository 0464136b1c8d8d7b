"""One walk along a history says the same as a look at it for each item."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.familiar import familiar
from retrieval.neighbours import Neighbours
from retrieval.rerank.records import History

N_ITEMS = 12
GROUPS = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 3, 3])


def history_of(*taken: tuple[int, int]) -> History:
    """Items and moments, oldest first."""
    item, at = np.array(taken, np.int64).reshape(-1, 2).T
    none = np.zeros_like(item)
    return History(
        item=np.ascontiguousarray(item),
        at_unix_s=np.ascontiguousarray(at),
        local_s=none,
        session=none,
        place=none,
        value=none.astype(np.float32),
        kind=none.astype(np.int8),
    )


def neighbours_of(width: int = 3, seed: int = 0) -> Neighbours:
    rng = np.random.default_rng(seed)
    rows = np.array([rng.permutation(N_ITEMS)[:width] for _ in range(N_ITEMS)], np.int32)
    weight = rng.integers(0, 4, (N_ITEMS, width)).astype(np.float32) / 4  # with ties and zeros
    return Neighbours(rows.reshape(N_ITEMS, width), weight)


def test_by_hand():
    past = history_of((3, 10), (4, 20), (3, 30), (7, 40))
    near = Neighbours(
        np.array([[7, 4, 3]] * N_ITEMS, np.int32),
        np.array([[0.2, 0.5, 0.5]] * N_ITEMS, np.float32),
    )
    known = familiar(np.array([3, 5, 7, 11]), past, GROUPS, near)
    assert known.times.tolist() == [2, 0, 1, 0]
    assert known.first_unix_s[[0, 2]].tolist() == [10, 40]
    assert known.last_unix_s[[0, 2]].tolist() == [30, 40]
    assert known.group_times.tolist() == [3, 3, 1, 0]  # 3, 4, 3 and 7 are of the groups 1 and 2
    assert known.companion.tolist() == [4] * 4  # of equal ones, the one that comes first
    assert known.share.tolist() == [0.5] * 4


def test_an_empty_past_and_an_empty_list():
    nobody = familiar(np.array([3, 5]), history_of(), GROUPS, neighbours_of())
    assert nobody.times.tolist() == nobody.group_times.tolist() == [0, 0]
    assert nobody.share.tolist() == [0.0, 0.0]
    nothing = familiar(np.zeros(0, np.int64), history_of((1, 5)), GROUPS, neighbours_of())
    assert len(nothing.times) == len(nothing.companion) == 0


@pytest.mark.parametrize("item", [-1, N_ITEMS])
def test_an_event_of_no_item_is_an_error(item):
    with pytest.raises(IndexError, match="no known item"):
        familiar(np.array([3]), history_of((item, 5)), GROUPS, neighbours_of())


@given(
    taken=st.lists(st.integers(0, N_ITEMS - 1), max_size=40),
    rows=st.lists(st.integers(0, N_ITEMS - 1), max_size=N_ITEMS, unique=True),
    width=st.integers(1, 5),
    seed=st.integers(0, 50),
)
def test_fast_equals_slow(taken, rows, width, seed):
    past = history_of(*((item, 60 * h) for h, item in enumerate(taken)))
    near = neighbours_of(width, seed)
    known = familiar(np.array(rows, np.int64), past, GROUPS, near)
    for k, row in enumerate(rows):
        at = past.at_unix_s[past.item == row]
        assert known.times[k] == len(at)
        if len(at):
            assert (known.first_unix_s[k], known.last_unix_s[k]) == (at[0], at[-1])
        assert known.group_times[k] == (GROUPS[past.item] == GROUPS[row]).sum()
        weight = near.weight[row] * np.isin(near.rows[row], past.item)
        best = int(weight.argmax())
        assert known.share[k] == weight[best]
        if weight[best] > 0:
            assert known.companion[k] == near.rows[row][best]
