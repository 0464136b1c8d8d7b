"""One protocol's rankings at ten places: ours, its parts, and what it is compared with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmarks.cases import Case
from benchmarks.graph_cases.ranking import Ranking, mean_of, rank
from benchmarks.rerank_cases.asked import bounds, case, told
from benchmarks.rerank_cases.sequences import (
    Make,
    Pace,
    Split,
    blended,
    learned,
    of_graph,
    with_features,
)
from engine.evaluate.bootstrap import Interval, mean_interval, ratio_interval
from retrieval.sequence import SequenceConfig

PLACES = 10


@dataclass(frozen=True, slots=True)
class Contest:
    """Everyone ranked all items for the same users."""

    protocol: str
    ours: Ranking
    parts: tuple[Ranking, ...]
    """Ours with less in it."""
    others: tuple[Ranking, ...]

    @property
    def best_other(self) -> Ranking:
        """By NDCG@10."""
        return max(self.others, key=lambda other: float(other.ndcg.mean()))

    def recall_ratio(self) -> Interval:
        """Recall@10 of ours over that of the other that has most, paired over users."""
        best = max(self.others, key=lambda other: float(other.recall.mean()))
        return ratio_interval(self.ours.recall, best.recall)

    def ndcg_ratio(self) -> Interval:
        """NDCG@10 of ours over that of the best other, paired over users."""
        return ratio_interval(self.ours.ndcg, self.best_other.ndcg)

    def ratio_cases(self, name: str) -> Iterator[Case]:
        """The lower of both ratios as the case ``name``, and both with their bounds."""
        recall, ndcg = self.recall_ratio(), self.ndcg_ratio()
        yield case(name, min(recall.estimate, ndcg.estimate), "x", ">= 1")
        yield from bounds(f"{name}_recall10", recall)
        yield from bounds(f"{name}_ndcg10", ndcg)

    def absolute_cases(self, name: str, recall: str = "", ndcg: str = "") -> Iterator[Case]:
        """Recall@10 and NDCG@10 of ours with their targets and bounds, then of the sequence."""
        for prefix, one in ((name, self.ours), (f"{name}_sequence", self.parts[0])):
            for metric, values, target in (
                ("recall10", one.recall, recall),
                ("ndcg10", one.ndcg, ndcg),
            ):
                interval = mean_interval(values)
                yield case(f"{prefix}_{metric}", interval.estimate, "", target)
                yield from bounds(f"{prefix}_{metric}", interval)

    def lines(self) -> Iterator[tuple[str, str, str, str]]:
        """Rows of the table."""
        for one in (self.ours, *self.parts, *self.others):
            yield (
                f"{one.method} ({self.protocol})",
                told(mean_interval(one.recall)),
                told(mean_interval(one.ndcg)),
                f"{len(one.recall):,}",
            )


HEADER = ("method (protocol)", "Recall@10, 95 % interval", "NDCG@10, 95 % interval", "users")


@dataclass(frozen=True, slots=True)
class Settings:
    """Of ours."""

    sequence: tuple[SequenceConfig, ...]
    """To choose among on the earlier question."""
    pace: Pace


def contest(
    protocol: str,
    split: Split,
    settings: Settings,
    seeds: tuple[int, ...],
    others: tuple[Ranking, ...],
) -> Contest:
    """Rank ours for every seed: the sequence model and the graph's relations, weighed together."""
    relations = of_graph(split, settings.pace)
    together, alone = [], []
    for seed in seeds:
        sequence = learned("sequence", with_features, settings.sequence, split, seed)
        together.append(rank("", blended(split, [*relations, sequence]), split.asked, PLACES))
        alone.append(rank("", sequence.asked, split.asked, PLACES))
    without = rank("ours, relations alone", blended(split, relations), split.asked, PLACES)
    sequences = mean_of("ours, sequence alone", alone)
    return Contest(protocol, mean_of("ours", together), (sequences, without), others)


def tuned(
    method: str,
    make: Make,
    configs: Sequence[SequenceConfig],
    split: Split,
    seeds: tuple[int, ...],
) -> Ranking:
    """Another model, its settings chosen for every seed as ours are."""
    runs = [learned(method, make, configs, split, seed).asked for seed in seeds]
    return mean_of(method, [rank(method, score, split.asked, PLACES) for score in runs])
