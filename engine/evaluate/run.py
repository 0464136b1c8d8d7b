"""One command's worth of evaluation: a run against tuned baselines on the same requests."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from engine.dataset import Dataset
from engine.errors import DataError
from engine.evaluate.asked_for import Protocol
from engine.evaluate.beyond import BeyondAccuracy, beyond_accuracy
from engine.evaluate.bootstrap import Interval, ratio_interval
from engine.evaluate.cached_baselines import Baselines, tuned_baselines
from engine.evaluate.channels import ChannelReport, channel_report
from engine.evaluate.engine_ranker import OURS, Answers, EngineRanker, as_trained
from engine.evaluate.example_lists import ExampleList, example_lists
from engine.evaluate.figures_file import write_figures
from engine.evaluate.items import ItemFacts
from engine.evaluate.leakage import LeakageReport, Learned, check_leakage
from engine.evaluate.metrics import hits
from engine.evaluate.protocol import EvaluationSet, Ranked
from engine.evaluate.protocols import ask
from engine.evaluate.provenance import Provenance
from engine.evaluate.rankers import Scores, check_rules, measure
from engine.evaluate.reliability import Reliability, reliability_of
from engine.evaluate.report import Figures, Row, Table, figures_if_any
from engine.evaluate.slices import Slice, Surroundings, slices_of
from engine.evaluate.timeline import Span, spans_of
from engine.evaluate.tune import Tuning, validation_set
from engine.evaluate.withheld import Withheld, worth_of_parts
from engine.recommend import Engine
from engine.runtime import Run
from engine.stages import Reporter, Silent, StageCache
from engine.vocabulary import Vocabulary, load_interactions

K = 10


@dataclass(frozen=True, slots=True)
class Comparison:
    """A run beside the baselines, and what lies behind its figures."""

    table: Table
    all_ratio: Interval | None
    """NDCG of ours over that of the best baseline, same requests; None where the baseline found
    too little to be divided by."""
    new_ratio: Interval | None
    """The same on new items; None too where no user had a target that was new."""
    best_all: str
    best_new: str
    channels: ChannelReport
    """What each retrieval channel finds of the same targets."""
    spans: tuple[Span, ...]
    """NDCG against the time since the cut, ours and the best baseline's."""
    slices: tuple[Slice, ...]
    """Ours by hour, season, kind of user, ..."""
    beyond: BeyondAccuracy
    """Of our lists."""
    baskets: BeyondAccuracy
    """Of what was taken, as if it had been recommended: something to hold the lists against."""
    checks: LeakageReport
    """Whether anything knew the answers."""
    reliability: Reliability | None
    """Of the probabilities beside the answers; None where nothing was answered."""
    parts: tuple[Withheld, ...]
    """What serving does worse without."""
    examples: tuple[ExampleList, ...]
    provenance: Provenance


def evaluate_run(
    dataset_folder: Path,
    run: Path,
    *,
    reporter: Reporter | None = None,
    out: Path | None = None,
    command: str | None = None,
    protocol: Protocol = Protocol.FIRST_BASKETS,
) -> Comparison:
    """Measure a run on what users did from the run's ``as_of`` on, by default their first basket.

    The cut is the moment that the run was trained up to, so nothing that it is asked for can
    have been learned. Baselines are tuned on the 28 days before the cut, refitted, and asked
    the same requests; their figures are cached, as they do not depend on the run. Events of the
    run's own store are not read. Where users are asked about after they did something else, no
    method is told of that but one row of ours, which says so.

    Args:
        dataset_folder: The dataset that the run was trained on.
        run: The run.
        reporter: Told how far the work is.
        out: Writes the figures there as JSON, and the tables beside it as Markdown.
        command: What made the figures, as a person would type it again.
        protocol: What is asked for.

    Raises:
        DataError: The run was trained on another dataset, or nothing can be asked for.
    """
    reporter = reporter or Silent()
    dataset = Dataset.open(dataset_folder)
    with as_trained(run) as engine:
        asked = requests_of(engine.run, dataset, protocol=protocol)
        stages = StageCache(run.parent / ".stages", reporter)
        tuning = Tuning(min_users=max(1, engine.run.config.min_users))
        baselines = tuned_baselines(asked, tuning, dataset.hash, stages, protocol)
        reporter.begin("evaluate", cached=False)
        made_by = command or shlex.join(["vitrine", "evaluate", str(dataset_folder), str(run)])
        provenance = Provenance.of(dataset, engine.run, made_by)
        asking = _Asking(engine, asked, dataset, reporter, protocol)
        checks = asking.checks(validation_set(asked, tuning))
        outcome = _compared(asking, baselines, provenance, checks)
    if out is not None:
        write_figures(out, outcome)
        tables = (outcome.table.to_markdown(), outcome.channels.to_markdown())
        leaks = (f"- leak: {leak}" for leak in outcome.checks.leaks)
        page = "\n\n".join((*tables, *leaks)) + "\n"
        out.with_suffix(".md").write_text(page, encoding="utf-8")
    return outcome


def requests_of(
    run: Run,
    dataset: Dataset,
    min_users: int | None = None,
    protocol: Protocol = Protocol.FIRST_BASKETS,
) -> EvaluationSet:
    """What is asked for from a run's cut on.

    Args:
        run: Gives the cut and the facets.
        dataset: What it was trained on.
        min_users: Buyers that a candidate has before the cut; None is what the run was trained
            to recommend.
        protocol: First baskets, or another.

    Raises:
        DataError: The run was trained on another dataset, or nothing lies after its cut.
    """
    if run.manifest.dataset_hash != dataset.hash:
        raise DataError(
            f"{run.folder} was trained on another dataset than {dataset.folder}: "
            "evaluate with the dataset of the training, or train again"
        )
    vocabulary = replace(Vocabulary.of(dataset), facets=run.vocabulary.facets)
    events = load_interactions(dataset, vocabulary)
    if int(events.at_unix_s.max(initial=0)) < run.manifest.as_of_unix_s:
        raise DataError(
            f"{run.folder} learned from every event of {dataset.folder}, so that none is left to "
            "ask about: train again with --hold-out-weeks 4, and evaluate that run"
        )
    fewest = max(1, run.config.min_users) if min_users is None else min_users
    offered = run.world.items.recommendable
    return ask(protocol, events, run.manifest.as_of_unix_s, min_users=fewest, offered=offered)


def surroundings_of(run: Run) -> Surroundings:
    """What tells the scenes of requests, as a run knows it."""
    return Surroundings(run.zone, run.settings.country, run.world.offers, run.vocabulary.facets)


@dataclass(frozen=True, slots=True)
class _Asking:
    """One engine and what it is asked."""

    engine: Engine
    asked: EvaluationSet
    dataset: Dataset
    reporter: Reporter
    protocol: Protocol

    def answers(
        self, asked: EvaluationSet, *, with_scene: bool = True, told: bool = False
    ) -> tuple[Answers, Scores]:
        """Lists that keep to the rules, and what they are worth."""
        ranker = EngineRanker(self.engine, asked, with_scene=with_scene, told=told)
        ranker.reporter = self.reporter
        answers = ranker.answer(asked.requests, K, new_only=asked.new_only)
        check_rules(OURS, answers.ranked, asked)
        return answers, measure(OURS, answers.ranked, asked, K)

    def checks(self, tuned_on: EvaluationSet) -> LeakageReport:
        """Whether anything knew the answers."""
        learned = Learned.of(self.engine, self.asked.cut_unix_s)
        return check_leakage(self.asked, learned=learned, tuned_on=tuned_on, dataset=self.dataset)

    def beyond(self, ranked: Ranked, method: str) -> BeyondAccuracy:
        """What lists are worth besides their hits."""
        items = ItemFacts.of(self.dataset.items, self.engine.run.tables.content)
        return beyond_accuracy(ranked, self.asked, items, method=method, k=K)

    def slices(self, ranked: Ranked) -> tuple[Slice, ...]:
        """What they are worth on parts of the requests."""
        return slices_of(ranked, self.asked, surroundings_of(self.engine.run), k=K)


def _compared(
    asking: _Asking, baselines: Baselines, provenance: Provenance, checks: LeakageReport
) -> Comparison:
    engine, asked = asking.engine, asking.asked
    answers, every = asking.answers(asked)
    _, new = asking.answers(asked.new_items())
    _, no_scene = asking.answers(asked, with_scene=False)
    ranker = EngineRanker(engine, asked, with_scene=True)
    best_all, best_new = baselines.best_all, baselines.best_new
    theirs = baselines.scores[best_all][0].ndcg
    ours = (*_our_rows(every, new, no_scene, engine.run_id), *_told_row(asking))
    rows = (*ours, *_their_rows(baselines))
    title = f"{provenance.dataset}: {asking.protocol.heading}"
    return Comparison(
        table=Table(title, K, rows, baselines.notes),
        all_ratio=_ratio_if_any(every, baselines.scores[best_all][0]),
        new_ratio=_ratio_if_any(new, baselines.scores[best_new][1]),
        best_all=best_all,
        best_new=best_new,
        channels=channel_report(asked, list(ranker.candidates(asked.requests))),
        spans=spans_of(asked.requests.at_unix_s, asked.cut_unix_s, every.ndcg, theirs),
        slices=asking.slices(answers.ranked),
        beyond=asking.beyond(answers.ranked, OURS),
        baskets=asking.beyond(_as_lists(asked), "what was taken"),
        checks=checks,
        reliability=_reliability(engine.run, asked, answers),
        parts=worth_of_parts(engine, asked, every, no_scene, asking.reporter),
        examples=example_lists(engine, asked, answers, every),
        provenance=provenance,
    )


def _as_lists(asked: EvaluationSet) -> Ranked:
    """The baskets themselves; of long ones some items, drawn by a seed."""
    rng = np.random.default_rng(0)
    rows = np.zeros((len(asked), K), np.int64)
    valid = np.zeros((len(asked), K), np.bool_)
    for i, items in enumerate(asked.targets):
        some = rng.permutation(items)[:K]
        rows[i, : len(some)], valid[i, : len(some)] = some, True
    return Ranked(rows, valid)


def _reliability(run: Run, asked: EvaluationSet, answers: Answers) -> Reliability | None:
    valid = answers.ranked.valid
    chance = run.model.probability(torch.from_numpy(answers.logit[valid])).numpy()
    return reliability_of(chance, hits(answers.ranked.rows, valid, asked.targets)[valid])


def _our_rows(every: Scores, new: Scores, no_scene: Scores, run_id: str) -> Iterator[Row]:
    yield Row(OURS, Figures.of(every, f"run {run_id}"), figures_if_any(new, f"run {run_id}"))
    yield Row(f"{OURS}, place withheld", Figures.of(no_scene), None)


def _told_row(asking: _Asking) -> Iterator[Row]:
    """Ours, told what its users did since the cut, as a store tells it; where they did anything."""
    since = asking.asked.requests.since
    if since is not None and len(since):
        _, every = asking.answers(asking.asked, told=True)
        _, new = asking.answers(asking.asked.new_items(), told=True)
        yield Row(f"{OURS}, told what came since", Figures.of(every), figures_if_any(new, ""))


def _their_rows(baselines: Baselines) -> Iterator[Row]:
    for method, (every, new) in baselines.scores.items():
        for_all, for_new = baselines.settings[method]
        yield Row(method, Figures.of(every, for_all), figures_if_any(new, for_new))


def _ratio_if_any(ours: Scores, theirs: Scores) -> Interval | None:
    """None where nobody was asked, or where so few hits are divided by that it says nothing."""
    if not len(ours.user):
        return None
    try:
        return ratio_interval(ours.ndcg, theirs.ndcg, user=ours.user)
    except ValueError:
        return None
