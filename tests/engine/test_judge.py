"""One pass measures what the parts measure, and does not hold the scores of every request."""

from __future__ import annotations

import tracemalloc
from dataclasses import fields, replace

import numpy as np
import pytest

from benchmarks.compare_cases.evaluation_speed import evaluated, made_shop
from engine.evaluate.beyond import beyond_accuracy
from engine.evaluate.rankers import Scores, evaluate, lists_of
from engine.evaluate.slices import slices_of


@pytest.fixture(scope="module")
def small():
    return made_shop(n_users=300, n_items=900)


def test_one_pass_measures_what_the_parts_do(small):
    judged = evaluated(small)
    alone = evaluate(small.ranker, small.asked)
    for f in fields(Scores):
        np.testing.assert_array_equal(getattr(judged.scores, f.name), getattr(alone, f.name))
    ranked = lists_of(small.ranker, small.asked, batch=7)
    assert judged.beyond == beyond_accuracy(ranked, small.asked, small.items, method="products")
    assert judged.slices == slices_of(ranked, small.asked, small.around)
    # The ranker knows tastes: far above chance, which is 10 of 900.
    assert judged.scores.hit.mean() > 0.2
    assert {part.by for part in judged.slices} == {
        "hour", "weekday", "season", "days since the cut", "user", "item", "offer",
    }  # fmt: skip


def test_memory_does_not_grow_with_the_requests():
    shop = made_shop(n_users=300, n_items=4000)

    def peak(times: int) -> int:
        rows = np.tile(np.arange(len(shop.asked)), times)
        asked = replace(
            shop.asked, requests=shop.asked.requests[rows], targets=shop.asked.targets * times
        )
        tracemalloc.start()
        try:
            lists_of(shop.ranker, asked)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1)  # what is imported and cached lies in memory from here on
    few, many = peak(2), peak(12)
    whole = 4 * 12 * len(shop.asked) * 4000
    assert many < 1.5 * few
    assert many < whole / 2
