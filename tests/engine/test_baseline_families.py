"""Networks among the baselines find a planted taste, and all families get the same budget."""

from dataclasses import dataclass

import numpy as np
import pytest
from test_baselines import ask, interactions, purchases, small_shop, two_tastes

from engine.evaluate import Tuning, evaluate, evaluate_baselines
from engine.evaluate.baselines import LightGcn, Popularity, Purchases, SasRec, ScoreRanker
from engine.evaluate.baselines.backed import Backed
from engine.evaluate.baselines.families import FAMILIES, LEARNED, Axis, Family
from engine.evaluate.protocol import first_baskets
from engine.evaluate.tune import tune

DAY = 86_400


@dataclass(frozen=True)
class Point:
    """Settings of which only the value matters."""

    x: int = 0
    y: int = 0

    def fit(self, purchases):
        raise NotImplementedError


HILL = Family("hill", Point(), (Axis("x", (0, 1, 2, 3, 4)), Axis("y", (0, 1, 2, 3, 4))))


def height(point) -> float:
    return -((point.x - 3) ** 2) - (point.y - 1) ** 2


@pytest.mark.parametrize("configurations", [1, 7, 12, 25, 99])
def test_every_family_tries_as_many_settings_or_all_that_it_has(configurations):
    asked = []

    def value_of(point):
        asked.append(point)
        return height(point)

    found = tune(HILL, value_of, configurations)
    assert found.tried == len(asked) == len(set(asked)) == min(configurations, HILL.size)
    assert found.value == height(found.best) == max(map(height, asked))


def test_one_axis_after_the_other_finds_the_top_of_a_hill():
    # The first round needs 5 settings along x and 4 more along y.
    assert tune(HILL, height, 9).best == Point(3, 1)


def test_what_is_left_of_the_budget_is_drawn_by_the_seed():
    def away_from_the_start(point):
        return float(point == Point(4, 4))

    # Along the axes nothing is better than the start: only a draw can find the corner.
    found = {tune(HILL, away_from_the_start, 14, seed).best for seed in range(20)}
    assert found == {Point(0, 0), Point(4, 4)}
    first, second = (tune(HILL, away_from_the_start, 14, seed=3) for _ in range(2))
    assert first == second


def test_no_budget_is_refused():
    with pytest.raises(ValueError, match="configurations is 0"):
        tune(HILL, height, 0)


@pytest.mark.parametrize("family", [*FAMILIES, *LEARNED], ids=lambda family: family.name)
def test_places_in_a_grid_are_all_different(family):
    assert len({family.at(place) for place in range(family.size)}) == family.size


def test_a_family_tells_how_many_settings_it_tried():
    families = [family for family in FAMILIES if family.name.startswith("popularity")]
    found = evaluate_baselines(small_shop(), Tuning(min_users=1, k=3, configurations=5), families)
    sizes = [min(5, family.size) for family in families]
    assert [outcome.tried for outcome in found.outcomes] == sizes


def test_light_gcn_finds_a_taste_for_items_that_the_user_never_had():
    ranker = ScoreRanker.fitted("b", LightGcn(width=8, steps=150), two_tastes())
    ranked = ranker.rank(ask(range(60)), 5, new_only=True)
    same_taste = (ranked.rows // 10 == np.arange(60)[:, None] % 2) & ranked.valid
    # By chance a third would be: 5 of the 15 that the user never had.
    assert same_taste.mean() > 0.9


@pytest.mark.parametrize("baseline", [LightGcn(width=4, steps=5), SasRec(width=8, epochs=2)])
def test_the_same_seed_learns_the_same(baseline):
    first, second = (baseline.fit(two_tastes()).score(ask([0, 1])) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def cycles(n_users=40, n_items=8, length=12):
    """Everybody walks around the same circle of items, from a place of their own."""
    rows = [
        (user, (user + step) % n_items, step, user * length + step, 1, 1)
        for user in range(n_users)
        for step in range(length + 1)
    ]
    return interactions(rows, n_users, n_items), length


def test_self_attention_learns_what_follows_what():
    events, length = cycles()
    asked = first_baskets(events, length * DAY, min_users=1)
    baseline = SasRec(width=16, epochs=20, batch_size=8, learning_rate=1e-2)
    ranker = ScoreRanker.fitted("b", baseline, Purchases.of(asked))
    # All items sell alike and everybody had all of them: only their order tells the next one.
    assert evaluate(ranker, asked, 1).hit.mean() > 0.9
    assert (
        evaluate(ScoreRanker.fitted("p", Popularity(), Purchases.of(asked)), asked, 1).hit.mean()
        < 0.3
    )


def test_who_has_no_history_gets_what_sells():
    # Users 0 and 1 had items 0 and 1; item 2 sold most, to user 2; user 3 had nothing.
    rows = [(0, 0, 1, 0, 1, 1), (1, 1, 1, 1, 1, 1), (2, 2, 1, 2, 1, 1), (2, 2, 2, 3, 1, 1)]
    bought = purchases(rows, 4, 3, 5)
    own = LightGcn(width=4, steps=1)
    scores = Backed(own, Popularity()).fit(bought).score(ask([0, 3]))
    np.testing.assert_allclose(scores[0], own.fit(bought).score(ask([0]))[0], atol=1e-6)
    assert scores[1].tolist() == [0.5, 0.5, 1.0]
