"""Similar items and complements: how far they differ, and which of them a basket holds.

    python -m benchmarks.retrieval_cases.similar [DATASET] [RUN]

Baskets that began after the run's moment are asked for. One item of each is shown, and then one
half of each; the rest is what is to be found. Settings were chosen on the four weeks before.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.complements import complements_of_basket
from engine.dataset import Dataset
from engine.evaluate import Interval, difference_interval, mean_interval
from engine.recommend import Engine
from engine.runtime import Run
from engine.similar import Likeness, similar_items
from engine.vocabulary import Vocabulary, load_interactions

BASKETS = 1_000
K = 10
SEED = 0

Rows = NDArray[np.int64]
Answer = Callable[[Rows], Rows]


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of a basket, and what else it holds: int64 rows each."""

    given: Rows
    rest: Rows


@dataclass(frozen=True, slots=True)
class WayFigures:
    """One way of answering."""

    way: str
    shown: str
    """``item`` or ``half``: how much of the basket was given."""
    same_category: float
    """Share of the answers that are of a category that was given."""
    hit: Interval
    """Share of baskets of which at least one other item is among the answers."""
    recall: Interval
    """Share of the rest that is among the answers, at most K of it counted."""
    recall_over_popularity: Interval
    """Difference on the same baskets."""
    n_baskets: int


def similar(
    engine: Engine, dataset: Dataset, n_baskets: int = BASKETS, k: int = K
) -> list[WayFigures]:
    """Complements, popularity, and every way of being similar, on the same baskets.

    Args:
        engine: Opened on a run that learned nothing of the baskets asked for.
        dataset: The run's.
        n_baskets: At most.
        k: Answers each.
    """
    run = engine.run
    baskets = _baskets(run, dataset, n_baskets)
    rng = np.random.default_rng(SEED)
    items = [_shown(rng.permutation(basket), 1) for basket in baskets]
    halves = [_shown(rng.permutation(b), len(b) // 2) for b in baskets if len(b) >= 4]
    ways = dict(_ways(run, k))
    of_baskets = {name: ways[name] for name in ("popularity", "complements")}
    return [*_measured(run, "item", items, ways), *_measured(run, "half", halves, of_baskets)]


def _baskets(run: Run, dataset: Dataset, n: int) -> list[Rows]:
    """Baskets that began at the run's moment or later, of what may be answered."""
    events = load_interactions(dataset, Vocabulary.of(dataset))
    _, first = np.unique(events.session, return_index=True)
    begun = events.at_unix_s[first][events.session] >= run.manifest.as_of_unix_s
    kept = events.where(begun & run.world.items.recommendable[events.item])
    sessions = np.unique(kept.session)
    order = np.random.default_rng(SEED).permutation(sessions)
    baskets: list[Rows] = []
    for session in order:
        basket = np.unique(kept.item[kept.session == session])
        if len(basket) >= 2:
            baskets.append(basket)
        if len(baskets) == n:
            break
    return baskets


def _shown(basket: Rows, n: int) -> Shown:
    return Shown(np.sort(basket[:n]), np.sort(basket[n:]))


def _ways(run: Run, k: int) -> Iterator[tuple[str, Answer]]:
    allowed = run.world.items.recommendable
    best = run.world.trends.best_sellers
    best = best[allowed[best]]
    yield "popularity", lambda given: best[~np.isin(best, given)][:k]
    yield "complements", lambda given: complements_of_basket(run, given, k, allowed).rows
    pictured = bool(np.any(run.sides.looks.base[:100]))
    for likeness in Likeness:
        if likeness is Likeness.LOOKS and not pictured:
            continue
        yield (
            f"similar, {likeness}",
            lambda given, likeness=likeness: (
                similar_items(run, int(given[0]), k, likeness, allowed)[0].rows
            ),
        )


def _measured(
    run: Run, shown: str, asked: Sequence[Shown], ways: dict[str, Answer]
) -> Iterator[WayFigures]:
    group = run.world.items.groups[0]
    popular = None
    for way, answer in ways.items():
        hits, recalls, same, answered = [], [], 0, 0
        for one in asked:
            found = answer(one.given)
            inside = int(np.isin(found, one.rest).sum())
            hits.append(float(inside > 0))
            recalls.append(inside / min(len(one.rest), K))
            same += int(np.isin(group[found], group[one.given]).sum())
            answered += len(found)
        hit, recall = np.array(hits), np.array(recalls)
        popular = recall if popular is None else popular
        yield WayFigures(
            way,
            shown,
            same / max(answered, 1),
            mean_interval(hit),
            mean_interval(recall),
            difference_interval(recall, popular),
            len(asked),
        )


def main() -> None:
    """Measure the demo's run, print the table."""
    given = [Path(path) for path in sys.argv[1:]]
    dataset, run = given or (Path("data/complete-journey"), Path("runs/demo"))
    with Engine.open(run) as engine:
        figures = similar(engine, Dataset.open(dataset))
    print("| way | given | same category | Hit@10 | Recall@10 | over popularity |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for f in figures:
        more = f.recall_over_popularity
        print(
            f"| {f.way} | {f.shown} | {f.same_category:.3f} | {f.hit.estimate:.4f} "
            f"[{f.hit.low:.3f}, {f.hit.high:.3f}] | {f.recall.estimate:.4f} | "
            f"{more.estimate:+.4f} [{more.low:+.4f}, {more.high:+.4f}] |"
        )


if __name__ == "__main__":
    main()
