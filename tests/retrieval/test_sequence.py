"""The sequence model: order, what it may see, and that it learns a planted rule."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.sequence import (
    Epoch,
    Histories,
    Padded,
    Questions,
    SequenceConfig,
    SequenceModel,
    Training,
    chances,
    fit,
    score_items,
    train,
)
from retrieval.sequence.histories import batches
from retrieval.sequence.known import Dense, Facts, known
from retrieval.sequence.score import hide_seen, target_ranks
from retrieval.sequence.softmax import Negatives, sampled_softmax

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

    @settings(deadline=None)
    @given(st.lists(st.integers(0, 12), min_size=1, max_size=6), st.integers(2, 5))
    def test_in_windows_every_event_follows_the_one_before_it_once(
        self, lengths: list[int], n: int
    ) -> None:
        user = np.repeat(np.arange(len(lengths)), lengths)
        event = np.arange(len(user))
        whole = Histories.of(user, event, event, n_users=len(lengths))
        pieces = whole.windows(n)
        assert pieces.lengths.max() <= n

        def steps(histories: Histories) -> list[tuple[int, int]]:
            return sorted(
                (int(a), int(b))
                for start, end in pairwise(histories.starts)
                for a, b in pairwise(histories.item[start:end])
            )

        assert steps(pieces) == steps(whole)
        assert Histories.of(user[:0], event[:0], event[:0], n_users=2).windows(n).lengths.sum() == 0

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
    past, users = histories.without_last(1), np.arange(200)
    config = SMALL.model_copy(update={"epochs": 30, "batch_size": 32, "learning_rate": 5e-3})
    target = histories.last_item()
    fitted = fit(past, 30, config, seed=0, training=Training(Questions(past, users, target)))
    assert (target_ranks(fitted.model, past, users, target) == 1).mean() > 0.95
    assert fitted.ndcg10 > 0.95


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_a_new_item_is_placed_by_what_is_known_of_it(sparse: bool) -> None:
    # Items 2n and 2n + 1 have like features; odd ones never appear in training.
    features = torch.eye(10).repeat_interleave(2, dim=0)
    features = features.to_sparse() if sparse else features
    histories = chain(300, 10, 6)
    walked = Histories(histories.starts, histories.item * 2, histories.at_unix_s)
    config = SMALL.model_copy(update={"epochs": 30, "batch_size": 64, "learning_rate": 5e-3})
    model = fit(walked, 20, config, seed=0, features=features).model
    scores = score_items(model, walked, np.arange(50))
    expected = (walked.last_item()[:50] + 2) % 20 + 1  # the unseen twin of what comes next
    odd = scores[:, 1::2].argmax(dim=1).numpy() * 2 + 1
    assert (odd == expected).mean() > 0.9


def test_sparse_features_are_projected_as_dense_ones() -> None:
    torch.manual_seed(0)
    # Items without a fact, with one, and with several.
    features = torch.randn(6, 5) * torch.tensor([[0], [1], [1], [1], [0], [1]])
    features[1, 1:] = 0
    sparse, dense = known(features.to_sparse(), 3), known(features, 3)
    assert isinstance(sparse, Facts)
    assert isinstance(dense, Dense)
    with torch.no_grad():
        dense.project.weight.copy_(sparse.vectors.weight.T)
    for rows in (None, torch.tensor([4, 5, 1, 1])):
        torch.testing.assert_close(sparse(rows), dense(rows))


def test_the_same_seed_gives_the_same_model() -> None:
    config = SMALL.model_copy(update={"epochs": 2})
    histories = chain(40, 12, 5)
    one, two = (fit(histories, 12, config, seed=3).model for _ in range(2))
    torch.testing.assert_close(one.items(), two.items(), rtol=0, atol=0)


def test_a_training_that_was_stopped_goes_on_to_the_same_model(tmp_path: Path) -> None:
    histories = chain(60, 12, 6)
    config = SMALL.model_copy(update={"epochs": 4, "dropout": 0.3, "patience": 2})
    asked = Questions(histories.without_last(1), np.arange(60), histories.last_item())
    whole = fit(asked.histories, 12, config, seed=3, training=Training(asked))

    class Stopped(Exception):
        pass

    def stop(epoch: Epoch) -> None:
        if epoch.number == 3:
            raise Stopped  # after the epoch, and before it is saved

    with pytest.raises(Stopped):
        fit(asked.histories, 12, config, seed=3, training=Training(asked, stop, tmp_path))
    seen: list[int] = []
    training = Training(asked, lambda epoch: seen.append(epoch.number), tmp_path)
    resumed = fit(asked.histories, 12, config, seed=3, training=training)
    assert seen == [3, 4]
    assert (resumed.epochs, resumed.ndcg10) == (whole.epochs, whole.ndcg10)
    torch.testing.assert_close(resumed.model.items(), whole.model.items(), rtol=0, atol=0)


def test_a_training_with_other_settings_is_not_gone_on_with(tmp_path: Path) -> None:
    histories = chain(20, 12, 4)
    config = SMALL.model_copy(update={"epochs": 1})
    fit(histories, 12, config, seed=3, training=Training(folder=tmp_path))
    with pytest.raises(ValueError, match="a training with other settings"):
        fit(histories, 12, config, seed=4, training=Training(folder=tmp_path))


def test_training_leaves_the_randomness_of_others_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit(chain(20, 12, 4), 12, SMALL.model_copy(update={"epochs": 1}), seed=3)
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)


def test_every_weight_learns() -> None:
    config = SMALL.model_copy(update={"epochs": 1, "negatives": None})
    torch.manual_seed(0)
    before = SequenceModel(12, config, torch.eye(12))
    start = {name: weight.clone() for name, weight in before.state_dict().items()}
    after = train(lambda: before, chain(40, 12, 6), seed=0).model.state_dict()
    still = [name for name in start if torch.equal(start[name], after[name])]
    # A key's bias adds the same to every logit of a query, which a softmax does not see.
    assert [name for name in still if not name.endswith("attention.k.bias")] == []


def test_the_softmax_over_all_items_learns_the_same_rule() -> None:
    histories = chain(200, 30, 8)
    config = SMALL.model_copy(
        update={"epochs": 30, "batch_size": 32, "learning_rate": 5e-3, "negatives": None}
    )
    model = fit(histories.without_last(1), 30, config, seed=0).model
    users, target = np.arange(200), histories.last_item()
    assert (target_ranks(model, histories.without_last(1), users, target) == 1).mean() > 0.95
    found = chances(model, histories.without_last(1), users)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    # Everyone goes to the next of the ring: what was learned is sure of it.
    assert np.median(found[users, target]) > 0.9


def test_sampled_softmax_estimates_the_softmax_over_everything() -> None:
    torch.manual_seed(0)
    n_items, drawn = 50, 200_000
    logits = torch.randn(n_items)
    draw = Negatives.of(np.arange(n_items), 0.7, drawn)
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
