"""``python -m encoders.training shipped|research --data FOLDER --out FILE``."""

from __future__ import annotations

import argparse
import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from encoders.base import Preprocessing
from encoders.bundled import open_unlearned
from encoders.learned import FRONT_BLOCKS
from encoders.training.blend import Shares, blend
from encoders.training.exam import examine
from encoders.training.features import Front, front_features, front_of, load_pictures
from encoders.training.glosses import glosses
from encoders.training.model import Trainee, learned_tensors, set_free
from encoders.training.recipes import RESEARCH, SHIPPED, Source
from encoders.training.sets import PairSet, Split, read_grocery
from encoders.training.train import Lesson, Step, train

_RANK = 32
_GLOSSES = 8192
_EXAM_EVERY = 50
_GROUND_SIDE = 128

log = logging.getLogger("encoders.training")


def main() -> None:
    """Train by a recipe and write what was learned."""
    parser = argparse.ArgumentParser(prog="python -m encoders.training", description=__doc__)
    parser.add_argument("recipe", choices=("shipped", "research"))
    parser.add_argument("--data", type=Path, required=True, help="folder of the training sets")
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--work", type=Path, required=True, help="folder of kept features, 4 GB")
    parser.add_argument("--steps", type=int, help="of the optimiser, instead of the recipe's")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    recipe = SHIPPED if given.recipe == "shipped" else RESEARCH
    settings = recipe.settings
    if given.steps is not None:
        settings = replace(settings, steps=given.steps)
    torch.manual_seed(settings.seed)
    towers = open_unlearned()
    front = front_of(towers.model.visual.trunk, FRONT_BLOCKS)  # type: ignore[attr-defined]
    shelf = _Shelf(given.data, given.work, front, towers.preprocessing)
    exams = [shelf.take(source, "val") for source in recipe.sources]
    lessons = [Lesson(*shelf.take(source, "train"), source.batch) for source in recipe.sources]
    others = glosses()[:_GLOSSES]
    trainee = set_free(towers, rank=_RANK)
    others_before = trainee.many_words(others)
    started = time.monotonic()

    def on_step(step: Step) -> None:
        if step.number % 10 == 0 or step.number == 1:
            log.info("step %d, %.0f s: %s", step.number, time.monotonic() - started, step)
        if step.number % _EXAM_EVERY == 0 or step.number == settings.steps:
            for pairs, views in exams:
                log.info("    %s", examine(trainee, pairs, views))
            _write(trainee, given.out, recipe.shares)

    train(trainee, lessons, others, others_before, settings, on_step=on_step)


@dataclass(frozen=True, slots=True)
class _Shelf:
    """Where the front's features of every set are kept."""

    data: Path
    work: Path
    front: Front
    preprocessing: Preprocessing

    def take(self, source: Source, split: Split) -> tuple[PairSet, NDArray[np.float16]]:
        pairs = source.read(self.data, split)
        views = source.views if split == "train" else source.exam
        grounds = None
        if any(kind.ground for kind in views.kinds):
            shelves = read_grocery(self.data, "train").pictures
            grounds = load_pictures(shelves, _GROUND_SIDE)

        def tell(done: int, total: int) -> None:
            if done == total or (done // len(views.kinds)) % 1280 == 0:
                log.info("%s, %s: %d of %d views", pairs.name, split, done, total)

        kept = front_features(
            pairs.pictures,
            views,
            self.front,
            self.preprocessing,
            self.work,
            grounds=grounds,
            on_progress=tell,
        )
        return pairs, kept


def _write(trainee: Trainee, path: Path, shares: Shares) -> None:
    save_file(blend(learned_tensors(trainee), trainee.before.state_dict(), shares), path)


if __name__ == "__main__":
    main()
