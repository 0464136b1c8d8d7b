"""One command's worth of evaluation: a run against tuned baselines on the same requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from engine.arrays import local_seconds
from engine.artifacts import load_arrays, read_json, save_arrays, write_json
from engine.calendar import days_to_holiday
from engine.dataset import Dataset
from engine.errors import DataError
from engine.evaluate.bootstrap import Interval, ratio_interval
from engine.evaluate.channels import ChannelReport, channel_report
from engine.evaluate.protocol import EvaluationSet, Ranked, Requests, first_baskets
from engine.evaluate.rankers import Scores, evaluate
from engine.evaluate.report import Figures, Row, Table, figures_if_any
from engine.evaluate.tune import Outcome, Tuning, evaluate_baselines
from engine.recommend import Engine
from engine.scoring import Asked, find
from engine.stages import Reporter, Silent, StageCache
from engine.vocabulary import Vocabulary, load_interactions
from retrieval.candidates import Candidates
from retrieval.rerank.records import Moment

OURS = "Vitrine"
MEASURES = ("recall", "ndcg", "hit", "reciprocal_rank", "average_precision")
OVERFETCH = 4
"""The engine answers with everything it may recommend; protocol candidates may be fewer."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Ours and the best baseline, all items and new items."""

    table: Table
    all_ratio: Interval
    """NDCG of ours over that of the best baseline, same requests."""
    new_ratio: Interval | None
    """None where no user had a target that was new."""
    best_all: str
    best_new: str
    channels: ChannelReport
    """What each retrieval channel finds of the same targets."""


class EngineRanker:
    """The engine as evaluation asks it: the served path, without a scene's words."""

    name = OURS

    def __init__(self, engine: Engine, evaluation_set: EvaluationSet, *, with_scene: bool) -> None:
        """Rank with an engine.

        Args:
            engine: Opened on a run that learned nothing from the cut on.
            evaluation_set: Its candidates are all that may be answered.
            with_scene: Whether requests carry their place and the facets of their scene.
        """
        self._engine, self._candidates = engine, evaluation_set.candidates
        self._with_scene = with_scene
        self.reporter: Reporter = Silent()

    def rank(self, requests: Requests, k: int, *, new_only: bool) -> Ranked:
        """Ask for one list per request."""
        rows = np.zeros((len(requests), k), dtype=np.int64)
        valid = np.zeros((len(requests), k), dtype=np.bool_)
        for i, (user_id, moment) in enumerate(self._asked(requests)):
            found, _ = self._engine.rank_rows(user_id, moment, OVERFETCH * k, new_only=new_only)
            found = found[self._candidates[found]][:k]
            rows[i, : len(found)], valid[i, : len(found)] = found, True
            self.reporter.advance(i + 1, len(requests))
        return Ranked(rows, valid)

    def candidates(self, requests: Requests) -> Iterator[Candidates]:
        """What the channels propose for each request, before anything is scored."""
        run, store = self._engine.run, self._engine.store
        for i, (user_id, moment) in enumerate(self._asked(requests)):
            yield find(run, Asked(user_id, moment, store.history(user_id))).recalled.candidates
            self.reporter.advance(i + 1, len(requests))

    def _asked(self, requests: Requests) -> Iterator[tuple[str, Moment]]:
        run = self._engine.run
        local = local_seconds(requests.at_unix_s, run.zone)
        for i in range(len(requests)):
            place = int(requests.place[i]) if self._with_scene else 0
            holiday = days_to_holiday(int(local[i]), run.settings.country)
            codes = requests.facets if self._with_scene else None
            facets = () if codes is None else tuple(int(code) for code in codes[i])
            moment = Moment(int(requests.at_unix_s[i]), int(local[i]), place, holiday, facets)
            yield run.vocabulary.users.id(int(requests.user[i])), moment


def evaluate_run(
    dataset_folder: Path, run: Path, *, reporter: Reporter | None = None, out: Path | None = None
) -> Comparison:
    """Measure a run on each user's first basket from the run's ``as_of`` on.

    The cut is the moment that the run was trained up to, so nothing that it is asked for can
    have been learned. Baselines are tuned on the 28 days before the cut, refitted, and asked
    the same requests; their figures are cached, as they do not depend on the run.

    Args:
        dataset_folder: The dataset that the run was trained on.
        run: The run.
        reporter: Told how far the work is.
        out: Writes the figures there as JSON, and the table beside it as Markdown.

    Raises:
        DataError: The run was trained on another dataset.
    """
    reporter = reporter or Silent()
    dataset = Dataset.open(dataset_folder)
    with Engine.open(run) as engine:
        if engine.run.manifest.dataset_hash != dataset.hash:
            raise DataError(
                f"{run} was trained on another dataset than {dataset_folder}: "
                "evaluate with the dataset of the training, or train again"
            )
        cut = engine.run.manifest.as_of_unix_s
        vocabulary = replace(Vocabulary.of(dataset), facets=engine.run.vocabulary.facets)
        events = load_interactions(dataset, vocabulary)
        min_users = max(1, engine.run.config.min_users)
        asked = first_baskets(events, cut, min_users=min_users)
        stages = StageCache(run.parent / ".stages", reporter)
        theirs, settings, notes = _baselines(asked, min_users, dataset, stages)
        reporter.begin("evaluate", cached=False)
        ours = {view: _ours(engine, asked, view, reporter) for view in ("all", "new", "no scene")}
        ranker = EngineRanker(engine, asked, with_scene=True)
        channels = channel_report(asked, list(ranker.candidates(asked.requests)))
        rows = (*_our_rows(ours, engine.run_id), *_their_rows(theirs, settings))
    best_all = max(theirs, key=lambda m: float(theirs[m][0].ndcg.mean()))
    best_new = max(theirs, key=lambda m: float(theirs[m][1].ndcg.sum()))
    outcome = Comparison(
        Table(f"{dataset.settings.name}: first baskets after the cut", 10, rows, notes),
        ratio_interval(ours["all"].ndcg, theirs[best_all][0].ndcg),
        _ratio_if_any(ours["new"], theirs[best_new][1]),
        best_all,
        best_new,
        channels,
    )
    if out is not None:
        write_json(out, asdict(outcome))
        page = f"{outcome.table.to_markdown()}\n\n{channels.to_markdown()}\n"
        out.with_suffix(".md").write_text(page, encoding="utf-8")
    return outcome


def _our_rows(ours: Mapping[str, Scores], run_id: str) -> Iterator[Row]:
    new = figures_if_any(ours["new"], f"run {run_id}")
    yield Row(OURS, Figures.of(ours["all"], f"run {run_id}"), new)
    yield Row(f"{OURS}, place withheld", Figures.of(ours["no scene"]), None)


def _their_rows(
    theirs: Mapping[str, tuple[Scores, Scores]], settings: Mapping[str, tuple[str, str]]
) -> Iterator[Row]:
    for method, (every, new) in theirs.items():
        for_all, for_new = settings[method]
        yield Row(method, Figures.of(every, for_all), figures_if_any(new, for_new))


def _ratio_if_any(ours: Scores, theirs: Scores) -> Interval | None:
    return ratio_interval(ours.ndcg, theirs.ndcg) if len(ours.user) else None


def _ours(engine: Engine, asked: EvaluationSet, view: str, reporter: Reporter) -> Scores:
    ranker = EngineRanker(engine, asked, with_scene=view != "no scene")
    ranker.reporter = reporter
    return evaluate(ranker, asked.new_items() if view == "new" else asked)


def _baselines(
    asked: EvaluationSet, min_users: int, dataset: Dataset, stages: StageCache
) -> tuple[dict[str, tuple[Scores, Scores]], dict[str, tuple[str, str]], tuple[str, ...]]:
    tuning = Tuning(min_users=min_users)

    def make(folder: Path) -> None:
        outcomes = evaluate_baselines(asked, tuning, on_start=stages.reporter.note)
        listed = [(o.method, str(o.for_all), str(o.for_new)) for o in outcomes.outcomes]
        write_json(folder / "methods.json", {"methods": listed, "skipped": outcomes.skipped})
        arrays: dict[str, np.ndarray] = {}
        for i, outcome in enumerate(outcomes.outcomes):
            arrays |= _arrays(i, outcome)
        save_arrays(folder / "scores.safetensors", arrays)

    reads = {
        "dataset": dataset.hash,
        "cut": str(asked.cut_unix_s),
        "tuning": str(tuning),
    }
    folder = stages.run("baselines", reads, make)
    known, arrays = read_json(folder / "methods.json"), load_arrays(folder / "scores.safetensors")
    scores, settings = {}, {}
    for i, (method, for_all, for_new) in enumerate(known["methods"]):
        scores[method] = (
            _scores(arrays, i, "all", method, new_only=False),
            _scores(arrays, i, "new", method, new_only=True),
        )
        settings[method] = (for_all, for_new)
    return scores, settings, tuple(known["skipped"])


def _arrays(i: int, outcome: Outcome) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {}
    for view, scores in (("all", outcome.all_items), ("new", outcome.new_items)):
        for name in ("user", *MEASURES):
            arrays[f"{i}.{view}.{name}"] = getattr(scores, name)
    return arrays


def _scores(
    arrays: dict[str, np.ndarray], i: int, view: str, method: str, *, new_only: bool
) -> Scores:
    columns = {name: arrays[f"{i}.{view}.{name}"] for name in ("user", *MEASURES)}
    return Scores(method=method, k=10, new_only=new_only, **columns)
