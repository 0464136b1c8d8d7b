"""With the scene and without it: the same shops, requests and candidates, two rankers.

A run is trained on each shop as ever. From the requests that it was taught by, rankers are then
trained anew: with all that they tell, and with the scene hidden throughout, that is place, facets
(occasion, weather, company), offers, hour, weekday, season and holidays, of the request and of
every past event. What remains is who took what how long ago, and what sells. Both rank the same
retrieved candidates, of all items, for the first basket of each user after the cut; the
difference is paired over users and averaged over seeds. The candidates were found with the scene,
which favours the ranker without.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.cases import RESULTS
from benchmarks.rerank_cases.asked import Asked, bounds, case, told
from benchmarks.rerank_cases.context_sets import INVOICES_FILE, RENTALS_FILE, Shop, dresses, gifts
from benchmarks.sections import Found, rows
from engine import layout
from engine.arrays import local_seconds
from engine.build import build, lessons_of
from engine.calendar import days_to_holiday
from engine.evaluate import metrics
from engine.evaluate.bootstrap import Interval, difference_interval
from engine.evaluate.protocol import EvaluationSet, first_baskets
from engine.interactions import Ints
from engine.rerank_stage import Lessons
from engine.runtime import Run, load_run
from engine.scoring import Asked as Request
from engine.scoring import prepare
from engine.vocabulary import load_interactions
from retrieval.rerank.batch import Batch
from retrieval.rerank.examples import Examples
from retrieval.rerank.features import scene_columns
from retrieval.rerank.model import Reranker
from retrieval.rerank.records import Bools, Moment

K = 10
FOLDER = Path("runs/context")
SHOPS = {"rent_the_runway": (RENTALS_FILE, dresses), "online_retail": (INVOICES_FILE, gifts)}
CLOCK_COLUMNS = ("slot_lift", "item_rate_this_hour", "item_rate_this_weekday")
CLOCK_ENDINGS = ("_this_hour", "_this_weekday")
JOURNEY_CASE = "cj_scene_gain_low"
"""What the section ``ablations`` measures of Complete Journey, with offers and place."""

NDCG = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Compared:
    """What the scene is worth in one shop."""

    shop: Shop
    with_scene: float
    """Mean NDCG@10."""
    without: float
    gain: Interval
    users: int


def run(asked: Asked) -> Found:
    """Measure the shops whose data is at hand; Complete Journey is read from its own section."""
    found: list[Compared] = []
    names = []
    for name, (file, shop) in SHOPS.items():
        if (asked.data / file).is_file():
            folder = FOLDER / name
            found.append(compare(shop(asked.data, folder / "data"), folder / "run", asked.seeds))
            names.append(name)
    journey = _journey_low()
    gained = sum(one.gain.low > 0 for one in found) + (journey is not None and journey > 0)
    cases = [case("context_sets_gained", gained, "of 3", ">= 2")]
    for name, one in zip(names, found, strict=True):
        cases.append(case(f"context_{name}_gain", one.gain.estimate, "NDCG@10"))
        cases += bounds(f"context_{name}_gain", one.gain)
    return Found(tuple(cases), _table(found, journey, asked.seeds))


def compare(shop: Shop, folder: Path, seeds: Sequence[int]) -> Compared:
    """Train a shop's run, then rankers with and without the scene, and ask them the same."""
    build(shop.dataset, shop.config, folder, as_of_unix_s=shop.as_of_unix_s)
    loaded = load_run(folder)
    stages = folder.parent / ".stages"
    lessons = lessons_of(shop.dataset, shop.config, stages, as_of_unix_s=shop.as_of_unix_s)
    hidden = hidden_columns(lessons.columns.features)
    examples = layout.load_examples(lessons.requests)
    # The run's own ranker is the first: it was fitted to the same with its own seed.
    others = [seed for seed in seeds if seed != loaded.config.seed]
    told_all = [loaded.model, *_rankers(loaded, lessons, examples, others)]
    told_less = _rankers(loaded, lessons, without_scene(examples, hidden), seeds)
    events = load_interactions(shop.dataset, loaded.vocabulary)
    asked = first_baskets(events, shop.as_of_unix_s, min_users=shop.config.min_users)
    asked = asked.sample(shop.max_requests, seed=0)
    rankers = [*((one, None) for one in told_all), *((one, hidden) for one in told_less)]
    each = ndcg_of_each(loaded, asked, rankers)
    n = len(told_all)
    ours, theirs = np.mean(each[:n], axis=0), np.mean(each[n:], axis=0)
    gain = difference_interval(ours, theirs)
    return Compared(shop, float(ours.mean()), float(theirs.mean()), gain, len(asked))


def hidden_columns(names: Sequence[str]) -> Bools:
    """Columns that tell of the scene: its place, facets and offers, and the clock."""
    of_clock = [n in CLOCK_COLUMNS or n.endswith(CLOCK_ENDINGS) for n in names]
    hidden: Bools = scene_columns(names) | np.array(of_clock)
    return hidden


def without_scene(examples: Examples, hidden: Bools) -> Examples:
    """Training requests that tell nothing of the scene; ``hidden`` is bool ``[F]``."""
    features = examples.features.copy()
    features[:, hidden] = np.nan
    tokens = examples.tokens
    blank = (np.zeros_like(part) for part in (tokens.clock, tokens.here, tokens.scene))
    clock, here, scene = blank
    tokens = replace(tokens, clock=clock, here=here, scene=scene)
    return replace(examples, features=features, tokens=tokens)


def blind(batch: Batch, hidden: Bools) -> Batch:
    """The same of a request that is asked."""
    features = batch.features.masked_fill(torch.from_numpy(hidden), torch.nan)
    blank = (torch.zeros_like(part) for part in (batch.clock, batch.here, batch.scene))
    clock, here, scene = blank
    return replace(batch, features=features, clock=clock, here=here, scene=scene)


def _rankers(
    loaded: Run, lessons: Lessons, examples: Examples, seeds: Sequence[int]
) -> list[Reranker]:
    """One ranker per seed, on the run's newest vectors."""
    rankers = []
    for seed in seeds:
        model = lessons.fit(examples, loaded.config.rerank, seed).model
        model.items = loaded.model.items
        rankers.append(model)
    return rankers


@torch.inference_mode()
def ndcg_of_each(
    loaded: Run, asked: EvaluationSet, rankers: Sequence[tuple[Reranker, Bools | None]]
) -> list[NDCG]:
    """NDCG@10 of each request by each ranker, over the same candidates.

    Args:
        loaded: What the candidates and their features come from.
        asked: The requests.
        rankers: Each with the columns that it must not see, None where it sees all.
    """
    lists: list[list[Ints]] = [[] for _ in rankers]
    for request in _requests(loaded, asked):
        ready = prepare(loaded, request)
        found = ready.recalled.candidates.rows
        allowed = torch.from_numpy(asked.candidates[found])
        for listed, (ranker, hidden) in zip(lists, rankers, strict=True):
            seen = ready.batch if hidden is None else blind(ready.batch, hidden)
            logits = ranker(seen)[0, :, 0].masked_fill(~allowed, -torch.inf)
            best = torch.argsort(-logits, stable=True)[: min(K, int(allowed.sum()))]
            listed.append(found[best.numpy()])
    return [_measured(listed, asked) for listed in lists]


def _measured(listed: Sequence[Ints], asked: EvaluationSet) -> NDCG:
    ranked = np.zeros((len(listed), K), dtype=np.int64)
    valid = np.zeros((len(listed), K), dtype=np.bool_)
    for i, found in enumerate(listed):
        ranked[i, : len(found)], valid[i, : len(found)] = found, True
    return metrics.ndcg_at_k(ranked, valid, asked.targets, K)


def _requests(loaded: Run, asked: EvaluationSet) -> Iterator[Request]:
    requests = asked.requests
    local = local_seconds(requests.at_unix_s, loaded.zone)
    for i in range(len(requests)):
        codes = () if requests.facets is None else tuple(requests.facets[i].tolist())
        holiday = days_to_holiday(int(local[i]), loaded.settings.country)
        at, place = int(requests.at_unix_s[i]), int(requests.place[i])
        moment = Moment(at, int(local[i]), place, holiday, codes)
        yield Request(loaded.vocabulary.users.id(int(requests.user[i])), moment, ())


def _journey_low() -> float | None:
    file = RESULTS / "rerank" / "ablations.json"
    if not file.is_file():
        return None
    lows = [
        one["value"] for one in json.loads(file.read_text("utf-8")) if one["case"] == JOURNEY_CASE
    ]
    return float(lows[0]) if lows else None


def _table(found: Sequence[Compared], journey: float | None, seeds: Sequence[int]) -> str:
    header = ("data set", "scene", "with", "without", "gain", "users")
    lines: list[tuple[object, ...]] = [
        (
            one.shop.name,
            one.shop.scene,
            f"{one.with_scene:.4f}",
            f"{one.without:.4f}",
            told(one.gain),
            one.users,
        )
        for one in found
    ]
    low = "not measured yet" if journey is None else f"low {journey:.4f}, see the ablations"
    lines.append(("Complete Journey", "offers, place", "", "", low, ""))
    note = (
        f"NDCG@10 of the first basket after the cut, all items ranked, mean of {len(seeds)} seeds; "
        "the gain with its 95% interval, paired over users. Without: trained and asked without "
        "place, occasion, offers, hour, weekday, season and holidays. Both rank the candidates "
        "that were found with the scene."
    )
    return f"{rows(header, lines)}\n\n{note}\n"
