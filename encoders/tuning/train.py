"""Tune an encoder to a catalogue: one readable loop.

Three losses are added up. Each picture should find its words, and they it, among those of the
batch (items with the same words are no wrong answers). Each item should find what is bought
together with it. And words and pictures that are not the shop's should stay where they were:
class names of ImageNet, and pairs of the shop's pictures laid over each other, which look like
nothing that it sells.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from math import cos, log, pi
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from encoders.base import Float32
from encoders.low_rank import Update
from encoders.openclip import Encoder
from encoders.towers import Towers
from encoders.tuning.batches import Sampler, Step
from encoders.tuning.catalogue import Bools, Catalogue, Ints, digest
from encoders.tuning.checkpoint import Epoch, Progress, read_checkpoint, write_checkpoint
from encoders.tuning.exam import ANCHOR_WORDS, EXAMINED_WORDS, Exam, Figures
from encoders.tuning.inputs import Inputs
from encoders.tuning.lora import adapt, without_adapters
from encoders.tuning.losses import drift, symmetric_info_nce
from encoders.tuning.settings import TuningSettings

CHECKPOINT_STEPS = 25
"""A checkpoint is written after so many steps, and after every epoch."""
CLIP_NORM = 1.0
WARM_UP = 0.05
"""Share of the steps in which the learning rate rises."""
FIRST_SCALE, MOST_SCALE = 1 / 0.07, 100.0
"""Inverse temperature: where it starts, and where CLIP stops it."""
TEMPERATURE_PACE = 2.0
"""The temperatures learn so many times as fast as the adapters."""
ANCHOR_TEXTS, ANCHOR_PICTURES = 32, 8
"""Words and pictures per step that are not the shop's."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """What tuning gave."""

    updates: tuple[Update, ...]
    """Of the best epoch; none if no epoch was better than the untuned model."""
    before: Figures
    after: Figures
    """Those of the best epoch. They chose it, so they are a little too good; the more, the fewer
    items are held out."""
    epochs: tuple[Epoch, ...]
    best: int
    """Number of the best epoch, from 1 on; 0 if none was better than the untuned model."""
    n_held_out: int
    """Items that the figures ask about."""
    general_cosine: float
    """Mean cosine between the vectors of general words, never trained on, before and after."""


class Tuning:
    """One training: the model with its adapters, what it learns from and what it is asked."""

    def __init__(self, towers: Towers, catalogue: Catalogue, settings: TuningSettings) -> None:
        """Prepare a training.

        Args:
            towers: The model; it is changed in place.
            catalogue: What there is to learn.
            settings: How.

        Raises:
            EncoderError: The model cannot be adapted, or peft is not installed.
            TuningError: There is nothing to learn from, or nothing held out to measure on.
        """
        self._settings = settings
        self.sampler = Sampler(catalogue, settings)
        self._exam = Exam.of(catalogue, image_weight=settings.image_weight, seed=settings.seed)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        # Asked in 32 bits: what 16 would round off decides which epoch is best.
        self._encoder = Encoder(towers, device=str(device), precision="float32")
        self._towers, self._device = towers, device
        self._model = cast(nn.Module, towers.model)
        fingerprint = self._encoder.fingerprint
        self.key = _key(fingerprint, digest(catalogue), json.dumps(asdict(settings)))
        self.before = self._exam.sit(self._encoder)
        self._general = self._encoder.encode_texts(EXAMINED_WORDS)
        self._inputs = Inputs(towers, catalogue, device)
        self._adapters = adapt(towers, settings)
        start = torch.full((2,), log(FIRST_SCALE), device=device)
        self._log_scales = nn.Parameter(start)  # of pictures and words, of items bought together
        self.parameters = [p for a in self._adapters for p in (a.down, a.up)] + [self._log_scales]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": self.parameters[:-1], "weight_decay": settings.weight_decay},
                {"params": [self._log_scales], "weight_decay": 0.0},
            ]
        )
        self.steps = settings.epochs * self.sampler.steps_per_epoch

    def learn(self, number: int) -> float:
        """Take step ``number``, from 0 on; returns its loss."""
        self._set_pace(number)
        autocast = torch.autocast("cuda", torch.bfloat16, enabled=self._device.type == "cuda")
        with autocast:
            loss = self._loss(self.sampler.step(number))
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.parameters, CLIP_NORM)
        self.optimizer.step()
        with torch.no_grad():
            self._log_scales.clamp_(0.0, log(MOST_SCALE))
        return float(loss.detach())

    def examine(self) -> Figures:
        """The figures by now."""
        return self._exam.sit(self._encoder)

    def result(self, progress: Progress) -> Tuned:
        """What the best epoch gave."""
        for parameter, value in zip(self.parameters, progress.best_weights, strict=False):
            with torch.no_grad():
                parameter.copy_(value)
        best = progress.epochs[progress.best - 1].figures if progress.best else self.before
        now = self._encoder.encode_texts(EXAMINED_WORDS)
        return Tuned(
            updates=tuple(a.update() for a in self._adapters) if progress.best else (),
            before=self.before,
            after=best,
            epochs=tuple(progress.epochs),
            best=progress.best,
            n_held_out=self._exam.n_items,
            general_cosine=float((now * self._general).sum(axis=1).mean())
            if progress.best
            else 1.0,
        )

    def _loss(self, step: Step) -> Tensor:
        settings, scales = self._settings, self._log_scales.exp()
        words = self._words(self._inputs.words(step.items))  # [B, D]
        items, loss = words, torch.zeros((), device=self._device)
        if len(step.pictures):
            seed = (settings.seed, 3, step.number)
            pixels = self._inputs.pictures(step.pictures, seed)
            pictures = self._pictures(pixels)  # [V, D]
            has_picture = self._tensor(step.has_picture)
            allowed = self._tensor(self.sampler.allowed_pictures(step))
            loss = loss + symmetric_info_nce(words[has_picture], pictures, scales[0], allowed)
            items = _fuse(words, pictures, has_picture, settings.image_weight)
            if settings.anchor_weight and settings.tower != "text":
                loss = loss + settings.anchor_weight * self._picture_drift(pixels)
        if len(step.first):
            together = symmetric_info_nce(
                items[self._tensor(step.first)],
                items[self._tensor(step.second)],
                scales[1],
                self._tensor(self.sampler.allowed_pairs(step)),
                self._tensor(self.sampler.log_share(step)),
            )
            loss = loss + settings.together_weight * together
        if settings.anchor_weight and settings.tower != "image":
            loss = loss + settings.anchor_weight * self._word_drift(step)
        return loss

    def _word_drift(self, step: Step) -> Tensor:
        rng = np.random.default_rng([self._settings.seed, 4, step.number])
        chosen = rng.choice(len(ANCHOR_WORDS), ANCHOR_TEXTS, replace=False)
        tokens = self._inputs.texts([ANCHOR_WORDS[row] for row in chosen])
        with torch.no_grad(), without_adapters(self._model):
            original = self._words(tokens)
        return drift(self._words(tokens), original)

    def _picture_drift(self, pixels: Tensor) -> Tensor:
        blends = ((pixels + pixels.roll(1, dims=0)) / 2)[:ANCHOR_PICTURES]
        with torch.no_grad(), without_adapters(self._model):
            original = self._pictures(blends)
        return drift(self._pictures(blends), original)

    def _words(self, tokens: Tensor) -> Tensor:
        return normalize(self._towers.model.encode_text(tokens).float(), dim=-1)

    def _pictures(self, pixels: Tensor) -> Tensor:
        return normalize(self._towers.model.encode_image(pixels).float(), dim=-1)

    def _tensor(self, array: Ints | Bools | Float32) -> Tensor:
        return torch.from_numpy(array).to(self._device)

    def _set_pace(self, number: int) -> None:
        rate = self._settings.learning_rate * pace(number, self.steps)
        adapters, scales = self.optimizer.param_groups
        adapters["lr"], scales["lr"] = rate, TEMPERATURE_PACE * rate


def tune(
    towers: Towers,
    catalogue: Catalogue,
    settings: TuningSettings,
    *,
    checkpoint: Path | None = None,
    on_step: Callable[[int, int], None] | None = None,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> Tuned:
    """Tune until the held-out recall stops rising, and keep the best epoch.

    Args:
        towers: The model; it is changed in place, so open it for this alone.
        catalogue: What there is to learn.
        settings: How.
        checkpoint: File that keeps how far it is. A second call with the same arguments goes on
            from there, and gives the same as one that was never interrupted: bit for bit on a
            CPU with the same number of threads.
        on_step: Called with steps done and steps in all.
        on_epoch: Called after each epoch.

    Raises:
        EncoderError: The model cannot be adapted, or peft is not installed.
        ImageError: A picture cannot be read.
        TuningError: There is nothing to learn from, or nothing held out to measure on.
    """
    tuning = Tuning(towers, catalogue, settings)
    progress = Progress()
    if checkpoint is not None:
        progress = read_checkpoint(checkpoint, tuning.key, tuning.parameters, tuning.optimizer)
    while progress.step < tuning.steps and len(progress.epochs) - progress.best < settings.patience:
        progress.losses.append(tuning.learn(progress.step))
        progress.step += 1
        ends = progress.step % tuning.sampler.steps_per_epoch == 0
        if ends:
            _end_epoch(tuning, progress)
        if checkpoint is not None and (ends or progress.step % CHECKPOINT_STEPS == 0):
            write_checkpoint(checkpoint, tuning.key, progress, tuning.parameters, tuning.optimizer)
        if on_epoch and ends:
            on_epoch(progress.epochs[-1])
        if on_step:
            on_step(progress.step, tuning.steps)
    return tuning.result(progress)


def pace(number: int, steps: int) -> float:
    """Share of the highest learning rate at a step: a short rise, then half a cosine to 0."""
    warm_up = max(1, round(WARM_UP * steps))
    if number < warm_up:
        return (number + 1) / warm_up
    return (1 + cos(pi * (number - warm_up) / max(1, steps - warm_up))) / 2


def _end_epoch(tuning: Tuning, progress: Progress) -> None:
    figures = tuning.examine()
    number = len(progress.epochs) + 1
    progress.epochs.append(Epoch(number, float(np.mean(progress.losses)), figures))
    progress.losses.clear()
    best = progress.epochs[progress.best - 1].figures if progress.best else tuning.before
    if figures.score > best.score:
        progress.best = number
        progress.best_weights = [p.detach().cpu().clone() for p in tuning.parameters]


def _fuse(words: Tensor, pictures: Tensor, has_picture: Tensor, image_weight: float) -> Tensor:
    """:func:`encoders.fuse`, with gradients, where every item has words."""
    mixed = words.clone()
    mixed[has_picture] = image_weight * pictures + (1 - image_weight) * words[has_picture]
    return normalize(mixed, dim=-1)


def _key(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
