"""The training loop: pictures against their sentences, class names, and what was known before."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from encoders.training.losses import contrast, forgetting, name_loss
from encoders.training.model import Trainee
from encoders.training.sets import PairSet
from encoders.tuning.catalogue import word_groups
from encoders.tuning.losses import drift

_NAME_TEMPLATES = ("{}", "a photo of {}.", "a picture of {}.", "a product photo of {}.")
_TEACHER_ROWS = 128
_OTHERS = 24
# Words cost as much as pictures, so not every kind of sentence is in every step.
_ABOUT_SHARE = 0.25
_NAMES_SHARE = 1 / 3


@dataclass(frozen=True, slots=True)
class Settings:
    """How the recipe learns.

    Attributes:
        steps: Of the optimiser.
        warmup: Steps over which the rates rise.
        tail_rate: Learning rate of the picture tower's end.
        head_rate: Of the picture head.
        text_rate: Of the adapters.
        weight_decay: Of AdamW.
        keep_pictures: Weight of not forgetting ImageNet.
        keep_words: Weight of leaving other words where they are.
        names: Weight of class names.
        about: Weight of the sentences after the first.
        seed: Of everything random.
    """

    steps: int
    warmup: int = 40
    tail_rate: float = 5e-4
    head_rate: float = 1e-3
    text_rate: float = 1e-3
    weight_decay: float = 0.02
    keep_pictures: float = 0.1
    keep_words: float = 2.0
    names: float = 0.5
    about: float = 0.5
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """One set with the front features of its views, and how many of it are in a batch.

    Attributes:
        pairs: n pictures with sentences.
        views: ``[n, V, C, h, w]`` float16.
        batch: Pictures of this set in every batch.
    """

    pairs: PairSet
    views: NDArray[np.float16]
    batch: int


@dataclass(frozen=True, slots=True)
class Step:
    """Told after a step: its number and the parts of its loss."""

    number: int
    titles: float
    about: float
    names: float
    pictures_kept: float
    words_kept: float


def train(
    trainee: Trainee,
    lessons: Sequence[Lesson],
    others: Sequence[str],
    others_before: Tensor,
    settings: Settings,
    *,
    on_step: Callable[[Step], None],
) -> None:
    """Train in place.

    Args:
        trainee: What learns.
        lessons: The sets.
        others: Sentences that should stay where they are.
        others_before: Where they are, unit rows ``[len(others), D]``.
        settings: How.
        on_step: Told after every step.
    """
    rng = random.Random(settings.seed)
    groups = trainee.groups(
        tail_rate=settings.tail_rate, head_rate=settings.head_rate, text_rate=settings.text_rate
    )
    optimizer = torch.optim.AdamW(groups, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _pace(settings))
    parameters = [p for group in groups for p in group["params"]]  # type: ignore[attr-defined]
    draws = [_draw(len(lesson.pairs), lesson.batch, rng) for lesson in lessons]
    for number in range(settings.steps):
        losses = _losses(
            trainee, lessons, [next(rows) for rows in draws], others, others_before, settings, rng
        )
        weights = (1.0, settings.about, settings.names, settings.keep_pictures, settings.keep_words)
        optimizer.zero_grad(set_to_none=True)
        sum(w * part for w, part in zip(weights, losses, strict=True)).backward()  # type: ignore[union-attr]
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        on_step(Step(number + 1, *(float(part.detach()) for part in losses)))


def _losses(
    trainee: Trainee,
    lessons: Sequence[Lesson],
    rows_of: Sequence[Sequence[int]],
    others: Sequence[str],
    others_before: Tensor,
    settings: Settings,
    rng: random.Random,
) -> tuple[Tensor, ...]:
    fronts, titles, about, has_about = [], [], [], []
    for lesson, rows in zip(lessons, rows_of, strict=True):
        fronts.append(_read(lesson.views, rows, rng))
        for row in rows:
            first, *rest = lesson.pairs.captions[row]
            # Where one sentence is as good as another, any of them may be the title.
            titles.append(first if lesson.pairs.classes else rng.choice([first, *rest]))
            about.append(rng.choice(rest) if rest else first)
            has_about.append(bool(rest))
    front = torch.cat(fronts).contiguous(memory_format=torch.channels_last)
    pictures, features = trainee.pictures(front)
    half = [row for row, has in enumerate(has_about) if has and rng.random() < _ABOUT_SHARE]
    names, spans = _names(lessons, rng)
    if rng.random() >= _NAMES_SHARE:
        names, spans = [], [0] * len(lessons)
    kept = rng.sample(range(len(others)), _OTHERS)
    sentences = [*titles, *(about[row] for row in half), *names, *(others[row] for row in kept)]
    words = trainee.words(sentences)
    title_rows, about_rows, name_rows, other_rows = torch.split(
        words, [len(titles), len(half), len(names), len(kept)]
    )
    scale = trainee.scale
    return (
        contrast(pictures, title_rows, _groups(titles), scale),
        contrast(pictures[half], about_rows, _groups([about[row] for row in half]), scale),
        _name_losses(pictures, name_rows, lessons, rows_of, spans, scale),
        _forgetting(trainee, front, features, rng),
        drift(other_rows, others_before[kept]),
    )


def _groups(sentences: Sequence[str]) -> Tensor:
    return torch.from_numpy(word_groups(sentences))


def _names(lessons: Sequence[Lesson], rng: random.Random) -> tuple[list[str], list[int]]:
    names, spans = [], []
    for lesson in lessons:
        classes = sorted(set(lesson.pairs.classes))
        spans.append(len(classes))
        names += [rng.choice(_NAME_TEMPLATES).format(name) for name in classes]
    return names, spans


def _name_losses(
    pictures: Tensor,
    names: Tensor,
    lessons: Sequence[Lesson],
    rows_of: Sequence[Sequence[int]],
    spans: Sequence[int],
    scale: Tensor,
) -> Tensor:
    total, start = torch.zeros(()), 0
    if not len(names):
        return total
    for lesson, rows, some in zip(lessons, rows_of, torch.split(names, list(spans)), strict=True):
        mine = pictures[start : start + len(rows)]
        start += len(rows)
        if not len(some):
            continue
        numbers = {name: row for row, name in enumerate(sorted(set(lesson.pairs.classes)))}
        labels = torch.tensor([numbers[lesson.pairs.classes[row]] for row in rows])
        total = total + name_loss(mine, some, labels, scale) / _NAMES_SHARE
    return total


def _forgetting(trainee: Trainee, front: Tensor, features: Tensor, rng: random.Random) -> Tensor:
    rows = rng.sample(range(len(front)), min(_TEACHER_ROWS, len(front)))
    classify = trainee.head.aligned.classify  # type: ignore[union-attr]
    with torch.no_grad():
        before = classify(trainee.before(front[rows]))  # type: ignore[operator]
    return forgetting(classify(features[rows]), before)  # type: ignore[operator]


def _read(views: NDArray[np.float16], rows: Sequence[int], rng: random.Random) -> Tensor:
    picked = [views[row, rng.randrange(views.shape[1])] for row in rows]
    return torch.from_numpy(np.stack(picked)).float()


def _draw(count: int, batch: int, rng: random.Random) -> Iterator[list[int]]:
    """Endless batches of rows, every row once before any row twice."""
    left: list[int] = []
    while True:
        while len(left) < batch:
            more = list(range(count))
            rng.shuffle(more)
            left += more
        yield left[:batch]
        left = left[batch:]


def _pace(settings: Settings) -> Callable[[int], float]:
    def pace(step: int) -> float:
        if step < settings.warmup:
            return (step + 1) / settings.warmup
        done = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
        return 0.5 * (1 + float(np.cos(np.pi * done))) + 0.01

    return pace
