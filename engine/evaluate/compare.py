"""Two runs of one dataset and one cut, asked the same: what differs, and how sure that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from rich.table import Table as RichTable
from rich.text import Text

from engine.artifacts import Manifest
from engine.dataset import Dataset
from engine.errors import DataError
from engine.evaluate.bootstrap import (
    Interval,
    PerRequest,
    difference_interval,
)
from engine.evaluate.engine_ranker import Answers, EngineRanker, as_trained
from engine.evaluate.protocol import EvaluationSet
from engine.evaluate.rankers import Scores, check_rules, measure
from engine.evaluate.run import K, requests_of, surroundings_of
from engine.evaluate.significance import permutation_p_value
from engine.evaluate.slices import Surroundings, request_parts
from engine.stages import Reporter, Silent

DATA = Path("data")
"""Where a dataset is looked for that is not named."""
COMPARED = ("ndcg", "recall", "hit", "reciprocal_rank", "average_precision")
HEADINGS = ("NDCG", "Recall", "Hit", "MRR", "MAP")


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure of both runs over the same requests."""

    measure: str
    first: float
    second: float
    difference: Interval
    """Second less first."""
    p_value: float
    """Of a permutation test: how often chance alone would differ as much."""
    n_requests: int


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two runs."""

    folder: str
    run_id: str
    median_ms: float
    """Wall clock of a list of evaluation, in milliseconds."""
    p95_ms: float


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Two runs side by side."""

    dataset: str
    dataset_hash: str
    cut_unix_s: int
    min_users: int
    """Candidates are items that so many users had before the cut: what both may recommend."""
    first: Side
    second: Side
    all_items: tuple[Difference, ...]
    new_items: tuple[Difference, ...]
    """Empty where no user had a target that was new."""
    slices: tuple[Difference, ...]
    """NDCG of parts of the requests; ``measure`` names the part."""
    overlap: float
    """Answers that the two lists of a request share, as a share of the longer; mean."""
    same_lists: float
    """Share of the requests whose lists are the same, order included."""

    def to_rich(self) -> Iterator[RichTable]:
        """Tables for the terminal."""
        yield self._table(f"{self.dataset}: all items", self.all_items)
        if self.new_items:
            yield self._table(f"{self.dataset}: new items", self.new_items)
        if self.slices:
            yield self._table("NDCG by slice", self.slices)
        lists = RichTable(title="Lists", padding=0)
        lists.add_column("")
        for side in (self.first, self.second):
            lists.add_column(side.run_id, justify="right")
        for name, value in (("median ms", "median_ms"), ("95th percentile ms", "p95_ms")):
            cells = (f"{getattr(side, value):.1f}" for side in (self.first, self.second))
            lists.add_row(name, *cells)
        lists.caption = (
            f"{self.overlap:.1%} of the answers are in both lists; "
            f"{self.same_lists:.1%} of the lists are the same"
        )
        yield lists

    def _table(self, title: str, rows: Sequence[Difference]) -> RichTable:
        table = RichTable(title=Text(title), padding=0)
        table.add_column("", min_width=8)
        headings = (self.first.run_id, self.second.run_id, "difference", "p", "requests")
        for heading in headings:
            table.add_column(heading, justify="right")
        for row in rows:
            gap = row.difference
            table.add_row(
                Text(row.measure),  # slices are named by the shop's own words
                f"{row.first:.4f}",
                f"{row.second:.4f}",
                f"{gap.estimate:+.4f} [{gap.low:+.3f}, {gap.high:+.3f}]",
                f"{row.p_value:.3f}",
                f"{row.n_requests:,}",
            )
        table.caption = (
            "second less first, over the same requests; 95 % bootstrap intervals, p of a "
            "permutation test"
        )
        return table


@dataclass(frozen=True, slots=True)
class _Asked:
    """One run's answers to both views."""

    side: Side
    asked: EvaluationSet
    around: Surroundings
    answers: Answers
    scores: Scores
    new: Scores


def compare_runs(
    first: Path, second: Path, dataset: Path | None = None, *, reporter: Reporter | None = None
) -> RunComparison:
    """Ask two runs each user's first basket after their cut.

    Args:
        first: A run.
        second: The run that is set against it.
        dataset: What both were trained on; None looks for it among the folders of ``data``.
        reporter: Told how far the work is.

    Raises:
        ManifestError: One of the folders is no run, or was altered.
        DataError: The runs differ in dataset or cut, or the dataset is not theirs or not found.
    """
    reporter = reporter or Silent()
    manifests = Manifest.verify(first), Manifest.verify(second)
    must_compare((first, second), manifests)
    found = Dataset.open(dataset or dataset_of(manifests[0].dataset_hash))
    min_users = max(1, *(int(m.settings.get("min_users", 0)) for m in manifests))
    before = _ask(first, found, min_users, reporter)
    after = _ask(second, found, min_users, reporter)
    shared, same = _overlap(before.answers, after.answers)
    return RunComparison(
        dataset=found.settings.name,
        dataset_hash=found.hash,
        cut_unix_s=manifests[0].as_of_unix_s,
        min_users=min_users,
        first=before.side,
        second=after.side,
        all_items=_differences(before.scores, after.scores),
        new_items=_differences(before.new, after.new),
        slices=tuple(_slices(before, after)),
        overlap=shared,
        same_lists=same,
    )


def must_compare(folders: tuple[Path, Path], manifests: tuple[Manifest, Manifest]) -> None:
    """Refuse two runs whose figures would not be of the same requests.

    Raises:
        DataError: Says what differs, and how to mend it.
    """
    first, second = manifests
    names = f"{folders[0]} and {folders[1]}"
    if first.dataset_hash != second.dataset_hash:
        raise DataError(
            f"{names} cannot be compared: they were trained on different datasets "
            f"({first.dataset_name}, {first.dataset_hash[:12]}; {second.dataset_name}, "
            f"{second.dataset_hash[:12]}): train one of them on the other's dataset"
        )
    if first.as_of_unix_s != second.as_of_unix_s:
        cuts = (datetime.fromtimestamp(m.as_of_unix_s, UTC).isoformat() for m in manifests)
        raise DataError(
            f"{names} cannot be compared: one learned up to {' and the other up to '.join(cuts)},"
            " so that one knows what the other is asked: train one again with the other's --as-of"
        )


def dataset_of(dataset_hash: str, root: Path = DATA) -> Path:
    """The folder of a dataset that is known by its hash.

    Raises:
        DataError: There is none among the folders of ``root``.
    """
    for settings in sorted(root.glob("*/dataset.json")):
        try:
            found = Dataset.open(settings.parent).hash == dataset_hash
        except DataError:
            continue
        if found:
            return settings.parent
    raise DataError(
        f"no folder of {root}/ holds the dataset that the runs were trained on "
        f"({dataset_hash[:12]}): name it with --dataset"
    )


def _ask(folder: Path, dataset: Dataset, min_users: int, reporter: Reporter) -> _Asked:
    with as_trained(folder) as engine:
        asked = requests_of(engine.run, dataset, min_users)
        reporter.begin(f"run {engine.run_id}", cached=False)
        ranker = EngineRanker(engine, asked, with_scene=True)
        ranker.reporter = reporter
        answers, scores = _measured(ranker, asked)
        _, new = _measured(ranker, asked.new_items())
        median, high = np.quantile(answers.seconds * 1000, [0.5, 0.95])
        side = Side(str(folder), engine.run_id, float(median), float(high))
        return _Asked(side, asked, surroundings_of(engine.run), answers, scores, new)


def _measured(ranker: EngineRanker, asked: EvaluationSet) -> tuple[Answers, Scores]:
    answers = ranker.answer(asked.requests, K, new_only=asked.new_only)
    check_rules(ranker.name, answers.ranked, asked)
    return answers, measure(ranker.name, answers.ranked, asked, K)


def _differences(first: Scores, second: Scores) -> tuple[Difference, ...]:
    if not len(first.user):
        return ()
    return tuple(
        _difference(heading, getattr(first, name), getattr(second, name))
        for heading, name in zip(HEADINGS, COMPARED, strict=True)
    )


def _slices(before: _Asked, after: _Asked) -> Iterator[Difference]:
    """NDCG on each part of the requests; of one user no interval can be told."""
    for by, value, chosen in request_parts(after.asked, after.around):
        if chosen.sum() > 1:
            first, second = before.scores.ndcg[chosen], after.scores.ndcg[chosen]
            yield _difference(f"{by}: {value}", first, second)


def _difference(name: str, first: PerRequest, second: PerRequest) -> Difference:
    return Difference(
        name,
        float(first.mean()),
        float(second.mean()),
        difference_interval(second, first),
        permutation_p_value(second, first),
        len(first),
    )


def _overlap(first: Answers, second: Answers) -> tuple[float, float]:
    """Mean share of common answers, and the share of equal lists."""
    shares, same = [], 0
    ours, theirs = first.ranked, second.ranked
    for rows, valid, others, known in zip(
        ours.rows, ours.valid, theirs.rows, theirs.valid, strict=True
    ):
        one, two = rows[valid], others[known]
        longest = max(len(one), len(two))
        shares.append(len(np.intersect1d(one, two)) / longest if longest else 1.0)
        same += np.array_equal(one, two)
    return float(np.mean(shares)), same / len(shares)
