"""The comparison in miniature, and its four shops as they are cut."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import planted
import pytest

from benchmarks.compare_cases import figures, shops
from benchmarks.compare_cases.contest import Contest, Entry, contest
from benchmarks.compare_cases.shops import Shop
from engine.artifacts import read_json, write_json
from engine.dataset import Dataset
from engine.evaluate import evaluate, first_baskets
from engine.evaluate.baselines import Als, PersonalFrequency, Popularity
from engine.evaluate.baselines.families import Axis, Family
from engine.evaluate.engine_ranker import EngineRanker, as_trained
from engine.evaluate.protocol import flat_targets
from engine.evaluate.tune import CONFIGURATIONS
from engine.vocabulary import Vocabulary, load_interactions

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
WEEK_S = int(timedelta(weeks=1).total_seconds())
FAMILIES = (
    Family("popularity", Popularity(), (Axis("per", ("ever", "basket")),)),
    Family("habit", PersonalFrequency(), (Axis("half_life_days", (7.0, 60.0, None)),)),
)


def small(dataset: Dataset, **others: object) -> Shop:
    cut = planted.CUT_UNIX_S
    return replace(
        Shop("Planted", dataset, cut - 3 * WEEK_S, (cut,), (planted.CONFIG,), new_only=False),
        **others,
    )


def test_methods_are_compared_on_the_same_requests(
    planted_shop: Dataset, planted_run: Path, tmp_path: Path
) -> None:
    found = contest(small(planted_shop), FAMILIES, tmp_path, run=planted_run, say=lambda _: None)
    popularity, habit = found.others
    assert (popularity.tried, habit.tried) == (2, 3)
    # Everybody takes two things of their own every week.
    assert habit.mean > 2 * popularity.mean
    assert found.best_other is habit
    assert found.ratio(popularity).low > 1.0
    events = load_interactions(planted_shop, Vocabulary.of(planted_shop))
    asked = first_baskets(events, planted.CUT_UNIX_S, min_users=5)
    with as_trained(planted_run) as engine:
        alone = evaluate(EngineRanker(engine, asked, with_scene=True), asked)
    np.testing.assert_array_equal(found.ours.ndcg, alone.ndcg)


def test_what_was_measured_is_not_measured_again(
    planted_shop: Dataset, planted_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def again() -> Contest:
        shop = small(planted_shop)
        return contest(shop, FAMILIES, tmp_path, run=planted_run, say=lambda _: None)

    first = again()
    monkeypatch.setattr(PersonalFrequency, "fit", None)
    second = again()
    for one, other in zip((first.ours, *first.others), (second.ours, *second.others), strict=True):
        assert (one.settings, one.tried) == (other.settings, other.tried)
        np.testing.assert_array_equal(one.ndcg, other.ndcg)


def test_ours_is_chosen_before_the_first_cut_and_trained_at_every_cut(
    planted_shop: Dataset, tmp_path: Path
) -> None:
    cut = planted.CUT_UNIX_S
    rerank = planted.CONFIG.rerank.model_copy(update={"epochs": 1, "max_requests": 20, "weeks": 2})
    config = planted.CONFIG.model_copy(update={"rerank": rerank})
    shop = small(planted_shop, cuts_unix_s=(cut, cut + WEEK_S), configs=(config,))
    found = contest(shop, FAMILIES[:1], tmp_path, say=lambda _: None)
    runs = [read_json(file)["as_of_unix_s"] for file in tmp_path.glob("run-*/manifest.json")]
    assert sorted(runs) == [cut - 3 * WEEK_S, cut, cut + WEEK_S]
    # Everybody comes every week, and is asked once at each cut.
    assert len(found.ours.ndcg) == 2 * planted.N_USERS


def test_nothing_from_the_first_cut_on_chooses(planted_shop: Dataset) -> None:
    shop = small(planted_shop)
    events = load_interactions(planted_shop, Vocabulary.of(planted_shop))
    chosen_on = shop.chosen_on(events)
    assert chosen_on.history.at_unix_s.max() < shop.chosen_at_unix_s
    assert chosen_on.requests.at_unix_s.min() >= shop.chosen_at_unix_s
    assert chosen_on.requests.at_unix_s.max() < shop.cuts_unix_s[0]


def test_a_method_that_cannot_be_run_is_named(
    planted_shop: Dataset, planted_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "implicit", None)
    families = (*FAMILIES[:1], Family("ALS", Als()))
    found = contest(small(planted_shop), families, tmp_path, run=planted_run, say=lambda _: None)
    assert [entry.method for entry in found.others] == ["popularity"]
    assert any(line.startswith("ALS skipped") for line in found.notes)


def entry(method: str, ndcg: list[float]) -> Entry:
    return Entry(method, "s", 1, np.array(ndcg * 40), np.array(ndcg * 40))


def test_the_summary_counts_sets_that_are_first_and_beyond_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "RESULTS", tmp_path)
    (tmp_path / "compare").mkdir()
    ours = entry("Vitrine", [0.2, 0.6])
    contests = {
        "clear": Contest("clear", ours, (entry("a", [0.1, 0.3]), entry("b", [0.0, 0.1])), ()),
        "close": Contest("close", ours, (entry("a", [0.62, 0.17]),), ()),
        "lost": Contest("lost", ours, (entry("a", [0.3, 0.7]),), ()),
    }
    for name, one in contests.items():
        cases = figures.of_contest(name, one).cases
        rows = [{"case": case.case, "value": case.value} for case in cases]
        write_json(tmp_path / "compare" / f"{name}.json", rows)
    found = figures.summary(("clear", "close", "lost", "never measured"))
    values = {case.case: case.value for case in found.cases}
    assert values == {"sets_first": 2, "sets_outside_interval": 1}


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("retail", (shops.INVOICES,)),
        ("beauty", (shops.REVIEWS, shops.REVIEW_FACTS)),
        ("movielens", (shops.RATINGS, shops.FILMS)),
    ],
)
def test_a_shop_of_real_data_is_cut_in_time(
    name: str, files: tuple[str, ...], tmp_path: Path
) -> None:
    for file in files:
        if not (DATA / file).is_file():
            pytest.skip(f"{file} is not in ../shared/data")
    make = {"retail": shops.retail, "beauty": shops.beauty, "movielens": shops.movielens}[name]
    shop = make(DATA, tmp_path)
    events = load_interactions(shop.dataset, Vocabulary.of(shop.dataset))
    ends = (*shop.cuts_unix_s[1:], int(events.at_unix_s.max()) + 1)
    for cut, end, asked in zip(shop.cuts_unix_s, ends, shop.asked(events), strict=True):
        assert asked.history.at_unix_s.max() < cut
        assert ((asked.requests.at_unix_s >= cut) & (asked.requests.at_unix_s < end)).all()
        assert len(np.unique(asked.requests.user)) == len(asked) >= 50
        request, item = flat_targets(asked.targets)
        # Where everything is new, nothing that was asked for may be masked from the answers.
        assert asked.had_by(request, item).any() != shop.new_only
    assert len(shop.chosen_on(events)) >= 50
    told = [config.model_dump_json() for config in shop.configs]
    assert len(set(told)) == len(told) <= CONFIGURATIONS  # ours tries no more than the others
