"""Train the reranker: one readable loop."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from retrieval.rerank.adversarial import perturbed
from retrieval.rerank.checkpoint import Epoch, Progress, load_progress, save_progress
from retrieval.rerank.config import RerankConfig
from retrieval.rerank.examples import Examples, LabelledBatch
from retrieval.rerank.features import sales_columns, scene_columns
from retrieval.rerank.held_out import batches, calibration, split_users, validate
from retrieval.rerank.losses import Objective
from retrieval.rerank.model import Reranker, Shape
from retrieval.rerank.records import Floats, Ints
from retrieval.rerank.trust import pull_of

FEATURES_SCALED_ON = 200_000
CLIP_NORM = 1.0
WARM_UP_SHARE = 0.15
"""Share of the steps in which the learning rate rises."""


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


@dataclass(frozen=True, slots=True)
class Lessons:
    """What every epoch goes through."""

    examples: Examples
    rows: Ints
    """Requests to train on, int64 ``[N]``."""
    config: RerankConfig
    of_scene: Tensor
    """bool ``[F]``"""
    of_sales: Tensor
    """bool ``[F]``"""
    device: torch.device

    @property
    def steps_per_epoch(self) -> int:
        """Batches that hold every request once."""
        return -(-len(self.rows) // self.config.batch_size)


def fit_reranker(
    examples: Examples,
    items: Floats,
    group: Ints,
    config: RerankConfig,
    *,
    columns: Columns,
    seed: int,
    checkpoint: Path | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
    on_step: Callable[[int, int], None] | None = None,
) -> Fitted:
    """Train until the held-out users' NDCG@10 stops rising, and keep the best epoch.

    Where little teaches it, retrieval's score is added (:mod:`retrieval.rerank.trust`).

    Args:
        examples: Training requests.
        items: Item vectors for tokens, float32 ``[I, W]``.
        group: Finest group of each item, int64 ``[I]``.
        config: Settings.
        columns: What the feature and label columns are.
        seed: Of initialisation, dropout and order.
        checkpoint: File to keep the state in after each epoch; a training that left one there
            goes on from it, and ends with the weights that it would have had.
        on_epoch: Called after each epoch.
        on_step: Called with steps done and steps in all.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    train, held_out = split_users(examples.user, rng)
    model = _new_model(examples, items, group, config, columns.tasks).to(device)
    _fit_scale(model, examples, rng)
    lessons = Lessons(
        examples,
        train,
        config,
        torch.from_numpy(scene_columns(columns.features)),
        torch.from_numpy(sales_columns(columns.features)),
        device,
    )
    progress = _begin(model, Objective(config, len(columns.tasks)).to(device), config, rng)
    kept = cast(Reranker, progress.averaged.module)
    name = _fingerprint(examples, config, columns, seed)
    if checkpoint is not None and load_progress(checkpoint, progress, name) and on_epoch:
        for epoch in progress.epochs:
            on_epoch(epoch)
    while not _is_done(progress, config):
        loss = _one_epoch(progress, lessons, on_step)
        scores = validate(kept, examples, held_out, config.batch_size)
        progress.epochs.append(Epoch(len(progress.epochs) + 1, loss, *scores))
        if on_epoch:
            on_epoch(progress.epochs[-1])
        _keep_if_best(progress, kept, config)
        if checkpoint is not None:
            save_progress(checkpoint, progress, name)
    model.load_state_dict(progress.best_weights)
    n_users = len(np.unique(examples.user))
    pull = pull_of(columns.features, n_users, len(examples.user), config.retrieval_trust)
    if pull is not None:
        model.pull_by(pull)
    model.platt.copy_(calibration(model, examples, held_out, config.batch_size))
    return Fitted(model.eval().cpu(), tuple(progress.epochs), progress.best_epoch)


def _begin(
    model: Reranker, objective: Objective, config: RerankConfig, rng: np.random.Generator
) -> Progress:
    both = nn.ModuleList([model, objective])
    running_mean = get_ema_multi_avg_fn(config.averaging)  # type: ignore[no-untyped-call]
    return Progress(
        model=both,
        averaged=AveragedModel(model, multi_avg_fn=running_mean),
        optimizer=torch.optim.AdamW(
            both.parameters(), config.learning_rate, weight_decay=config.weight_decay
        ),
        rng=rng,
        best_weights=model.state_dict(),
    )


def _is_done(progress: Progress, config: RerankConfig) -> bool:
    done = len(progress.epochs)
    stale = done - progress.best_epoch >= config.patience
    return done >= config.epochs or (progress.best_epoch > 0 and stale)


def _keep_if_best(progress: Progress, kept: Reranker, config: RerankConfig) -> None:
    last = progress.epochs[-1]
    score = last.ndcg + config.new_item_weight * last.ndcg_new
    if score > progress.best_score:
        progress.best_score, progress.best_epoch = score, last.number
        progress.best_weights = {k: v.detach().clone() for k, v in kept.state_dict().items()}


def _one_epoch(
    progress: Progress, lessons: Lessons, on_step: Callable[[int, int], None] | None
) -> float:
    """Train on every request once; the mean loss."""
    config, rng = lessons.config, progress.rng
    model, objective = cast(Reranker, progress.model[0]), cast(Objective, progress.model[1])
    steps = config.epochs * lessons.steps_per_epoch
    model.train()
    losses = []
    for which in batches(rng.permutation(lessons.rows), config.batch_size):
        rate, momentum = one_cycle(progress.step, steps, config.learning_rate)
        for group in progress.optimizer.param_groups:
            group["lr"], group["betas"] = rate, (momentum, 0.999)
        batch = lessons.examples.batch(which)
        batch = _drop_scene(batch, config.scene_dropout, lessons.of_scene, rng)
        batch = _drop_sales(batch, config.sales_dropout, lessons.of_sales, rng)
        losses.append(_step(model, objective, progress.optimizer, batch.to(lessons.device)))
        progress.averaged.update_parameters(model)
        progress.step += 1
        if on_step:
            on_step(progress.step, steps)
    return float(np.mean(losses))


def _step(
    model: Reranker,
    objective: Objective,
    optimizer: torch.optim.Optimizer,
    labelled: LabelledBatch,
) -> float:
    def loss() -> Tensor:
        with torch.autocast("cuda", torch.bfloat16, enabled=labelled.weight.is_cuda):
            logits: Tensor = model(labelled.batch)
        found: Tensor = objective(logits.float(), labelled)
        return found

    optimizer.zero_grad(set_to_none=True)
    first = loss()
    first.backward()  # type: ignore[no-untyped-call]
    epsilon = objective.config.adversarial_epsilon
    if epsilon:
        with perturbed(model.embeddings(), epsilon):
            loss().backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM)
    optimizer.step()
    return float(first.detach())


def one_cycle(step: int, steps: int, peak: float) -> tuple[float, float]:
    """Learning rate and momentum of a step (from 0): up to the peak and down, along cosines.

    The schedule of Smith and Topin 2018, "Super-convergence", arXiv:1708.07120, as PyTorch's
    ``OneCycleLR`` has it; a function of the step alone can be taken up anywhere.
    """
    top = max(WARM_UP_SHARE * steps - 1, 1.0)
    if step <= top:
        share, rates, momenta = step / top, (peak / 25, peak), (0.95, 0.85)
    else:
        share = (step - top) / max(steps - 1 - top, 1.0)
        rates, momenta = (peak, peak / 25e4), (0.85, 0.95)
    gone = (1 - math.cos(math.pi * min(share, 1.0))) / 2
    rate, momentum = (a + (b - a) * gone for a, b in (rates, momenta))
    return rate, momentum


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


def _fingerprint(examples: Examples, config: RerankConfig, columns: Columns, seed: int) -> str:
    """Names everything that decides how a training goes."""
    told = [config.model_dump_json(), repr(columns), str(seed), str(examples.features.shape)]
    digest = hashlib.sha256("\n".join(told).encode())
    for array in (examples.user, examples.offset, examples.candidates, examples.label):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


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
