"""What an evaluation costs: 2,000 users over 24,500 items, everything that is measured.

The size of the Complete Journey. The events are drawn: each user has tastes, items are taken by a
Zipf law. The ranker is a product of vectors, so nearly all of the time is what evaluation itself
does with scores of every candidate: best ten, rules, leakage, accuracy, slices, intervals, variety,
calibration, popularity bias and exposure.

    python -m benchmarks.compare_cases.evaluation_speed
"""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from scipy.sparse import csr_array

from engine.evaluate.baselines.scorer import ScoreRanker
from engine.evaluate.items import ItemFacts
from engine.evaluate.judge import Judged, judge
from engine.evaluate.leakage import check_leakage
from engine.evaluate.protocol import EvaluationSet, Requests, first_baskets
from engine.evaluate.slices import Surroundings
from engine.interactions import Floats, Interactions, Ints
from retrieval.rerank.offers import OfferCalendar, Shape

N_USERS, N_ITEMS, N_PLACES = 2_000, 24_500, 20
N_TASTES, N_BRANDS, WIDTH = 120, 800, 128
VISITS, PER_VISIT = 60, 10
CUT_UNIX_S, WEEKS_AFTER_S = 1_700_000_000, 28 * 86_400
YEAR_S = 365 * 86_400
ZONE, COUNTRY = ZoneInfo("America/New_York"), "US"


@dataclass(frozen=True, slots=True)
class Shop:
    """What an evaluation is given."""

    asked: EvaluationSet
    items: ItemFacts
    around: Surroundings
    ranker: ScoreRanker


@dataclass(frozen=True, slots=True)
class _Products:
    """Scores as products of vectors."""

    users: Floats
    items: Floats

    def score(self, requests: Requests) -> Floats:
        """See :class:`engine.evaluate.baselines.scorer.Scorer`."""
        found: Floats = self.users[requests.user] @ self.items.T
        return found


def measure_evaluation() -> tuple[float, float]:
    """Seconds of one whole evaluation, and its peak memory in MiB beyond the start.

    Seconds are of the processor, added up over threads: never fewer than a free machine takes by
    the clock, and the same on a busy one. Memory is of a second evaluation, as its measurement
    takes time: everything that Python and NumPy hold at once.
    """
    shop = made_shop()
    started = time.process_time()
    evaluated(shop)
    seconds = time.process_time() - started
    tracemalloc.start()
    try:
        evaluated(shop)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return seconds, peak / 2**20


def evaluated(shop: Shop) -> Judged:
    """Everything that an evaluation of one method does."""
    check_leakage(shop.asked)
    return judge(shop.ranker, shop.asked, shop.items, shop.around)


def made_shop(seed: int = 0, n_users: int = N_USERS, n_items: int = N_ITEMS) -> Shop:
    """Users who each have tastes, a year of visits before the cut and one or more after it."""
    rng = np.random.default_rng(seed)
    category = rng.integers(1, N_TASTES + 1, n_items)
    centres = rng.normal(size=(N_TASTES + 1, WIDTH))
    vectors = _unit(centres[category] + rng.normal(size=(n_items, WIDTH)))
    events = _events(rng, n_users, category)
    asked = first_baskets(events, CUT_UNIX_S, min_users=0)
    names = tuple(f"category {n}" for n in range(1, N_TASTES + 1))
    brands = tuple(f"brand {n}" for n in range(1, N_BRANDS + 1))
    facts = ItemFacts(
        category, rng.integers(0, N_BRANDS + 1, n_items), ("", *names), ("", *brands), vectors
    )
    had = asked.had()
    users = np.zeros((n_users, WIDTH), np.float32)
    np.add.at(users, had.user, vectors[had.item])
    candidates = np.flatnonzero(asked.candidates)
    matrix = csr_array(
        (np.ones(len(had), np.float32), (had.user, had.item)), shape=(n_users, n_items)
    )
    ranker = ScoreRanker("products", _Products(users, vectors[candidates]), candidates, matrix)
    around = Surroundings(ZONE, COUNTRY, _offers(rng, n_items))
    return Shop(asked, facts, around, ranker)


def _events(rng: np.random.Generator, n_users: int, category: Ints) -> Interactions:
    n_visits = n_users * VISITS
    user = np.sort(np.tile(np.arange(n_users), VISITS))
    start = CUT_UNIX_S + rng.integers(-YEAR_S, WEEKS_AFTER_S, n_visits)
    start = start[np.lexsort((start, user))]
    tastes = rng.integers(1, N_TASTES + 1, (n_users, 6))
    of_visit = np.repeat(np.arange(n_visits), PER_VISIT)
    liked = tastes[user[of_visit], rng.integers(0, 6, len(of_visit))]
    by_category = np.argsort(category, kind="stable")
    first = np.searchsorted(category[by_category], np.arange(N_TASTES + 2))
    size = first[liked + 1] - first[liked]
    rank = np.minimum(rng.zipf(1.3, len(of_visit)) - 1, size - 1)
    return Interactions(
        user=user[of_visit],
        item=by_category[first[liked] + rank].astype(np.int64),
        kind=np.full(len(of_visit), 3, np.int8),
        at_unix_s=start[of_visit],
        value=np.ones(len(of_visit), np.float32),
        session=of_visit,
        place=1 + user[of_visit] % (N_PLACES - 1),
        n_users=n_users,
        n_items=len(category),
        n_places=N_PLACES,
    )


def _offers(rng: np.random.Generator, n_items: int) -> OfferCalendar:
    """A few hundred offers that run for a week each around the cut."""
    n = 2 * n_items // 100
    start = CUT_UNIX_S // 3600 + rng.integers(-672, 672, n)
    drawn = (rng.integers(0, n_items, n), rng.integers(0, N_PLACES, n), rng.integers(0, 4, n))
    return OfferCalendar.of(*drawn, start, start + 168, shape=Shape(n_items, N_PLACES))


def _unit(vectors: np.ndarray) -> Floats:
    found: Floats = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return found


if __name__ == "__main__":
    print("{:.2f} s, {:.0f} MiB".format(*measure_evaluation()))
