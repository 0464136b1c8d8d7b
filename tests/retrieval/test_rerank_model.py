"""The network: what may change an answer, and what must not."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from planted_requests import N_FEATURES, N_ITEMS, START_UNIX_S, example, item_vectors
from torch import Tensor, nn

from retrieval.attention import GAP_BUCKETS, gap_bucket
from retrieval.rerank.batch import Batch, clock_features, single, tokens_of
from retrieval.rerank.examples import Example, Examples
from retrieval.rerank.model import FeatureScale, Reranker, Shape
from retrieval.rerank.records import DAY_S, History, Moment

GROUP = torch.arange(N_ITEMS) // 4


def network(n_tasks: int = 2) -> Reranker:
    torch.manual_seed(0)
    tasks = tuple(f"task{i}" for i in range(n_tasks))
    shape = Shape(N_FEATURES, 8, width=8, heads=2, layers=2, hidden=12, task_names=tasks)
    model = Reranker(shape, torch.from_numpy(item_vectors()), GROUP)
    with torch.no_grad():  # relations start at nothing; here they must be able to matter
        model.relation_bias.normal_()
    return model.eval()


MODEL = network()


def requests(n_events: tuple[int, ...] = (6, 0, 2), seed: int = 0) -> list[Example]:
    rng = np.random.default_rng(seed)
    return [
        example(rng, user=i, n_events=n, n_candidates=4 + 3 * i, n_tasks=2)
        for i, n in enumerate(n_events)
    ]


def batch_of(listed: list[Example]) -> Batch:
    return Examples.stack(listed).batch(np.arange(len(listed))).batch


@torch.inference_mode()
def logits(batch: Batch) -> Tensor:
    found: Tensor = MODEL(batch)
    return found


def test_a_batch_answers_as_each_request_alone() -> None:
    listed = requests()
    together = logits(batch_of(listed))
    for i, one in enumerate(listed):
        alone = logits(single(one.tokens, one.candidates, one.features))
        n = len(one.candidates)
        torch.testing.assert_close(together[i, :n], alone[0], atol=1e-5, rtol=1e-5)


def test_masked_slots_never_change_an_answer() -> None:
    batch = batch_of(requests())
    rng = torch.Generator().manual_seed(1)
    events, slots = batch.token_mask, batch.candidate_mask

    def garbage(real: Tensor, mask: Tensor, top: int) -> Tensor:
        noise = torch.randint(0, top, real.shape, generator=rng).to(real.dtype)
        return torch.where(mask.reshape(*mask.shape, *[1] * (real.ndim - 2)), real, noise)

    spoiled = replace(
        batch,
        item=garbage(batch.item, events, N_ITEMS),
        kind=garbage(batch.kind, events, 8),
        age_days=garbage(batch.age_days, events, 99),
        clock=garbage(batch.clock, events, 5),
        here=garbage(batch.here, events, 2),
        candidate=garbage(batch.candidate, slots, N_ITEMS),
        features=garbage(batch.features, slots, 9),
    )
    assert not torch.equal(spoiled.item, batch.item)
    assert not torch.equal(spoiled.candidate, batch.candidate)
    torch.testing.assert_close(logits(spoiled)[slots], logits(batch)[slots], atol=1e-5, rtol=1e-5)


PAST_AT = START_UNIX_S - np.array([30, 8, 2]) * DAY_S
PAST = History(
    item=np.array([3, 9, 3]),
    at_unix_s=PAST_AT,
    local_s=PAST_AT,
    session=np.arange(3),
    place=np.array([1, 2, 0]),
    value=np.ones(3, np.float32),
    kind=np.array([0, 3, 1], np.int8),
)
MOMENT = Moment(START_UNIX_S, START_UNIX_S, 1)


def ask(past: History, length: int, moment: Moment = MOMENT) -> Tensor:
    candidates = np.array([3, 9, 20])
    return logits(
        single(tokens_of(past, moment, length), candidates, np.zeros((3, N_FEATURES), np.float32))
    )


def test_the_width_of_the_padding_does_not_matter() -> None:
    torch.testing.assert_close(ask(PAST, 3), ask(PAST, 11), atol=1e-5, rtol=1e-5)


def test_only_the_last_events_become_tokens() -> None:
    torch.testing.assert_close(ask(PAST, 2), ask(PAST.slice(1, 3), 2))
    assert not torch.allclose(ask(PAST, 2), ask(PAST, 3))


def test_tokens_by_hand() -> None:
    tokens = tokens_of(PAST, MOMENT, 5)
    assert tokens.mask.tolist() == [False, False, True, True, True]
    assert tokens.item[2:].tolist() == [3, 9, 3]
    assert tokens.kind[2:].tolist() == [0, 3, 1]
    assert tokens.age_days[2:].tolist() == [30, 8, 2]
    assert tokens.here.tolist() == [0, 0, 1, 0, 0]
    np.testing.assert_array_equal(tokens.clock[2:], clock_features(PAST_AT))
    assert tokens.scene[-1] == 1
    nowhere = tokens_of(PAST, Moment(START_UNIX_S, START_UNIX_S, 0), 5)
    assert nowhere.scene[-1] == 0
    assert not nowhere.here.any()  # an unknown place is not the same place as another unknown


def test_the_clock_by_hand() -> None:
    # 1970-01-05 was a Monday; at six in the morning a quarter of the day has gone.
    monday_six = np.array([4 * DAY_S + 6 * 3600])
    year = 2 * np.pi * 4.25 / 365.2425
    np.testing.assert_allclose(
        clock_features(monday_six),
        [[1, 0, np.sin(year), 0, 1, np.cos(year)]],
        atol=1e-6,
    )


def test_the_clock_of_an_event_is_its_own_whatever_stands_beside_it() -> None:
    visits = START_UNIX_S + np.array([0, 0, 5, 1, 1, 1, 0]) * 7 * 3600
    alone = [clock_features(visits[[i]])[0] for i in range(len(visits))]
    np.testing.assert_array_equal(clock_features(visits), alone)
    assert len(np.unique(alone, axis=0)) == 3


@given(st.permutations(range(10)))
def test_permuting_candidates_permutes_scores(order: list[int]) -> None:
    one = requests()[2]
    base = logits(single(one.tokens, one.candidates, one.features))
    mixed = logits(single(one.tokens, one.candidates[order], one.features[order]))
    torch.testing.assert_close(mixed[0], base[0][order], atol=1e-5, rtol=1e-5)


def test_every_parameter_gets_a_gradient() -> None:
    model = network().train()
    batch = batch_of(requests((6, 6, 6)))
    weights = torch.randn((*batch.candidate.shape, 2), generator=torch.Generator().manual_seed(0))
    (model(batch) * weights).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        # The bias of keys moves every logit of a softmax alike: it cannot matter.
        assert name.endswith(".k.bias") or parameter.grad.abs().max() > 1e-8, name


@pytest.mark.parametrize(
    ("gap_days", "bucket"),
    [
        (-1.0, 0),
        (0.0, 0),
        (1 / 24, 2),  # 2 log2(1 + 1 hour)
        (3 / 24, 4),
        (7.0, 14),  # 2 log2(169) = 14.8
        (120.0, 22),  # 2 log2(2881) = 22.98
        (121.0, 23),
        (9999.0, 23),
    ],
)
def test_gap_buckets(gap_days: float, bucket: int) -> None:
    assert gap_bucket(torch.tensor(gap_days)).item() == bucket


@given(st.lists(st.floats(0, 5000, width=32), min_size=2, max_size=30))
def test_longer_gaps_never_fall_in_lower_buckets(gaps: list[float]) -> None:
    buckets = gap_bucket(torch.tensor(sorted(gaps)))
    assert (buckets.diff() >= 0).all()
    assert buckets.min() >= 0
    assert buckets.max() < GAP_BUCKETS


def test_missing_and_extreme_features_never_break_a_score() -> None:
    batch = batch_of(requests())
    for value in (float("nan"), float("inf"), -float("inf"), 1e30):
        assert (
            logits(replace(batch, features=torch.full_like(batch.features, value))).isfinite().all()
        )


def test_features_are_standardised_and_missing_ones_say_so() -> None:
    scale = FeatureScale(3)
    scale.mean.copy_(torch.tensor([1.0, 0.0, -2.0]))
    scale.std.copy_(torch.tensor([2.0, 1.0, 0.1]))
    found = scale(torch.tensor([[4.0, torch.nan, -1.0]]))
    assert found.tolist() == [[(4 - 1) / 2, 0, 6, 0, 1, 0]]  # (−1 + 2) / 0.1 is cut at 6


def test_someone_without_a_history_gets_finite_and_different_scores() -> None:
    nothing = PAST.slice(0, 0)
    found = ask(nothing, 4)
    assert found.isfinite().all()
    assert found[0, 0, 0] != found[0, 2, 0]
    assert not torch.allclose(found, ask(PAST, 4))


def test_the_scene_changes_the_answer() -> None:
    morning = Moment(START_UNIX_S, START_UNIX_S - 12 * 3600, 1)
    elsewhere = Moment(START_UNIX_S, START_UNIX_S, 2)
    for other in (morning, elsewhere):
        assert not torch.allclose(ask(PAST, 3), ask(PAST, 3, other))


def test_relations_by_hand() -> None:
    model = network()
    batch = replace(
        single(tokens_of(PAST, MOMENT, 4), np.array([3, 8, 20]), np.zeros((3, 3), np.float32)),
    )
    with torch.no_grad():
        model.relation_bias.zero_()
        model.relation_bias[0] = 1  # same item
        model.relation_bias[1] = 10  # same group of four: 3 is in 0, 8 and 9 in 2
        model.relation_bias[2] = 100  # here
        model.relation_bias[:, gap_bucket(torch.tensor(2.0))] = 0  # nothing counts that young
    hidden = -float("inf")
    for head in range(2):
        # Padding, item 3 here, item 9 elsewhere, item 3 two days ago, the scene.
        assert model._relations(batch)[0, head].tolist() == [
            [hidden, 111, 0, 0, 0],
            [hidden, 100, 10, 0, 0],
            [hidden, 100, 0, 0, 0],
        ]


def test_a_strong_relation_draws_the_candidate_to_its_own_past() -> None:
    model = network()
    with torch.no_grad():
        model.relation_bias.zero_()
        model.relation_bias[0] = 50
        tokens = tokens_of(PAST.slice(0, 2), MOMENT, 2)
        batch = single(tokens, np.array([9]), np.zeros((1, N_FEATURES), np.float32))
        state = model.encode(batch)
        met = model.cross(
            model.item_in(model.items[batch.candidate]), state, model._relations(batch)
        )
        only = model.cross.out(model.cross.v(state[:, 1:2]))
    torch.testing.assert_close(met, only)


def test_weights_alone_rebuild_the_network() -> None:
    other = Reranker(MODEL.shape, torch.from_numpy(item_vectors()), GROUP).eval()
    batch = batch_of(requests())
    with torch.inference_mode():
        assert not torch.equal(other(batch), MODEL(batch))
        other.load_state_dict(MODEL.state_dict())
        assert torch.equal(other(batch), MODEL(batch))
    assert not {"items", "group"} & set(MODEL.state_dict())


def test_moving_a_batch_keeps_it() -> None:
    batch = batch_of(requests())
    moved = batch.to(torch.device("cpu"))
    for field in fields(Batch):
        torch.testing.assert_close(
            getattr(moved, field.name), getattr(batch, field.name), equal_nan=True
        )


def test_dropout_is_off_when_answering() -> None:
    shape = replace(MODEL.shape, dropout=0.5)
    model: nn.Module = Reranker(shape, torch.from_numpy(item_vectors()), GROUP)
    batch = batch_of(requests())
    with torch.inference_mode():
        assert not torch.equal(model(batch), model(batch))
        model.eval()
        assert torch.equal(model(batch), model(batch))
