"""The sequence model: order, what it may see, and that it learns a planted rule."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.sequence import Histories, Padded, SequenceConfig, SequenceModel, fit, score_items
from retrieval.sequence.histories import batches
from retrieval.sequence.score import hide_seen, target_ranks
from retrieval.sequence.train import Negatives, Questions, sampled_softmax

SMALL = SequenceConfig(width=16, heads=2, layers=2, max_events=6, dropout=0.0, negatives=64)
DAY = 86_400


def chain(n_users: int, n_items: int, length: int, seed: int = 0) -> Histories:
    """Everyone walks the ring of items from a place of their own: after i comes i + 1."""
    rng = np.random.default_rng(seed)
    start = rng.integers(0, n_items, n_users)
    step = np.arange(length)
    item = (start[:, None] + step) % n_items
    user = np.repeat(np.arange(n_users), length)
    at = np.tile(step * DAY, n_users)
    return Histories.of(user, item.ravel(), at, n_users=n_users)


class TestHistories:
    def test_are_in_order_of_time_to_the_second(self) -> None:
        # float32 has steps of 128 seconds at this time; these are one second apart.
        at = np.array([1_700_000_002, 1_700_000_000, 1_700_000_001])
        histories = Histories.of(np.zeros(3, np.int64), np.arange(3), at, n_users=1)
        assert histories.item.tolist() == [1, 2, 0]

    def test_equal_times_keep_their_order(self) -> None:
        user, item = np.array([1, 0, 1, 0]), np.array([5, 6, 7, 8])
        histories = Histories.of(user, item, np.zeros(4, np.int64), n_users=3)
        assert histories.item.tolist() == [6, 8, 5, 7]
        assert histories.starts.tolist() == [0, 2, 4, 4]

    def test_users_out_of_range_are_refused(self) -> None:
        with pytest.raises(ValueError, match=r"got users 0\.\.3, expected 0\.\.2"):
            Histories.of(np.array([0, 3]), np.zeros(2, int), np.zeros(2, int), n_users=3)

    def test_padded_keeps_the_newest_events(self) -> None:
        histories = Histories.of(
            np.array([0, 0, 0, 1]), np.array([4, 5, 6, 7]), np.arange(4), n_users=3
        )
        batch = histories.padded(np.array([0, 1, 2]), 2)
        assert batch.item.tolist() == [[5, 6], [7, 0], [0, 0]]
        assert batch.valid.tolist() == [[True, True], [True, False], [False, False]]

    @settings(deadline=None)
    @given(
        st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), max_size=40), st.integers(0, 9)
    )
    def test_cutting_by_time_or_count_keeps_what_came_first(
        self, events: list[tuple[int, int]], moment: int
    ) -> None:
        user = np.array([u for u, _ in events], np.int64)
        at = np.array([t for _, t in events], np.int64)
        whole = Histories.of(user, np.arange(len(user)), at, n_users=5)
        early = whole.until(moment)
        assert sorted(early.item.tolist()) == [n for n, (_, t) in enumerate(events) if t < moment]
        shorter = whole.without_last(1)
        for u in range(5):
            own = whole.item[whole.starts[u] : whole.starts[u + 1]].tolist()
            assert shorter.item[shorter.starts[u] : shorter.starts[u + 1]].tolist() == own[:-1]
            assert whole.last_item()[u] == (own[-1] if own else -1)

    def test_batches_hold_every_user_with_two_events_once(self) -> None:
        lengths = np.array([0, 1, 2, 9, 3, 2, 30])
        found = np.concatenate(list(batches(lengths, 2, np.random.default_rng(0))))
        assert sorted(found.tolist()) == [2, 3, 4, 5, 6]


def test_a_state_depends_on_no_later_event_and_no_later_time() -> None:
    torch.manual_seed(0)
    model = SequenceModel(20, SMALL.model_copy(update={"positions": False})).eval()
    torch.nn.init.normal_(model.gap_bias.weight)
    item = torch.tensor([[1, 2, 3, 4], [1, 2, 9, 9]])
    at = torch.tensor([[0, 1, 2, 3], [0, 1, 700, 9000]]) * DAY
    states = model(Padded(item, at, torch.ones(2, 4, dtype=torch.bool)))
    torch.testing.assert_close(states[0, :2], states[1, :2])
    assert not torch.allclose(states[0, 2], states[1, 2], atol=1e-3)


def test_padding_changes_nothing() -> None:
    torch.manual_seed(0)
    model = SequenceModel(20, SMALL).eval()
    histories = Histories.of(
        np.array([0, 0, 1, 1, 1, 1]), np.arange(6), np.arange(6) * DAY, n_users=2
    )
    alone = score_items(model, histories, np.array([0]))
    together = score_items(model, histories, np.array([0, 1]))
    torch.testing.assert_close(alone[0], together[0])


def test_the_time_between_events_matters_where_it_was_learned() -> None:
    torch.manual_seed(0)
    model = SequenceModel(20, SMALL).eval()
    torch.nn.init.normal_(model.gap_bias.weight)
    user, item = np.zeros(3, np.int64), np.array([3, 4, 5])
    quick = Histories.of(user, item, np.array([0, 1, 2]) * DAY, n_users=1)
    slow = Histories.of(user, item, np.array([0, 100, 101]) * DAY, n_users=1)
    rows = np.array([0])
    assert not torch.allclose(score_items(model, quick, rows), score_items(model, slow, rows))


def test_it_learns_what_follows_what() -> None:
    histories = chain(200, 30, 8)
    train, users = histories.without_last(1), np.arange(200)
    config = SMALL.model_copy(update={"epochs": 30, "batch_size": 32, "learning_rate": 5e-3})
    target = histories.last_item()
    fitted = fit(train, 30, config, seed=0, questions=Questions(train, users, target))
    assert (target_ranks(fitted.model, train, users, target) == 1).mean() > 0.95
    assert fitted.ndcg10 > 0.95


def test_a_new_item_is_placed_by_what_is_known_of_it() -> None:
    # Items 2n and 2n + 1 have like features; odd ones from 10 on never appear in training.
    features = torch.eye(10).repeat_interleave(2, dim=0)
    histories = chain(300, 10, 6)
    walked = Histories(histories.starts, histories.item * 2, histories.at_unix_s)
    config = SMALL.model_copy(update={"epochs": 30, "batch_size": 64, "learning_rate": 5e-3})
    model = fit(walked, 20, config, seed=0, features=features).model
    scores = score_items(model, walked, np.arange(50))
    expected = (walked.last_item()[:50] + 2) % 20 + 1  # the unseen twin of what comes next
    odd = scores[:, 1::2].argmax(dim=1).numpy() * 2 + 1
    assert (odd == expected).mean() > 0.9


def test_the_same_seed_gives_the_same_model() -> None:
    config = SMALL.model_copy(update={"epochs": 2})
    histories = chain(40, 12, 5)
    one, two = (fit(histories, 12, config, seed=3).model for _ in range(2))
    torch.testing.assert_close(one.items(), two.items(), rtol=0, atol=0)


def test_sampled_softmax_estimates_the_softmax_over_everything() -> None:
    torch.manual_seed(0)
    n_items, drawn = 50, 200_000
    logits = torch.randn(n_items)
    draw = Negatives.of(
        np.arange(n_items), SequenceConfig(negatives=drawn, popularity_exponent=0.7)
    )
    negative = draw.batch(np.random.default_rng(0))
    estimate = sampled_softmax(
        logits[7:8], logits[negative][None], (negative == 7)[None], draw.log_q[negative]
    )
    exact = -torch.log_softmax(logits, dim=0)[7]
    assert float(estimate) == pytest.approx(float(exact), abs=0.02)


def test_ranks_count_what_is_better_and_hide_what_was_taken() -> None:
    model = SequenceModel(4, SMALL).eval()
    histories = Histories.of(np.array([0, 0]), np.array([0, 1]), np.arange(2), n_users=2)
    scores = score_items(model, histories, np.array([0]))[0]
    best_new = 2 + int(scores[2:].argmax())
    assert target_ranks(model, histories, np.array([0]), np.array([best_new])).tolist() == [1]
    # Nothing is known of user 1: all scores are equal, and the target comes last.
    assert target_ranks(model, histories, np.array([1]), np.array([2])).tolist() == [4]
    table = torch.zeros(2, 4)
    hide_seen(table, histories, np.array([1, 0]))
    assert torch.isinf(table).tolist() == [[False] * 4, [True, True, False, False]]
