"""Where little taught the network, retrieval's own score speaks beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from planted_requests import HISTORY, N_ITEMS, example, item_vectors

from engine.layout import load_reranker, save_reranker
from retrieval.rerank.batch import single
from retrieval.rerank.config import RerankConfig
from retrieval.rerank.examples import Example, Examples
from retrieval.rerank.held_out import validate
from retrieval.rerank.model import Reranker
from retrieval.rerank.runtime import runtime_of
from retrieval.rerank.train import Columns, fit_reranker
from retrieval.rerank.trust import ENOUGH_REQUESTS, ENOUGH_USERS, pull_of

FEATURES = ("sold_7d", "graph_score", "trend")
GROUP = np.arange(N_ITEMS) // 4
CONFIG = RerankConfig(
    width=8, heads=2, layers=1, history=HISTORY, hidden=8, batch_size=64, epochs=1
)


def by_lot(n_users: int, seed: int = 0) -> list[Example]:
    rng = np.random.default_rng(seed)
    return [example(rng, user=i) for i in range(n_users)]


def trained(
    examples: list[Example], trust: float, features: tuple[str, ...] = FEATURES
) -> Reranker:
    return fit_reranker(
        Examples.stack(examples),
        item_vectors(),
        GROUP,
        CONFIG.model_copy(update={"retrieval_trust": trust}),
        columns=Columns(features, ("purchase",)),
        seed=0,
    ).model


@torch.inference_mode()
def logits(model: Reranker, one: Example) -> torch.Tensor:
    found: torch.Tensor = model(single(one.tokens, one.candidates, one.features))[0]
    return found


def test_the_weight_by_hand() -> None:
    pull = pull_of(FEATURES, 100, 600, 3.0)
    assert pull is not None
    torch.testing.assert_close(pull, torch.tensor([0.0, 3.0 * 0.9 * 0.8, 0.0]))


@pytest.mark.parametrize(
    ("features", "n_users", "n_requests", "trust"),
    [
        (FEATURES, ENOUGH_USERS, ENOUGH_USERS, 3.0),
        (FEATURES, 5 * ENOUGH_USERS, 5 * ENOUGH_USERS, 3.0),
        (FEATURES, 10, ENOUGH_REQUESTS, 3.0),
        (FEATURES, 10, 10, 0.0),
        (("sold_7d", "trend"), 10, 10, 3.0),
    ],
)
def test_nothing_is_added_where_the_network_knows_enough(
    features: tuple[str, ...], n_users: int, n_requests: int, trust: float
) -> None:
    assert pull_of(features, n_users, n_requests, trust) is None


@pytest.mark.parametrize(("n_users", "n_requests"), [(0, 0), (0, 5), (6, 5)])
def test_what_cannot_be_is_refused(n_users: int, n_requests: int) -> None:
    with pytest.raises(ValueError, match=f"got {n_requests} training requests of {n_users} users"):
        pull_of(FEATURES, n_users, n_requests, 3.0)


@given(
    st.tuples(st.integers(1, 2 * ENOUGH_USERS), st.integers(0, 2 * ENOUGH_REQUESTS)),
    st.tuples(st.integers(0, 2 * ENOUGH_USERS), st.integers(0, 2 * ENOUGH_REQUESTS)),
    st.floats(0, 100),
)
def test_more_users_and_requests_never_leave_more_to_retrieval(
    taught: tuple[int, int], more: tuple[int, int], trust: float
) -> None:
    def weight(n_users: int, further: int) -> float:
        pull = pull_of(FEATURES, n_users, n_users + further, trust)
        return 0.0 if pull is None else float(pull[1])

    little = weight(*taught)
    much = weight(taught[0] + more[0], taught[1] + more[1])
    assert 0 <= much <= little <= np.float32(trust)


def test_training_is_the_same_and_the_score_is_added_after_it() -> None:
    examples = by_lot(40)
    alone, pulled = trained(examples, 0.0), trained(examples, 5.0)
    weights = pulled.state_dict()
    assert {*weights} - {*alone.state_dict()} == {"pull"}
    for name, value in alone.state_dict().items():
        assert name == "platt" or torch.equal(value, weights[name]), name
    for one in by_lot(5, seed=1):
        score = torch.from_numpy(one.features[:, 1:2])
        expected = logits(alone, one) + 5 * (1 - 40 / 1000) * (1 - 40 / 3000) * score.nan_to_num(
            0.0
        )
        torch.testing.assert_close(logits(pulled, one), expected, atol=1e-5, rtol=1e-5)


def test_many_users_leave_the_network_as_it_was() -> None:
    examples = by_lot(ENOUGH_USERS)
    alone, same = trained(examples, 0.0).state_dict(), trained(examples, 50.0).state_dict()
    assert {*same} == {*alone}
    assert all(torch.equal(value, same[name]) for name, value in alone.items())


def test_what_a_few_requests_cannot_teach_is_known() -> None:
    def of_score(one: Example) -> Example:
        features = one.features.copy()
        features[:, 1] = np.random.default_rng(int(one.candidates[0])).random(len(features))
        return replace(one, features=features, label=features[:, 1:2] == features[:, 1].max())

    asked = Examples.stack(of_score(one) for one in by_lot(200, seed=1))
    taught = by_lot(12)

    def ndcg(trust: float) -> float:
        return validate(trained(taught, trust), asked, np.arange(200), 64)[0]

    assert ndcg(0.0) < 0.7
    assert ndcg(10.0) > 0.9


def test_a_pulled_network_is_served_and_kept(tmp_path: Path) -> None:
    model, one = trained(by_lot(20), 5.0), by_lot(1, seed=2)[0]
    expected = logits(model, one).numpy()
    served = runtime_of(model)(one.tokens, one.candidates, one.features)
    np.testing.assert_allclose(served, expected, atol=2e-5)
    save_reranker(tmp_path, model)
    read = load_reranker(tmp_path, item_vectors(), GROUP, n_features=len(FEATURES))
    np.testing.assert_array_equal(logits(read, one).numpy(), expected)


def test_a_network_kept_before_there_was_trust_is_read(tmp_path: Path) -> None:
    model, one = trained(by_lot(20), 0.0), by_lot(1, seed=2)[0]
    save_reranker(tmp_path, model)
    file = tmp_path / "shape.json"
    shape = json.loads(file.read_text())
    del shape["pulled"]
    file.write_text(json.dumps(shape))
    read = load_reranker(tmp_path, item_vectors(), GROUP, n_features=len(FEATURES))
    torch.testing.assert_close(logits(read, one), logits(model, one))
