"""The network as serving runs it gives the answers of the network as it was trained."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_requests import N_FEATURES, N_ITEMS, example, item_vectors
from torch import nn

from retrieval.rerank.batch import Tokens, single
from retrieval.rerank.examples import Example
from retrieval.rerank.model import Reranker, Shape
from retrieval.rerank.records import Floats
from retrieval.rerank.runtime import Runtime, runtime_of

GROUP = torch.arange(N_ITEMS) // 4
CLOSE = 2e-5
"""What float32 sums in another order may differ by."""


def network(heads: int = 2, layers: int = 2, seed: int = 0) -> Reranker:
    """A network in which every weight matters: nothing is left at nothing."""
    torch.manual_seed(seed)
    shape = Shape(N_FEATURES, 8, 16, heads, layers, hidden=12, task_names=("a", "b"), dropout=0.3)
    model = Reranker(shape, torch.from_numpy(item_vectors()), GROUP)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
        model.scale.mean.normal_()
        model.scale.std.uniform_(0.5, 2)
    return model.eval()


@torch.inference_mode()
def as_trained(model: Reranker, one: Example) -> Floats:
    found: Floats = model(single(one.tokens, one.candidates, one.features))[0].numpy()
    return found


def as_served(model: Reranker, one: Example) -> Floats:
    return Runtime(model)(one.tokens, one.candidates, one.features)


def request(seed: int, n_events: int, n_candidates: int, missing: float = 0.2) -> Example:
    rng = np.random.default_rng(seed)
    one = example(rng, user=0, n_events=n_events, n_candidates=n_candidates, n_tasks=2)
    features = one.features.copy()
    features[rng.random(features.shape) < missing] = np.nan
    return replace(one, features=features)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 10_000),
    st.integers(0, 6),
    st.integers(1, 9),
    st.sampled_from([1, 2, 4]),
    st.sampled_from([0.0, 0.2, 1.0]),
)
def test_serving_answers_as_training_did(
    seed: int, n_events: int, n_candidates: int, heads: int, missing: float
) -> None:
    model = network(heads=heads, layers=1 + seed % 3, seed=seed)
    one = request(seed, n_events, n_candidates, missing)
    np.testing.assert_allclose(
        as_served(model, one), as_trained(model, one), atol=CLOSE, rtol=CLOSE
    )


def test_what_pulls_beside_the_network_does_so_in_serving() -> None:
    model, one = network(), request(3, n_events=4, n_candidates=6)
    before = as_served(model, one)
    model.pull_by(torch.linspace(-1, 1, N_FEATURES))
    np.testing.assert_allclose(as_served(model, one), as_trained(model, one), atol=CLOSE, rtol=1e-4)
    assert isinstance(runtime_of(model), Runtime)
    assert np.abs(as_served(model, one) - before).max() > 1e-2


def test_padding_is_no_event() -> None:
    model, one = network(), request(1, 4, 6)
    n = int(one.tokens.mask.sum())
    bare = {name: getattr(one.tokens, name)[-n:] for name in Tokens.__slots__ if name != "scene"}
    unpadded = replace(one, tokens=Tokens(**bare, scene=one.tokens.scene))
    np.testing.assert_array_equal(as_served(model, unpadded), as_served(model, one))


def test_a_state_serves_any_candidates() -> None:
    model, one = network(), request(2, 5, 9)
    runtime = Runtime(model)
    state = runtime.state(one.tokens)
    whole = runtime.logits(state, one.candidates, one.features)
    for i in range(len(one.candidates)):
        alone = runtime.logits(state, one.candidates[[i]], one.features[[i]])
        np.testing.assert_allclose(alone[0], whole[i], atol=CLOSE)


def test_a_state_is_kept_for_the_same_history_and_moment_alone() -> None:
    runtime, one = Runtime(network()), request(3, 5, 4)
    state = runtime.state(one.tokens)
    again = request(3, 5, 4)
    assert again.tokens.item is not one.tokens.item
    assert runtime.state(again.tokens) is state
    for name in ("kind", "age_days", "clock", "here", "scene"):
        changed = getattr(one.tokens, name).copy()
        changed[-1] += 1
        other = runtime.state(replace(one.tokens, **{name: changed}))
        assert other is not state, name
    assert runtime.state(request(4, 4, 4).tokens) is not state


def test_of_many_states_those_that_were_asked_for_last_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("retrieval.rerank.runtime.REMEMBERED_STATES", 2)
    runtime, tokens = Runtime(network()), [request(seed, 3, 2).tokens for seed in range(3)]
    first, second = (runtime.state(one) for one in tokens[:2])
    assert runtime.state(tokens[0]) is first
    runtime.state(tokens[2])
    assert runtime.state(tokens[0]) is first
    assert runtime.state(tokens[1]) is not second


def test_an_item_that_changes_is_seen_at_once() -> None:
    model, one = network(), request(5, 4, 5)
    model.group = GROUP.clone()
    runtime, past = Runtime(model), int(one.tokens.item[-1])
    candidate = next(c for c in one.candidates.tolist() if c not in one.tokens.item)

    def answered() -> Floats:
        found = runtime(one.tokens, one.candidates, one.features)
        np.testing.assert_allclose(found, as_trained(model, one), atol=CLOSE, rtol=CLOSE)
        return found

    seen = [answered()]
    model.items[candidate] += 1.0
    seen.append(answered())
    model.items[past] += 1.0
    seen.append(answered())
    model.group[past] = model.group[candidate]
    seen.append(answered())
    for before, after in pairwise(seen):
        assert np.abs(after - before).max() > 1e-3


def test_a_runtime_is_made_once() -> None:
    model = network()
    assert runtime_of(model) is runtime_of(model)
    assert runtime_of(model) is not runtime_of(network())


def test_a_network_with_other_parts_is_run_as_it_is() -> None:
    class Wider(Reranker):
        def __init__(self, shape: Shape, items: torch.Tensor, group: torch.Tensor) -> None:
            super().__init__(shape, items, group)
            self.bonus = nn.Parameter(torch.tensor(3.0))

        def forward(self, batch):  # type: ignore[no-untyped-def]
            return super().forward(batch) + self.bonus

    plain, one = network(), request(6, 4, 5)
    model = Wider(plain.shape, plain.items, plain.group)
    model.load_state_dict({**plain.state_dict(), "bonus": torch.tensor(3.0)})
    model.eval()
    with pytest.raises(ValueError, match="bonus"):
        Runtime(model)
    found = runtime_of(model)(one.tokens, one.candidates, one.features)
    np.testing.assert_allclose(found, as_trained(plain, one) + 3, atol=CLOSE)


def test_a_network_in_training_is_refused() -> None:
    with pytest.raises(ValueError, match="in training"):
        Runtime(network().train())
