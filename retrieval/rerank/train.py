"""Train the reranker: one readable loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from retrieval.rerank.calibrate import fit_platt
from retrieval.rerank.config import RerankConfig
from retrieval.rerank.examples import Examples, LabelledBatch
from retrieval.rerank.features import sales_columns, scene_columns
from retrieval.rerank.losses import listwise_softmax, pointwise
from retrieval.rerank.model import Reranker, Shape
from retrieval.rerank.records import Floats, Ints

VALIDATION_SHARE = 0.08
"""Share of users whose requests choose the epoch and are never trained on."""
FEATURES_SCALED_ON = 200_000
CLIP_NORM = 1.0


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one pass over the training requests gave."""

    number: int
    loss: float
    ndcg: float
    """NDCG@10 over retrieved candidates, held-out users."""
    ndcg_new: float
    """The same among candidates that the user never took."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """The best network and how it came about."""

    model: Reranker
    epochs: tuple[Epoch, ...]
    best: int


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of the columns of the training arrays."""

    features: tuple[str, ...]
    tasks: tuple[str, ...]


def fit_reranker(
    examples: Examples,
    items: Floats,
    group: Ints,
    config: RerankConfig,
    *,
    columns: Columns,
    seed: int,
    on_epoch: Callable[[Epoch], None] | None = None,
    on_step: Callable[[int, int], None] | None = None,
) -> Fitted:
    """Train until the held-out users' NDCG@10 stops rising, and keep the best epoch.

    Args:
        examples: Training requests.
        items: Item vectors for tokens, float32 ``[I, W]``.
        group: Finest group of each item, int64 ``[I]``.
        config: Settings.
        columns: What the feature and label columns are.
        seed: Of initialisation, dropout and order.
        on_epoch: Called after each epoch.
        on_step: Called with steps done and steps in all.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train, held_out = _split(examples.user, rng)
    model = _new_model(examples, items, group, config, columns.tasks).to(device)
    _fit_scale(model, examples, rng)
    of_scene = torch.from_numpy(scene_columns(columns.features))
    of_sales = torch.from_numpy(sales_columns(columns.features))
    per_epoch = -(-len(train) // config.batch_size)
    steps = config.epochs * per_epoch
    optimizer = torch.optim.AdamW(
        model.parameters(), config.learning_rate, weight_decay=config.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=steps, pct_start=0.15
    )
    running_mean = get_ema_multi_avg_fn(config.averaging)  # type: ignore[no-untyped-call]
    averaged = AveragedModel(model, multi_avg_fn=running_mean)
    kept = cast(Reranker, averaged.module)
    epochs: list[Epoch] = []
    best, weights = -1.0, model.state_dict()
    for number in range(1, config.epochs + 1):
        model.train()
        losses = []
        for i, which in enumerate(_batches(rng.permutation(train), config.batch_size)):
            batch = _drop_scene(examples.batch(which), config.scene_dropout, of_scene, rng)
            batch = _drop_sales(batch, config.sales_dropout, of_sales, rng)
            losses.append(_step(model, optimizer, batch, config, device))
            schedule.step()
            averaged.update_parameters(model)
            if on_step:
                on_step((number - 1) * per_epoch + i + 1, steps)
        ndcg, ndcg_new = validate(kept, examples, held_out, config.batch_size)
        epochs.append(Epoch(number, float(np.mean(losses)), ndcg, ndcg_new))
        if on_epoch:
            on_epoch(epochs[-1])
        score = ndcg + config.new_item_weight * ndcg_new
        if score > best:
            best, chosen = score, number
            weights = {k: v.detach().clone() for k, v in kept.state_dict().items()}
        elif number - chosen >= config.patience:
            break
    model.load_state_dict(weights)
    model.platt.copy_(_calibration(model, examples, held_out, config.batch_size))
    return Fitted(model.eval().cpu(), tuple(epochs), chosen)


def _step(
    model: Reranker,
    optimizer: torch.optim.Optimizer,
    labelled: LabelledBatch,
    config: RerankConfig,
    device: torch.device,
) -> float:
    labelled = labelled.to(device)
    logits = model(labelled.batch)
    loss = torch.zeros((), device=device)
    for task in range(logits.shape[-1]):
        loss = loss + _task_loss(logits[..., task], labelled, task, config)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
    optimizer.step()
    return float(loss.detach())


def _task_loss(logits: Tensor, labelled: LabelledBatch, task: int, config: RerankConfig) -> Tensor:
    label, weight, stands_for = labelled.label[..., task], labelled.weight, labelled.log_weight
    mask = labelled.batch.candidate_mask
    fresh = mask & labelled.is_new
    return (
        listwise_softmax(logits, label, mask, weight, stands_for)
        + config.new_item_weight * listwise_softmax(logits, label, fresh, weight, stands_for)
        + config.calibration_weight * pointwise(logits, label, mask, weight, stands_for)
    )


@torch.inference_mode()
def validate(
    model: Reranker, examples: Examples, which: Ints, batch_size: int, task: int = 0
) -> tuple[float, float]:
    """Mean NDCG@10 among retrieved candidates: of all, and of those the user never took."""
    model.eval()
    device = next(model.parameters()).device
    every, new = [], []
    for chunk in _batches(which, batch_size):
        labelled = examples.batch(chunk)
        scores = model(labelled.batch.to(device))[..., task].cpu()
        label, mask = labelled.label[..., task], labelled.batch.candidate_mask
        every.append(_ndcg(scores, label, mask))
        new.append(_ndcg(scores, label, mask & labelled.is_new))
    mean = torch.cat(every).nanmean().nan_to_num()  # NaN where no list has a positive
    return float(mean), float(torch.cat(new).nan_to_num().mean())


@torch.inference_mode()
def _calibration(model: Reranker, examples: Examples, which: Ints, batch_size: int) -> Tensor:
    """Slope and offset of each task on held-out lists, float32 ``[tasks, 2]``."""
    model.eval()
    device = next(model.parameters()).device
    logits, labels, weights = [], [], []
    for chunk in _batches(which, batch_size):
        labelled = examples.batch(chunk)
        mask = labelled.batch.candidate_mask
        logits.append(model(labelled.batch.to(device)).cpu()[mask])
        labels.append(labelled.label[mask])
        weights.append(labelled.log_weight[mask].exp())
    scores, label, weight = torch.cat(logits), torch.cat(labels), torch.cat(weights)
    tasks = range(label.shape[1])
    return torch.stack([fit_platt(scores[:, t], label[:, t], weight) for t in tasks])


def _ndcg(scores: Tensor, label: Tensor, mask: Tensor, k: int = 10) -> Tensor:
    """NDCG@k per list ``[B]``; NaN for a list without a positive."""
    k = min(k, scores.shape[1])
    label = label & mask
    top = scores.masked_fill(~mask, float("-inf")).topk(k, dim=1).indices
    discount = 1 / torch.log2(torch.arange(2, k + 2, dtype=torch.float32))
    gain = (label.gather(1, top) * discount).sum(dim=1)
    n_positive = label.sum(dim=1)
    ideal = torch.cat([torch.zeros(1), discount.cumsum(0)])[n_positive.clamp(max=k)]
    return torch.where(n_positive > 0, gain / ideal.clamp(min=1e-9), torch.nan)


def _new_model(
    examples: Examples,
    items: Floats,
    group: Ints,
    config: RerankConfig,
    task_names: tuple[str, ...],
) -> Reranker:
    shape = Shape(
        n_features=examples.features.shape[1],
        item_width=items.shape[1],
        width=config.width,
        heads=config.heads,
        layers=config.layers,
        hidden=config.hidden,
        task_names=task_names,
        dropout=config.dropout,
    )
    model = Reranker(shape, torch.from_numpy(items), torch.from_numpy(group))
    rate = examples.label.mean(axis=0).clip(1e-6, 0.5)
    with torch.no_grad():
        model.heads_out.bias.copy_(torch.from_numpy(np.log(rate / (1 - rate))))
    return model


def _fit_scale(model: Reranker, examples: Examples, rng: np.random.Generator) -> None:
    n = len(examples.features)
    sample = rng.choice(n, size=min(n, FEATURES_SCALED_ON), replace=False)
    values = torch.from_numpy(examples.features[np.sort(sample)].astype(np.float32))
    mean = values.nanmean(dim=0).nan_to_num()
    std = (values - mean).square().nanmean(dim=0).sqrt().nan_to_num(nan=1.0)
    model.scale.mean.copy_(mean)
    model.scale.std.copy_(torch.where(std > 1e-4, std, 1.0))


def _split(user: Ints, rng: np.random.Generator) -> tuple[Ints, Ints]:
    users = rng.permutation(np.unique(user))
    chosen = users[: max(1, round(VALIDATION_SHARE * len(users)))] if len(users) > 1 else users
    held_out = np.isin(user, chosen)
    train = np.flatnonzero(~held_out) if len(users) > 1 else np.arange(len(user))
    return train, np.flatnonzero(held_out)


def _batches(order: Ints, size: int) -> Iterator[Ints]:
    for start in range(0, len(order), size):
        yield order[start : start + size]


def _drop_scene(
    labelled: LabelledBatch, share: float, of_scene: Tensor, rng: np.random.Generator
) -> LabelledBatch:
    """Hide the place and the offers of some requests, as when a caller sends none."""
    batch = labelled.batch
    hidden = torch.from_numpy(rng.random(len(batch.scene)) < share)
    if hidden.any():
        batch.here[hidden] = 0
        batch.scene[hidden, -1] = 0
        batch.features.masked_fill_(hidden[:, None, None] & of_scene, torch.nan)
    return labelled


def _drop_sales(
    labelled: LabelledBatch, share: float, of_sales: Tensor, rng: np.random.Generator
) -> LabelledBatch:
    """Hide how some candidates sold, as of items that nobody could buy before."""
    batch = labelled.batch
    hidden = torch.from_numpy(rng.random(batch.candidate.shape) < share)
    batch.features.masked_fill_(hidden[..., None] & of_sales, torch.nan)
    return labelled
