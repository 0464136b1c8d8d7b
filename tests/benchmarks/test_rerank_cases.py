"""The reranker's benchmark hides what it says it hides, and measures as the evaluation does."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.rerank_cases.ablations import Part, blind, hidden_columns, parts_of, thinned
from benchmarks.rerank_cases.journey_requests import Asks
from engine.evaluate.metrics import ndcg_at_k
from retrieval.rerank.batch import CLOCK_FEATURES, SCENE_FEATURES, Tokens
from retrieval.rerank.examples import Example, Examples
from retrieval.rerank.features import feature_names

NAMES = feature_names(2, needs=True, linear=True)
GRAPH_WIDTH = 4


def requests(n: int, n_candidates: int = 90) -> Examples:
    rng = np.random.default_rng(0)

    def one(user: int) -> Example:
        tokens = Tokens(
            item=rng.integers(0, 9, 3),
            mask=np.ones(3, np.bool_),
            kind=np.zeros(3, np.int64),
            age_days=rng.uniform(1, 9, 3).astype(np.float32),
            clock=rng.normal(size=(3, CLOCK_FEATURES)).astype(np.float32),
            here=np.ones(3, np.float32),
            scene=np.ones(SCENE_FEATURES, np.float32),
        )
        return Example(
            user=user,
            weight=1.0,
            tokens=tokens,
            candidates=rng.permutation(200)[:n_candidates],
            features=rng.normal(size=(n_candidates, len(NAMES))).astype(np.float32),
            label=rng.random((n_candidates, 1)) < 0.1,
            is_new=rng.random(n_candidates) < 0.5,
            log_weight=np.full(n_candidates, 0.5, np.float32),
        )

    return Examples.stack(one(user) for user in range(n))


def part(name: str) -> Part:
    return next(p for p in parts_of(GRAPH_WIDTH) if p.name == name)


@pytest.mark.parametrize(
    ("name", "gone", "kept"),
    [
        ("offers", ["on_display", "on_coupon"], ["place_share", "item_due", "sold_7d"]),
        ("scene", ["place_share", "item_rate_here", "slot_lift"], ["on_display", "item_due"]),
        ("scene and offers", ["place_share", "on_mailer", "item_rate_this_hour"], ["item_due"]),
        ("intervals", ["item_due", "group1_due", "need_chance"], ["item_days_since", "on_mailer"]),
        ("time", ["item_days_since", "item_rate_30d", "need_due", "slot_lift"], ["item_count"]),
        ("graph vectors", ["graph_score"], ["content_score", "together_score"]),
        ("nothing", [], list(NAMES)),
    ],
)
def test_a_part_takes_its_columns_and_leaves_the_others(
    name: str, gone: list[str], kept: list[str]
) -> None:
    hidden = dict(zip(NAMES, hidden_columns(part(name), NAMES), strict=True))
    assert all(hidden[column] for column in gone)
    assert not any(hidden[column] for column in kept)


def test_a_blind_request_keeps_everything_else() -> None:
    before = requests(4)
    after = blind(before, part("scene and offers"), NAMES)
    hidden = hidden_columns(part("scene and offers"), NAMES)
    assert np.isnan(after.features[:, hidden]).all()
    np.testing.assert_array_equal(after.features[:, ~hidden], before.features[:, ~hidden])
    assert not after.tokens.clock.any()
    assert not after.tokens.here.any()
    assert not after.tokens.scene.any()
    np.testing.assert_array_equal(after.tokens.age_days, before.tokens.age_days)
    assert before.tokens.clock.all()  # what was read is not written to


def test_thinned_requests_stand_for_the_whole() -> None:
    whole = requests(5, n_candidates=150)
    thin = thinned(whole)
    assert thin.user.tolist() == [0, 1, 2, 3, 4]
    assert thin.label.sum() == whole.label.sum()
    rest = ~thin.label[:, 0]
    assert np.exp(thin.log_weight[rest]).sum() == pytest.approx(
        np.exp(0.5) * (~whole.label).sum(), rel=1e-5
    )
    assert (np.diff(thin.offset) < np.diff(whole.offset)).all()


def test_ndcg_of_requests_is_that_of_the_evaluation() -> None:
    asked = requests(6)
    rng = np.random.default_rng(1)
    scores = rng.permutation(len(asked.candidates)).astype(np.float32)
    spans = [slice(a, b) for a, b in zip(asked.offset[:-1], asked.offset[1:], strict=True)]
    missed = np.array([0, 3, 0, 1, 20, 0])
    for new_only in (False, True):
        wanted, ranked = [], []
        for span, more in zip(spans, missed, strict=True):
            mine = asked.label[span, 0] & (asked.is_new[span] | (not new_only))
            among = asked.is_new[span] | (not new_only)
            order = np.argsort(-np.where(among, scores[span], -np.inf), kind="stable")[:10]
            ranked.append(asked.candidates[span][order])
            wanted.append(np.append(asked.candidates[span][mine], 1000 + np.arange(more)))
        counts = np.array([len(items) for items in wanted])
        asks = Asks(asked, counts, counts)
        expected = ndcg_at_k(np.array(ranked), np.ones((6, 10), np.bool_), wanted, 10)
        np.testing.assert_allclose(asks.ndcg(scores, new_only=new_only), expected[counts > 0])
