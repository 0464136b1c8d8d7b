"""One shop, many methods: all tuned on the same requests with the same budget, then asked once.

Of every family of methods as many settings are tried, or all that it has; of ours no more. What
they reach on the requests before the first cut chooses; the chosen settings are fitted anew at
every cut. A method that has nothing to say to a user without a history says what sells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.compare_cases.shops import Shop
from engine.artifacts import load_arrays, read_json, save_arrays, write_json
from engine.build import build
from engine.errors import MissingExtraError
from engine.evaluate.baselines import Baseline, Popularity, Purchases, ScoreRanker
from engine.evaluate.baselines.backed import Backed
from engine.evaluate.baselines.families import Family
from engine.evaluate.bootstrap import Interval, ratio_interval
from engine.evaluate.engine_ranker import OURS, EngineRanker, as_trained
from engine.evaluate.leakage import check_leakage
from engine.evaluate.protocol import EvaluationSet
from engine.evaluate.rankers import Ranker, lists_of, measure
from engine.evaluate.tune import CONFIGURATIONS, tune
from engine.stages import Silent, StageCache
from engine.vocabulary import Vocabulary, load_interactions

K = 10

PerRequest = NDArray[np.float64]
Found = tuple[str, int, tuple[PerRequest, PerRequest]]
"""Chosen settings, how many were tried, and NDCG and Recall of what was asked."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a method reached; its arrays are float64 ``[B]`` over the requests of all cuts."""

    method: str
    settings: str
    tried: int
    ndcg: PerRequest
    recall: PerRequest

    @property
    def mean(self) -> float:
        """NDCG@10."""
        return float(self.ndcg.mean())


@dataclass(frozen=True, slots=True)
class Contest:
    """All methods of a shop."""

    shop: str
    ours: Entry
    others: tuple[Entry, ...]
    notes: tuple[str, ...]
    """What a reader must know: methods that could not be run, whatever leaked."""

    @property
    def best_other(self) -> Entry:
        """By NDCG@10."""
        return max(self.others, key=lambda entry: entry.mean)

    def ratio(self, other: Entry) -> Interval:
        """NDCG@10 of ours over that of another, paired over users."""
        return ratio_interval(self.ours.ndcg, other.ndcg)


@dataclass(frozen=True, slots=True)
class Questions:
    """Requests at one cut or more, and what a baseline may learn from before each."""

    sets: tuple[EvaluationSet, ...]
    purchases: tuple[Purchases, ...]

    @classmethod
    def of(cls, sets: Sequence[EvaluationSet]) -> Questions:
        """Prepare."""
        return cls(tuple(sets), tuple(Purchases.of(one) for one in sets))

    def __len__(self) -> int:
        return sum(len(one) for one in self.sets)

    def baseline(self, settings: Baseline) -> tuple[PerRequest, PerRequest]:
        """NDCG and Recall of settings, fitted at each cut."""
        return self._measured(
            ScoreRanker.fitted("", settings, purchases) for purchases in self.purchases
        )

    def ndcg(self, settings: Baseline) -> float:
        """What chooses."""
        return float(self.baseline(settings)[0].mean())

    def runs(self, folders: Sequence[Path]) -> tuple[PerRequest, PerRequest]:
        """NDCG and Recall of one run for each cut, asked as it is served."""

        def rankers() -> Iterator[Ranker]:
            for folder, one in zip(folders, self.sets, strict=True):
                with as_trained(folder) as engine:
                    yield EngineRanker(engine, one, with_scene=True)

        return self._measured(rankers())

    def _measured(self, rankers: Iterator[Ranker]) -> tuple[PerRequest, PerRequest]:
        found = [
            measure(ranker.name, lists_of(ranker, one, K), one, K)
            for ranker, one in zip(rankers, self.sets, strict=True)
        ]
        ndcg, recall = ([getattr(one, name) for one in found] for name in ("ndcg", "recall"))
        return np.concatenate(ndcg), np.concatenate(recall)


def contest(
    shop: Shop,
    families: Sequence[Family],
    folder: Path,
    *,
    run: Path | None = None,
    configurations: int = CONFIGURATIONS,
    say: Callable[[str], None] = print,
) -> Contest:
    """Measure every method; one that was measured before is taken from the folder.

    Args:
        shop: What is asked.
        families: The others, counts of what sells among them.
        folder: Of runs and finished methods.
        run: Ours, where it is trained already; otherwise it is trained here.
        configurations: Settings of each family that are tried.
        say: Told what was reached.
    """
    events = load_interactions(shop.dataset, Vocabulary.of(shop.dataset))
    chosen_on, asked = Questions.of([shop.chosen_on(events)]), Questions.of(shop.asked(events))
    say(f"{shop.name}: {len(chosen_on)} requests choose, {len(asked)} are asked")
    bench = _Bench(shop, chosen_on, asked, folder, configurations, say)
    ours = bench.ours(run)
    popular = bench.popular(families)
    others: list[Entry] = []
    notes = [*shop.notes, *_leaks(shop, chosen_on, asked)]
    for family in families:
        try:
            others.append(bench.other(family, popular))
        except MissingExtraError as error:
            notes.append(f"{family.name} skipped: {error}")
    return Contest(shop.name, ours, tuple(others), tuple(notes))


def _leaks(shop: Shop, chosen_on: Questions, asked: Questions) -> Iterator[str]:
    """Whatever a method could know that it must not."""
    (tuned_on,) = chosen_on.sets
    for one in asked.sets:
        yield from check_leakage(one, tuned_on=tuned_on, dataset=shop.dataset).leaks


@dataclass(frozen=True, slots=True)
class _Bench:
    """What all methods of a shop share."""

    shop: Shop
    chosen_on: Questions
    asked: Questions
    folder: Path
    configurations: int
    say: Callable[[str], None]

    def ours(self, run: Path | None) -> Entry:
        """The best of our settings before the first cut, trained anew at every cut."""
        if run is None:
            reads = " ".join(config.model_dump_json() for config in self.shop.configs)
            return self._kept(OURS, reads, self._ours_chosen)
        run_id = read_json(run / "manifest.json")["run_id"]
        return self._kept(OURS, run_id, lambda: (f"run {run_id}", 1, self.asked.runs([run])))

    def popular(self, families: Sequence[Family]) -> Popularity:
        """What sells, as it is best counted."""
        counts = [family for family in families if isinstance(family.start, Popularity)]
        tuned = [tune(family, self.chosen_on.ndcg, self.configurations) for family in counts]
        best = max(tuned, key=lambda one: one.value).best
        if not isinstance(best, Popularity):
            raise TypeError(f"got {type(best).__name__} of what sells, expected Popularity")
        return best

    def other(self, family: Family, popular: Popularity) -> Entry:
        """A family, tuned and asked."""

        def found() -> Found:
            tuned = tune(
                family,
                lambda settings: self.chosen_on.ndcg(Backed(settings, popular)),
                self.configurations,
            )
            reached = self.asked.baseline(Backed(tuned.best, popular))
            return str(tuned.best), tuned.tried, reached

        return self._kept(family.name, f"{family} {popular}", found)

    def _ours_chosen(self) -> Found:
        configs, values = self.shop.configs, []
        for i in range(len(configs)):
            values.append(float(self.chosen_on.runs([self._built(i, None)])[0].mean()))
            self.say(f"{OURS}, settings {i + 1}: {values[-1]:.4f} before the cut")
        best = int(np.argmax(values))
        runs = [self._built(best, cut) for cut in self.shop.cuts_unix_s]
        return f"settings {best + 1}", len(configs), self.asked.runs(runs)

    def _built(self, which: int, cut: int | None) -> Path:
        as_of = self.shop.chosen_at_unix_s if cut is None else cut
        run = self.folder / f"run-{which}-{as_of}"
        build(self.shop.dataset, self.shop.configs[which], run, as_of_unix_s=as_of)
        return run

    def _kept(self, method: str, reads: str, find: Callable[[], Found]) -> Entry:
        """What a method reached, found now unless the folder has it."""

        def make(folder: Path) -> None:
            settings, tried, (ndcg, recall) = find()
            save_arrays(folder / "scores.safetensors", {"ndcg": ndcg, "recall": recall})
            write_json(folder / "method.json", {"settings": settings, "tried": tried})

        shop = self.shop
        key = {
            "dataset": shop.dataset.hash,
            "asked": f"{shop.cuts_unix_s} {shop.max_requests} {shop.new_only}",
            "chosen_at": str(shop.chosen_at_unix_s),
            "configurations": str(self.configurations),
            "method": f"{method} {reads}",
        }
        stages = StageCache(self.folder / ".methods", Silent())
        folder = stages.run("method", key, make)
        arrays = load_arrays(folder / "scores.safetensors")
        known = read_json(folder / "method.json")
        entry = Entry(method, known["settings"], known["tried"], arrays["ndcg"], arrays["recall"])
        self.say(f"{method}: {entry.mean:.4f}, {stages.seconds['method']:.0f} s")
        return entry
