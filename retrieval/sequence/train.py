"""Histories → a model of what comes next."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from retrieval.sequence.checkpoint import Progress, resume, write
from retrieval.sequence.config import SequenceConfig
from retrieval.sequence.histories import Histories, Padded, Rows, batches
from retrieval.sequence.model import NextItem, SequenceModel
from retrieval.sequence.score import target_ranks
from retrieval.sequence.softmax import Negatives, sampled_softmax


@dataclass(frozen=True, slots=True)
class Epoch:
    """Progress of training, given to ``on_epoch``."""

    number: int
    loss: float
    ndcg10: float


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A trained model and how it came about."""

    model: NextItem
    epochs: int
    """Epochs behind the weights that were kept."""
    ndcg10: float
    """Of the held-out events; NaN where none were."""


@dataclass(frozen=True, slots=True, eq=False)
class Questions:
    """What validation asks: the item that follows each of some histories.

    Shapes: ``users`` int64 ``[n]``, rows of ``histories``; ``target`` int64 ``[n]``.
    """

    histories: Histories
    users: Rows
    target: Rows


@dataclass(frozen=True, slots=True)
class Training:
    """What goes with a training besides its data and settings."""

    questions: Questions | None = None
    """Training stops when NDCG@10 on these no longer rises, and the best weights are kept; without
    them all epochs are run."""
    on_epoch: Callable[[Epoch], None] | None = None
    """Called after every epoch."""
    folder: Path | None = None
    """Where the training is saved after every epoch; one that was stopped there goes on and ends
    with the weights that it would have had."""


def fit(
    histories: Histories,
    n_items: int,
    config: SequenceConfig,
    *,
    seed: int,
    features: Tensor | None = None,
    training: Training | None = None,
) -> Fitted:
    """Train a :class:`SequenceModel` on every event of the histories given those before it.

    Args:
        histories: Of U users.
        n_items: I.
        config: Settings.
        seed: Same seed, same model.
        features: What is known of each item, float32 ``[I, F]``, dense or sparse.
        training: Validation, progress and where to save it; nothing of these by default.
    """
    return train(
        lambda: SequenceModel(n_items, config, features), histories, seed=seed, training=training
    )


def train(
    make: Callable[[], NextItem],
    histories: Histories,
    *,
    seed: int,
    training: Training | None = None,
) -> Fitted:
    """As :func:`fit`, for any model of the next item; ``make`` is called once, under the seed.

    The loss is a softmax over the event's item and a few hundred items drawn for the whole step,
    corrected for how often each is drawn (Bengio and Senécal 2008; Yi et al. 2019), or over all
    items. That this beats one negative per event by far is the finding of gSASRec
    (arXiv:2308.07192) and eSASRec (arXiv:2508.06450).

    Raises:
        ValueError: The folder holds a training with other settings or other data.
    """
    training = training or Training()
    with _seeded(seed, 0):
        model = make()
    config = model.config
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
    )
    settings = f"{config.model_dump_json()} seed {seed}, {len(histories.item)} events"
    draw = _negatives(histories, model)
    pieces = histories.windows(config.max_events + 1)
    progress = Progress()
    if training.folder is not None:
        progress = resume(training.folder, model, optimizer, settings)
    while not _done(progress, config, training):
        progress.epoch += 1
        with _seeded(seed, progress.epoch) as rng:
            loss = _epoch(model, optimizer, pieces, draw, rng)
        value = _note(progress, model, training.questions)
        if training.on_epoch is not None:
            training.on_epoch(Epoch(progress.epoch, loss, value))
        if training.folder is not None:
            write(training.folder, model, optimizer, progress, settings)
    if progress.best_weights is not None:
        model.load_state_dict(progress.best_weights)
        return Fitted(model.eval(), progress.best_epoch, progress.best)
    return Fitted(model.eval(), progress.epoch, float("nan"))


def _negatives(histories: Histories, model: NextItem) -> Negatives | None:
    config = model.config
    if config.negatives is None:
        return None
    counts = np.bincount(histories.item, minlength=model.n_items)
    return Negatives.of(counts, config.popularity_exponent, config.negatives)


def _done(progress: Progress, config: SequenceConfig, training: Training) -> bool:
    waited = progress.epoch - progress.best_epoch
    stale = training.questions is not None and waited >= config.patience
    return stale or progress.epoch >= config.epochs


def _note(progress: Progress, model: NextItem, questions: Questions | None) -> float:
    """NDCG@10 of validation after an epoch; the weights are kept if they are the best so far."""
    if questions is None:
        return float("nan")
    value = _ndcg10(model, questions)
    if value > progress.best:
        progress.best, progress.best_epoch = value, progress.epoch
        progress.best_weights = {n: tensor.clone() for n, tensor in model.state_dict().items()}
    return value


@contextmanager
def _seeded(seed: int, epoch: int) -> Iterator[np.random.Generator]:
    """Randomness that depends on nothing but seed and epoch, so that a training can be resumed."""
    rng = np.random.default_rng([seed, epoch])
    with torch.random.fork_rng():
        torch.manual_seed(int(rng.integers(2**62)))
        yield rng


def _epoch(
    model: NextItem,
    optimizer: torch.optim.Optimizer,
    histories: Histories,
    draw: Negatives | None,
    rng: np.random.Generator,
) -> float:
    """Train on every user once; the mean loss of the steps."""
    config = model.config
    model.train()
    losses = []
    for users in batches(histories.lengths, config.batch_size, rng):
        loss = _loss(model, histories.padded(users, config.max_events + 1), draw, rng)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    return float(np.mean(losses)) if losses else float("nan")


def _loss(
    model: NextItem, seen: Padded, draw: Negatives | None, rng: np.random.Generator
) -> Tensor:
    read, target = _shifted(seen.to(model.device))
    state = model(read)[read.valid] / model.config.temperature  # (P, D)
    if draw is None:
        return nn.functional.cross_entropy(state @ model.items().T, target)
    negative = draw.batch(rng).to(model.device)
    return sampled_softmax(
        (state * model.items(target)).sum(dim=1),
        state @ model.items(negative).T,
        negative[None] == target[:, None],
        draw.log_q.to(model.device)[negative],
    )


def _shifted(seen: Padded) -> tuple[Padded, Tensor]:
    """What is read, and for each of its P valid tokens the item that follows, int64 ``[P]``."""
    has_next = seen.valid[:, 1:]
    read = Padded(seen.item[:, :-1], seen.at_unix_s[:, :-1], has_next)
    return read, seen.item[:, 1:][has_next]


def _ndcg10(model: NextItem, questions: Questions) -> float:
    ranks = target_ranks(model, questions.histories, questions.users, questions.target)
    return float(np.where(ranks <= 10, 1 / np.log2(ranks + 1), 0.0).mean())
