"""The test requests of the demo's run as arrays: what was retrieved, and what was taken."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from engine import layout
from engine.arrays import local_seconds
from engine.artifacts import Manifest, load_arrays, save_arrays
from engine.build import lessons_of
from engine.calendar import days_to_holiday
from engine.config import EngineConfig
from engine.dataset import Dataset
from engine.evaluate.protocol import EvaluationSet, first_baskets
from engine.interactions import Floats, Ints
from engine.recommend import Engine
from engine.rerank_stage import Lessons
from engine.runtime import Run
from engine.scoring import Asked, prepare
from engine.stages import Silent, StageCache
from engine.vocabulary import Vocabulary, load_interactions
from retrieval.rerank.examples import Example, Examples
from retrieval.rerank.model import Reranker
from retrieval.rerank.records import Moment

K = 10
NDCG = NDArray[np.float64]
COUNTS_FILE = "counts.safetensors"


@dataclass(frozen=True, slots=True)
class Asks:
    """B requests with their retrieved candidates."""

    examples: Examples
    n_targets: Ints
    """int64 ``[B]``: items that were taken, retrieved or not."""
    n_new: Ints
    """int64 ``[B]``: those of them that the user never took before."""

    def ndcg(self, scores: Floats, *, new_only: bool = False) -> NDCG:
        """NDCG@10 of each request that has a target; scores are float32, one a candidate."""
        e = self.examples
        scores = np.where(e.is_new, scores, -np.inf) if new_only else scores
        discount = 1 / np.log2(np.arange(2, K + 2))
        ideal = np.concatenate([[0.0], np.cumsum(discount)])
        wanted = self.n_new if new_only else self.n_targets
        found = np.zeros(len(e))
        for i, n in enumerate(np.minimum(wanted, K)):
            span = slice(e.offset[i], e.offset[i + 1])
            best = np.argsort(-scores[span], kind="stable")[:K]
            hit = e.label[span, 0][best] & (scores[span][best] > -np.inf)
            found[i] = (hit * discount[: len(best)]).sum() / max(ideal[n], 1e-9)
        return found[wanted > 0]


def asks_of(run: Path, demo: Path) -> Asks:
    """The first baskets after a run's cut, retrieved and described as serving does.

    Args:
        run: Folder of the run; what is made here is kept beside it.
        demo: The dataset that it was trained on.
    """
    dataset = Dataset.open(demo)
    with Engine.open(run) as engine:
        events = load_interactions(dataset, Vocabulary.of(dataset))
        min_users = max(1, engine.run.config.min_users)
        asked = first_baskets(events, engine.run.manifest.as_of_unix_s, min_users=min_users)
        stages = StageCache(run.parent / ".stages", Silent())
        folder = stages.run(
            "asked", {"run": engine.run_id}, lambda into: _write(into, engine, asked)
        )
    counts = load_arrays(folder / COUNTS_FILE)
    return Asks(layout.load_examples(folder), counts["targets"], counts["new"])


def lessons_of_run(run: Path, demo: Path) -> Lessons:
    """What a run's reranker was trained on, from the stages beside it."""
    manifest = Manifest.verify(run)
    settings = {k: v for k, v in manifest.settings.items() if k != "encoder_id"}
    return lessons_of(
        Dataset.open(demo),
        EngineConfig.model_validate(settings),
        run.parent / ".stages",
        as_of_unix_s=manifest.as_of_unix_s,
    )


@torch.inference_mode()
def logits_of(model: Reranker, examples: Examples, which: Ints | None = None) -> Floats:
    """What a network gives the candidates of some requests (of all) for its first task."""
    found = []
    for i in range(len(examples)) if which is None else which:
        found.append(model(examples.batch(np.array([i])).batch)[0, :, 0].numpy())
    logits: Floats = np.concatenate(found)
    return logits


def _write(folder: Path, engine: Engine, asked: EvaluationSet) -> None:
    examples, new = [], []
    for i, request in enumerate(_requests(engine.run, asked)):
        ready = prepare(engine.run, request)
        rows, taken = ready.recalled.candidates.rows, ready.history.item
        new.append(int((~np.isin(asked.targets[i], taken)).sum()))
        examples.append(
            Example(
                user=int(asked.requests.user[i]),
                weight=1.0,
                tokens=ready.tokens,
                candidates=rows,
                features=ready.features,
                label=np.isin(rows, asked.targets[i])[:, None],
                is_new=~np.isin(rows, taken),
                log_weight=np.zeros(len(rows), np.float32),
            )
        )
    layout.save_examples(folder, Examples.stack(examples))
    targets = np.array([len(items) for items in asked.targets], dtype=np.int64)
    save_arrays(folder / COUNTS_FILE, {"targets": targets, "new": np.array(new, np.int64)})


def _requests(run: Run, asked: EvaluationSet) -> Iterator[Asked]:
    requests = asked.requests
    local = local_seconds(requests.at_unix_s, run.zone)
    for i in range(len(requests)):
        holiday = days_to_holiday(int(local[i]), run.settings.country)
        at, place = int(requests.at_unix_s[i]), int(requests.place[i])
        user_id = run.vocabulary.users.id(int(requests.user[i]))
        yield Asked(user_id, Moment(at, int(local[i]), place, holiday), ())
