"""The reranker learns what is planted, keeps its best epoch, and repeats itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from planted_requests import (
    HISTORY,
    N_ITEMS,
    bought_a_week_ago,
    decided_by_a_feature,
    example,
    item_vectors,
)
from torch import Tensor, nn

from engine.evaluate.metrics import ndcg_at_k
from retrieval.rerank.adversarial import perturbed
from retrieval.rerank.checkpoint import Epoch
from retrieval.rerank.config import RerankConfig
from retrieval.rerank.examples import Example, Examples
from retrieval.rerank.features import feature_names, sales_columns, scene_columns
from retrieval.rerank.held_out import ndcg, split_users, validate
from retrieval.rerank.losses import Objective
from retrieval.rerank.model import Reranker
from retrieval.rerank.train import (
    Columns,
    Fitted,
    _drop_sales,
    _drop_scene,
    _fit_scale,
    _new_model,
    _step,
    fit_reranker,
    one_cycle,
)

GROUP = np.arange(N_ITEMS) // 4
CONFIG = RerankConfig(
    width=16,
    heads=2,
    layers=1,
    history=HISTORY,
    hidden=32,
    dropout=0,
    scene_dropout=0,
    batch_size=16,
    epochs=8,
    patience=8,
    learning_rate=1e-2,
)


def chance(n_candidates: int) -> float:
    """NDCG@10 to be expected of a shuffled list with one positive."""
    rank = np.arange(1, min(n_candidates, 10) + 1)
    return float((1 / np.log2(rank + 1)).sum() / n_candidates)


def fit(examples: list[Example], seed: int = 0, **settings: float) -> Fitted:
    n_tasks = examples[0].label.shape[1]
    return fit_reranker(
        Examples.stack(examples),
        item_vectors(),
        GROUP,
        CONFIG.model_copy(update=settings),
        columns=Columns(("signal", "noise", "more_noise"), ("purchase", "click")[:n_tasks]),
        seed=seed,
    )


def untrained(examples: Examples, n_tasks: int = 1, **settings: float) -> Reranker:
    torch.manual_seed(0)
    config = CONFIG.model_copy(update=settings)
    tasks = ("purchase", "click")[:n_tasks]
    return _new_model(examples, item_vectors(), GROUP, config, tasks)


def by_lot(n: int, n_tasks: int = 1, seed: int = 0) -> list[Example]:
    rng = np.random.default_rng(seed)
    return [example(rng, user=i, n_tasks=n_tasks) for i in range(n)]


def ndcg_on(fitted: Fitted, examples: list[Example]) -> float:
    stacked = Examples.stack(examples)
    return validate(fitted.model, stacked, np.arange(len(stacked)), 64)[0]


def test_a_rule_in_the_features_is_learned() -> None:
    fitted = fit(decided_by_a_feature(200, seed=0))
    assert ndcg_on(fitted, decided_by_a_feature(100, seed=1)) > 0.9 > chance(8) + 0.35


def test_a_rule_of_item_time_and_place_is_learned_by_attention_alone() -> None:
    fitted = fit(bought_a_week_ago(500, seed=0), epochs=14)
    assert ndcg_on(fitted, bought_a_week_ago(100, seed=1)) > 0.9 > chance(10) + 0.4


def test_lots_cannot_be_learned() -> None:
    fitted = fit(by_lot(150), epochs=4)
    assert ndcg_on(fitted, by_lot(300, seed=1)) == pytest.approx(chance(8), abs=0.1)


def test_one_batch_is_overfitted() -> None:
    examples = Examples.stack(by_lot(8, n_tasks=2))
    model, which = untrained(examples, n_tasks=2), np.arange(8)
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2)
    model.train()
    objective = Objective(CONFIG.model_copy(update={"learned_task_weights": False}), 2)
    losses = [_step(model, objective, optimizer, examples.batch(which)) for _ in range(120)]
    assert losses[-1] < 0.05 * losses[0]
    for task in range(2):
        assert validate(model, examples, which, 8, task)[0] == 1


def test_gradients_do_not_accumulate_between_steps() -> None:
    examples = Examples.stack(by_lot(16))
    first, second = examples.batch(np.arange(8)), examples.batch(np.arange(8, 16))

    def gradients_after(*batches: object) -> list[Tensor]:
        model = untrained(examples)
        still = torch.optim.SGD(model.parameters(), lr=0.0)
        for batch in batches:
            _step(model, Objective(CONFIG, 1), still, batch)  # type: ignore[arg-type]
        return [p.grad.clone() for p in model.parameters() if p.grad is not None]

    alone, after_another = gradients_after(second), gradients_after(first, second)
    assert len(alone) == len(after_another) > 0
    for one, other in zip(alone, after_another, strict=True):
        torch.testing.assert_close(one, other)


def test_steps_are_clipped() -> None:
    examples = Examples.stack(by_lot(8))
    model = untrained(examples)
    still = torch.optim.SGD(model.parameters(), lr=0.0)
    heavy = CONFIG.model_copy(update={"calibration_weight": 1e4})
    _step(model, Objective(heavy, 1), still, examples.batch(np.arange(8)))
    norms = torch.stack([p.grad.norm() for p in model.parameters() if p.grad is not None])
    assert norms.norm().item() == pytest.approx(1, rel=1e-3)


def test_the_same_seed_gives_the_same_weights() -> None:
    examples = decided_by_a_feature(40, seed=0)
    settings = {"epochs": 2, "dropout": 0.2, "scene_dropout": 0.3}
    first = fit(examples, seed=3, **settings)
    torch.rand(7)  # what was drawn elsewhere does not matter
    again, other = fit(examples, seed=3, **settings), fit(examples, seed=4, **settings)
    assert first.epochs == again.epochs
    weights, same = first.model.state_dict(), again.model.state_dict()
    for name, value in weights.items():
        assert torch.equal(value, same[name]), name
    assert any(not torch.equal(v, other.model.state_dict()[k]) for k, v in weights.items())


def test_training_stops_early_and_keeps_the_best_epoch() -> None:
    examples = by_lot(60)
    fitted = fit(examples, epochs=40, patience=2)
    score = [e.ndcg + CONFIG.new_item_weight * e.ndcg_new for e in fitted.epochs]
    assert fitted.best == 1 + int(np.argmax(score))
    assert len(fitted.epochs) == fitted.best + 2 < 40
    stacked = Examples.stack(examples)
    _, held_out = split_users(stacked.user, np.random.default_rng(0))
    best = fitted.epochs[fitted.best - 1]
    assert validate(fitted.model, stacked, held_out, 16) == pytest.approx(
        (best.ndcg, best.ndcg_new), abs=1e-6
    )
    assert not fitted.model.training


def test_held_out_users_without_a_positive_of_the_first_task_do_not_stop_training() -> None:
    examples = by_lot(20, n_tasks=2)
    for one in examples:
        one.label[:, 0] = False
    fitted = fit(examples, epochs=2)
    assert [e.ndcg for e in fitted.epochs] == [0, 0]
    assert fitted.best == 1


def test_one_user_is_trained_and_measured_on() -> None:
    examples = [replace(e, user=5) for e in by_lot(4)]
    assert fit(examples, epochs=2).epochs[-1].ndcg > 0


class Interrupted(Exception):
    """Stands for a power cut."""


@pytest.mark.parametrize("epsilon", [0.0, 0.3])
def test_an_interrupted_training_ends_as_one_that_was_not(tmp_path: Path, epsilon: float) -> None:
    examples = Examples.stack(by_lot(60, n_tasks=2))
    config = CONFIG.model_copy(
        update={"epochs": 4, "dropout": 0.2, "scene_dropout": 0.3, "adversarial_epsilon": epsilon}
    )
    told: list[Epoch] = []

    def train(until: int, file: Path | None, seed: int = 2) -> Fitted:
        def on_epoch(epoch: Epoch) -> None:
            told.append(epoch)
            if epoch.number == until:
                raise Interrupted

        return fit_reranker(
            examples,
            item_vectors(),
            GROUP,
            config,
            columns=Columns(("a", "b", "c"), ("purchase", "click")),
            seed=seed,
            checkpoint=file,
            on_epoch=on_epoch,
        )

    whole = train(9, None)
    file = tmp_path / "state.safetensors"
    with pytest.raises(Interrupted):
        train(3, file)
    told.clear()
    resumed = train(9, file)
    assert tuple(told) == resumed.epochs == whole.epochs
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name]), name
    # What another training left, or half a file, is no state of this one.
    other = train(9, None, seed=3)
    assert train(9, file, seed=3).epochs == other.epochs
    file.write_bytes(file.read_bytes()[:1000])
    assert train(9, file).epochs == whole.epochs


def test_the_shift_goes_where_the_loss_rises_and_is_taken_back() -> None:
    examples = Examples.stack(by_lot(8))
    model, labelled = untrained(examples), examples.batch(np.arange(8))
    objective = Objective(CONFIG, 1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    loss = objective(model(labelled.batch), labelled)
    loss.backward()
    with perturbed(model.embeddings(), 0.05):
        shifts = [p.detach() - before[n] for n, p in model.named_parameters() if n in SHIFTED]
        assert torch.cat([s.flatten() for s in shifts]).norm().item() == pytest.approx(
            0.05, rel=1e-3
        )
        assert objective(model(labelled.batch), labelled) > loss
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


SHIFTED = {"item_in.weight", "kind_in.weight", "age_in.weight"}


def test_a_task_that_cannot_be_learned_weighs_less() -> None:
    drawn = decided_by_a_feature(160, seed=0)
    lots = np.random.default_rng(5)
    both = [
        replace(e, label=np.stack([e.label[:, 0], lots.permutation(e.label[:, 0])], axis=1))
        for e in drawn
    ]
    examples = Examples.stack(both)
    model, objective = untrained(examples, n_tasks=2), Objective(CONFIG, 2)
    learned = [*model.parameters(), *objective.parameters()]
    optimizer = torch.optim.AdamW(learned, 1e-2)
    model.train()
    for step in range(120):
        _step(model, objective, optimizer, examples.batch(np.arange(16) + 16 * (step % 10)))
    signal, noise = (-objective.log_variance).exp().tolist()
    assert signal > 1.5 * noise
    assert len(Objective(CONFIG, 1).log_variance) == 0


@pytest.mark.parametrize("steps", [20, 101])
def test_the_schedule_is_that_of_one_cycle(steps: int) -> None:
    weight = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.AdamW([weight], 0.003)
    known = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.003, total_steps=steps, pct_start=0.15)
    for step in range(steps):
        group = optimizer.param_groups[0]
        expected = (group["lr"], group["betas"][0])
        assert one_cycle(step, steps, 0.003) == pytest.approx(expected, rel=1e-9)
        optimizer.step()
        if step + 1 < steps:
            known.step()


def test_progress_is_told() -> None:
    epochs: list[Epoch] = []
    steps: list[tuple[int, int]] = []
    fitted = fit_reranker(
        Examples.stack(by_lot(40)),
        item_vectors(),
        GROUP,
        CONFIG.model_copy(update={"epochs": 2}),
        columns=Columns(("a", "b", "c"), ("purchase",)),
        seed=0,
        on_epoch=epochs.append,
        on_step=lambda *at: steps.append(at),
    )
    assert tuple(epochs) == fitted.epochs
    assert steps == [(i, 6) for i in range(1, 7)]  # 37 users are trained on, 16 at a time


def test_validation_users_are_never_trained_on() -> None:
    user = np.random.default_rng(0).integers(0, 50, 300)
    train, held_out = split_users(user, np.random.default_rng(1))
    assert len(np.unique(user[held_out])) == 4  # 8 % of 50
    assert not set(user[train]) & set(user[held_out])
    np.testing.assert_array_equal(np.sort(np.concatenate([train, held_out])), np.arange(300))


def test_features_are_scaled_by_what_is_known_of_them() -> None:
    one = example(np.random.default_rng(0), n_candidates=4)
    one.features[:] = np.array(
        [[1, 5, np.nan], [3, 5, np.nan], [np.nan, 5, np.nan], [5, 5, np.nan]]
    )
    examples = Examples.stack([one])
    model = untrained(examples)
    _fit_scale(model, examples, np.random.default_rng(0))
    assert model.scale.mean.tolist() == [3, 5, 0]
    torch.testing.assert_close(model.scale.std, torch.tensor([(8 / 3) ** 0.5, 1, 1]))


def test_a_new_network_expects_what_is_usual() -> None:
    examples = Examples.stack(by_lot(10))
    bias = untrained(examples).heads_out.bias
    torch.testing.assert_close(bias.sigmoid(), torch.tensor([1 / 8]))


NAMES = feature_names(2)
OF_SCENE = scene_columns(NAMES)


def wide(n: int) -> Examples:
    rng = np.random.default_rng(0)
    drawn = [example(rng, user=i) for i in range(n)]
    return Examples.stack(
        replace(e, features=rng.normal(size=(len(e.candidates), len(NAMES))).astype(np.float32))
        for e in drawn
    )


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_a_hidden_scene_hides_the_place_and_the_offers_and_nothing_else(share: float) -> None:
    examples = wide(20)
    before = examples.batch(np.arange(20))
    found = _drop_scene(
        examples.batch(np.arange(20)),
        share,
        torch.from_numpy(OF_SCENE),
        np.random.default_rng(0),
    )
    hidden = found.batch.features.isnan().any(-1).any(-1)
    n = int(hidden.sum())
    assert n == share * 20 if share in (0, 1) else 0 < n < 20
    missing = found.batch.features.isnan()
    assert torch.equal(
        missing, (hidden[:, None, None] & torch.from_numpy(OF_SCENE)).expand_as(missing)
    )
    torch.testing.assert_close(found.batch.features[~missing], before.batch.features[~missing])
    assert not found.batch.here[hidden].any()
    assert not found.batch.scene[hidden, -1].any()
    assert torch.equal(found.batch.here[~hidden], before.batch.here[~hidden])
    assert torch.equal(found.batch.scene[~hidden], before.batch.scene[~hidden])
    assert torch.equal(found.batch.scene[:, :-1], before.batch.scene[:, :-1])
    assert torch.equal(found.batch.clock, before.batch.clock)
    # The training requests themselves are not touched.
    assert not examples.batch(np.arange(20)).batch.features.isnan().any()


@given(st.integers(1, 14), st.integers(0, 10_000), st.integers(1, 12))
def test_ndcg_is_that_of_the_evaluation(n_candidates: int, seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.permuted(np.tile(np.arange(n_candidates), (5, 1)), axis=1).astype(np.float32)
    label = rng.random(scores.shape) < 0.3
    mask = rng.random(scores.shape) < 0.8
    tensors = [torch.from_numpy(x) for x in (scores, label, mask)]
    found = ndcg(tensors[0], tensors[1], tensors[2], k=k).numpy()
    rows = np.argsort(-np.where(mask, scores, -np.inf), axis=1, kind="stable")
    valid = np.take_along_axis(mask, rows, axis=1)
    targets = [np.flatnonzero(m & y) for m, y in zip(mask, label, strict=True)]
    empty = np.array([len(t) == 0 for t in targets])
    np.testing.assert_array_equal(np.isnan(found), empty)
    expected = ndcg_at_k(rows, valid, targets, k)
    np.testing.assert_allclose(found[~empty], expected[~empty], rtol=1e-5)


def test_validation_tells_new_items_from_all() -> None:
    examples = by_lot(12)
    rng = np.random.default_rng(1)
    for one in examples:
        one.is_new[:] = rng.random(len(one.is_new)) < 0.6
    stacked = Examples.stack(examples)
    model = untrained(stacked).eval()
    every, new = validate(model, stacked, np.arange(12), 5)
    labelled = stacked.batch(np.arange(12))
    with torch.inference_mode():
        scores = model(labelled.batch)[..., 0].numpy()

    def mean_ndcg(mask: np.ndarray) -> float:
        rows = np.argsort(-np.where(mask, scores, -np.inf), axis=1)
        positive = labelled.label[..., 0].numpy() & mask
        valid = np.take_along_axis(mask, rows, axis=1)
        return float(ndcg_at_k(rows, valid, [np.flatnonzero(p) for p in positive], 10).mean())

    assert every == pytest.approx(mean_ndcg(labelled.batch.candidate_mask.numpy()), rel=1e-5)
    assert new == pytest.approx(mean_ndcg(labelled.is_new.numpy()), rel=1e-5)
    assert abs(new - every) > 1e-3


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_hidden_sales_are_those_of_single_candidates(share: float) -> None:
    examples = wide(20)
    of_sales = torch.from_numpy(sales_columns(NAMES))
    before = examples.batch(np.arange(20))
    found = _drop_sales(
        examples.batch(np.arange(20)), share, of_sales, np.random.default_rng(0)
    ).batch.features
    missing = found.isnan()
    hidden = missing.any(-1)
    assert float(hidden.float().mean()) == pytest.approx(share, abs=0.1)
    assert torch.equal(missing, hidden[..., None] & of_sales)
    torch.testing.assert_close(found[~missing], before.batch.features[~missing])
