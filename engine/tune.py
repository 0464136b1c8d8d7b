"""Search the reranker's settings for a shop: many short trainings on the same requests.

Every trial is judged by NDCG@10 on users that it was not trained on; the first one is of the
settings as they were given, so that the best is never worse. The search lies in a folder and is
taken up there: SQLite keeps every trial (Akiba et al. 2019, "Optuna", arXiv:1907.10902).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from engine import layout
from engine.artifacts import write_json
from engine.build import lessons_of
from engine.config import EngineConfig
from engine.dataset import Dataset
from engine.errors import DataError, MissingExtraError
from engine.rerank_stage import Lessons
from engine.stages import Reporter, Silent
from retrieval.rerank.checkpoint import Epoch
from retrieval.rerank.config import RerankConfig
from retrieval.rerank.examples import Examples

if TYPE_CHECKING:
    import optuna

SEARCH_FILE, BEST_FILE, TRIALS_FILE = "search.sqlite", "best.yaml", "trials.json"
CHOICES = {
    "width": (32, 64, 96),
    "layers": (1, 2, 3),
    "hidden": (64, 128, 256),
    "batch_size": (16, 32, 64, 128),
    "adversarial_epsilon": (0.0, 0.1, 0.5),
}
"""Settings that take one of a few values; the given one is always among them."""
RANGES = {
    "dropout": (0.0, 0.4),
    "learning_rate": (3e-4, 2e-2),
    "weight_decay": (1e-5, 1e-1),
    "new_item_weight": (0.0, 1.5),
    "calibration_weight": (0.01, 0.5),
}
"""Settings drawn between two bounds, by their logarithm where both are above 0."""


@dataclass(frozen=True, slots=True)
class Searched:
    """What a search has found so far."""

    best: EngineConfig
    score: float
    """Of the best settings: NDCG@10 of held-out users, with that of new items in its share."""
    given_score: float
    """Of the settings as they were given."""
    trials: int
    """Trials that were finished or cut short, those of earlier calls among them."""
    file: Path
    """The best settings as YAML, for ``vitrine train --config``."""


def tune(
    dataset: Dataset,
    config: EngineConfig,
    folder: Path,
    *,
    as_of_unix_s: int,
    trials: int,
    stages: Path | None = None,
    reporter: Reporter | None = None,
) -> Searched:
    """Search until so many trials are done, those of earlier calls included.

    Args:
        dataset: The shop's tables.
        config: Settings to start from; what is no matter of the reranker stays as it is.
        folder: Of the search; one that is there is continued.
        as_of_unix_s: Later events are not read.
        trials: How many trainings the search has in all.
        stages: Folder of stages that are done; by default in ``folder``.
        reporter: Told how far the work is.

    Raises:
        MissingExtraError: optuna is not installed.
        DataError: The search in the folder is of other training requests.
    """
    if find_spec("optuna") is None:
        raise MissingExtraError("optuna", extra="tune")
    reporter = reporter or Silent()
    lessons = lessons_of(
        dataset, config, stages or folder / ".stages", as_of_unix_s=as_of_unix_s, reporter=reporter
    )
    reporter.begin("tune", cached=False)
    folder.mkdir(parents=True, exist_ok=True)
    study = _study(folder, lessons, config)
    examples = layout.load_examples(lessons.requests)
    while (done := _n_done(study)) < trials:
        reporter.advance(done, trials)
        trial = study.ask()
        _run(study, trial, lessons, examples, config)
        reporter.note(f"trial {done + 1} of {trials}: best {study.best_value:.4f}")
        _write(folder, study, config)
    reporter.advance(done, trials)
    return _write(folder, study, config)


def settings_of(config: RerankConfig, found: Mapping[str, Any]) -> RerankConfig:
    """The settings with what a trial drew in their place."""
    return RerankConfig.model_validate({**config.model_dump(), **found})


def _study(folder: Path, lessons: Lessons, config: EngineConfig) -> optuna.Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        study_name="rerank",
        storage=f"sqlite:///{(folder / SEARCH_FILE).resolve()}",
        load_if_exists=True,
        direction="maximize",
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1),
    )
    # Drawn anew from the trials that are there: the same seed must not draw the same again.
    study.sampler = optuna.samplers.TPESampler(
        seed=config.seed + len(study.trials), n_startup_trials=8, multivariate=True
    )
    now = f"{lessons.requests.name} {config.rerank.model_dump_json()}"
    then = study.user_attrs.get("begun_with", now)
    if then != now:
        raise DataError(
            f"{folder} holds a search that began with other training requests or settings: "
            f"give another folder, or those of then ({then.split()[0]})"
        )
    study.set_user_attr("begun_with", now)
    if not study.trials:
        study.enqueue_trial(_point(config.rerank))
    return study


def _drawn(trial: optuna.Trial, given: RerankConfig) -> dict[str, Any]:
    """One point of the space that is searched."""
    chosen = {
        name: trial.suggest_categorical(name, sorted({*among, getattr(given, name)}))
        for name, among in CHOICES.items()
    }
    drawn = {
        name: trial.suggest_float(name, low, high, log=low > 0)
        for name, (low, high) in RANGES.items()
    }
    return chosen | drawn


def _point(given: RerankConfig) -> dict[str, Any]:
    """The given settings as a point of the space."""
    within = {
        name: min(max(getattr(given, name), low), high) for name, (low, high) in RANGES.items()
    }
    return {name: getattr(given, name) for name in CHOICES} | within


def _run(
    study: optuna.Study,
    trial: optuna.Trial,
    lessons: Lessons,
    examples: Examples,
    config: EngineConfig,
) -> None:
    """One training, cut short where it falls behind the others."""
    import optuna

    settings = settings_of(config.rerank, _drawn(trial, config.rerank))
    scores: list[float] = []

    def on_epoch(epoch: Epoch) -> None:
        # Judged by the weights that were given: a trial must not choose its own measure.
        scores.append(epoch.ndcg + config.rerank.new_item_weight * epoch.ndcg_new)
        trial.report(max(scores), epoch.number)
        if trial.should_prune():
            raise optuna.TrialPruned

    try:
        lessons.fit(examples, settings, config.seed, on_epoch=on_epoch)
    except optuna.TrialPruned:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    else:
        study.tell(trial, max(scores))


def _n_done(study: optuna.Study) -> int:
    """Trials that were finished or cut short; one that a kill interrupted does not count."""
    return sum(trial.state.is_finished() for trial in study.trials)


def _write(folder: Path, study: optuna.Study, config: EngineConfig) -> Searched:
    """Put the best settings and all trials where people read them."""
    rerank = settings_of(config.rerank, study.best_params)
    best = config.model_copy(update={"rerank": rerank})
    dumped = best.model_dump(mode="json", exclude_defaults=True)
    text = (
        f"# Found by vitrine tune: held-out score {study.best_value:.4f}\n{yaml.safe_dump(dumped)}"
    )
    (folder / BEST_FILE).write_text(text, encoding="utf-8")
    done = [trial for trial in study.trials if trial.state.is_finished()]
    write_json(
        folder / TRIALS_FILE,
        [
            {
                "number": trial.number,
                "state": trial.state.name.lower(),
                "score": trial.value,
                "settings": trial.params,
            }
            for trial in done
        ],
    )
    given = done[0].value if done[0].value is not None else float("nan")
    return Searched(best, study.best_value, given, len(done), folder / BEST_FILE)
