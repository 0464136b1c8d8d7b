import json
from io import StringIO
from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from sklearn.metrics import average_precision_score, ndcg_score, top_k_accuracy_score

from engine.evaluate import (
    Figures,
    Interval,
    Resampling,
    Row,
    Table,
    average_precision,
    difference_interval,
    hit_at_k,
    mean_interval,
    ndcg_at_k,
    ratio_interval,
    recall_at_k,
    reciprocal_rank,
)

ROWS = np.array([[7, 3, 5, 1], [0, 2, 4, 6], [9, 8, 7, 6]])
VALID = np.array([[True] * 4, [True, True, False, False], [True] * 4])
TARGETS = (np.array([3, 1, 8]), np.array([4, 2]), np.array([5]))


def test_recall_is_the_share_of_the_targets_found():
    assert recall_at_k(ROWS, VALID, TARGETS, 2) == pytest.approx([1 / 3, 1 / 2, 0])
    assert recall_at_k(ROWS, VALID, TARGETS, 4) == pytest.approx([2 / 3, 1 / 2, 0])


def test_ndcg_compares_with_the_ideal_list_of_the_same_length():
    at_2 = (1 / log2(3)) / (1 + 1 / log2(3))
    at_4 = (1 / log2(3) + 1 / log2(5)) / (1 + 1 / log2(3) + 1 / log2(4))
    assert ndcg_at_k(ROWS, VALID, TARGETS, 2) == pytest.approx([at_2, at_2, 0])
    assert ndcg_at_k(ROWS, VALID, TARGETS, 4) == pytest.approx([at_4, at_2, 0])


def test_hit_reciprocal_rank_and_average_precision():
    assert hit_at_k(ROWS, VALID, TARGETS, 1).tolist() == [0, 0, 0]
    assert hit_at_k(ROWS, VALID, TARGETS, 2).tolist() == [1, 1, 0]
    assert reciprocal_rank(ROWS, VALID, TARGETS) == pytest.approx([1 / 2, 1 / 2, 0])
    assert average_precision(ROWS, VALID, TARGETS) == pytest.approx(
        [(1 / 2 + 2 / 4) / 3, (1 / 2) / 2, 0]
    )


def test_an_answer_past_the_end_of_a_list_is_no_hit():
    rows, valid = np.array([[4, 0]]), np.array([[True, False]])
    assert recall_at_k(rows, valid, (np.array([0]),), 2).tolist() == [0.0]


def test_no_targets_and_no_answers_score_zero():
    empty = (np.array([], np.int64),)
    one = np.array([[1]])
    assert ndcg_at_k(one, one > 0, empty, 10).tolist() == [0.0]
    none = np.empty((1, 0), np.int64)
    assert reciprocal_rank(none, none > 0, (np.array([1]),)).tolist() == [0.0]
    assert average_precision(none, none > 0, (np.array([1]),)).tolist() == [0.0]


def test_a_hit_belongs_to_its_own_request():
    rows = np.array([[1], [2]])
    assert hit_at_k(rows, rows > 0, (np.array([2]), np.array([1])), 1).tolist() == [0, 0]


def test_lists_that_do_not_match_are_refused():
    with pytest.raises(ValueError, match="do not match"):
        recall_at_k(ROWS, VALID, TARGETS[:2], 4)
    with pytest.raises(ValueError, match="at least 1"):
        recall_at_k(ROWS, VALID, TARGETS, 0)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 15))
def test_measures_stay_between_0_and_1_and_recall_grows_with_k(seed, k, n_targets):
    rng = np.random.default_rng(seed)
    rows = np.stack([rng.permutation(20)[:12] for _ in range(3)])
    valid = rng.random(rows.shape) < 0.8
    targets = tuple(rng.permutation(20)[:n_targets] for _ in range(3))
    for measure in (recall_at_k, ndcg_at_k, hit_at_k):
        values = measure(rows, valid, targets, k)
        assert ((values >= 0) & (values <= 1 + 1e-12)).all()
    assert (recall_at_k(rows, valid, targets, k) <= recall_at_k(rows, valid, targets, k + 1)).all()


def test_equal_to_ranx():
    ranx = pytest.importorskip("ranx", reason="ranx is not installed: pip install ranx")
    rng = np.random.default_rng(3)
    rows = np.stack([rng.permutation(60)[:25] for _ in range(40)])
    valid = np.ones(rows.shape, bool)
    targets = tuple(rng.permutation(60)[: rng.integers(1, 30)] for _ in range(40))
    qrels = ranx.Qrels({f"{q:03}": {f"i{t}": 1 for t in ts} for q, ts in enumerate(targets)})
    run = ranx.Run(
        {f"{q:03}": {f"i{r}": float(-n) for n, r in enumerate(rs)} for q, rs in enumerate(rows)}
    )
    names = ["recall@10", "ndcg@10", "hit_rate@10", "mrr", "map"]
    theirs = ranx.evaluate(qrels, run, names, return_mean=False)
    ours = [
        recall_at_k(rows, valid, targets, 10),
        ndcg_at_k(rows, valid, targets, 10),
        hit_at_k(rows, valid, targets, 10),
        reciprocal_rank(rows, valid, targets),
        average_precision(rows, valid, targets),
    ]
    for name, values in zip(names, ours, strict=True):
        np.testing.assert_allclose(values, theirs[name], atol=1e-9, err_msg=name)


def test_the_first_k_of_a_list_are_measured_as_ranx_does():
    ranx = pytest.importorskip("ranx", reason="ranx is not installed: pip install ranx")
    rng = np.random.default_rng(4)
    rows = np.stack([rng.permutation(60)[:25] for _ in range(40)])
    valid = np.arange(25) < rng.integers(1, 26, 40)[:, None]
    targets = tuple(rng.permutation(60)[: rng.integers(1, 30)] for _ in range(40))
    qrels = ranx.Qrels({f"{q:03}": {f"i{t}": 1 for t in ts} for q, ts in enumerate(targets)})
    run = ranx.Run(
        {
            f"{q:03}": {f"i{r}": float(-n) for n, r in enumerate(rs[ok])}
            for q, (rs, ok) in enumerate(zip(rows, valid, strict=True))
        }
    )
    names = ["recall@7", "ndcg@7", "hit_rate@7", "mrr@7", "map@7"]
    theirs = ranx.evaluate(qrels, run, names, return_mean=False)
    first = rows[:, :7], valid[:, :7], targets
    ours = [
        recall_at_k(rows, valid, targets, 7),
        ndcg_at_k(rows, valid, targets, 7),
        hit_at_k(rows, valid, targets, 7),
        reciprocal_rank(*first),
        average_precision(*first),
    ]
    for name, values in zip(names, ours, strict=True):
        np.testing.assert_allclose(values, theirs[name], atol=1e-9, err_msg=name)


def test_equal_to_sklearn():
    rng = np.random.default_rng(5)
    rows = np.stack([rng.permutation(30) for _ in range(40)])
    valid = np.ones(rows.shape, bool)
    targets = tuple(rng.permutation(30)[: rng.integers(1, 30)] for _ in range(40))
    relevant, scores = np.zeros((40, 30)), np.zeros((40, 30))
    for row, (listed, items) in enumerate(zip(rows, targets, strict=True)):
        relevant[row, items], scores[row, listed] = 1, np.arange(30, 0, -1)
    precision = [average_precision_score(r, s) for r, s in zip(relevant, scores, strict=True)]
    np.testing.assert_allclose(average_precision(rows, valid, targets), precision, atol=1e-9)
    ndcg = ndcg_at_k(rows, valid, targets, 10).mean()
    assert ndcg == pytest.approx(ndcg_score(relevant, scores, k=10), abs=1e-9)
    hits = [top_k_accuracy_score([items[0]], s[None], k=5, labels=range(30))
            for items, s in zip(targets, scores, strict=True)]  # fmt: skip
    one = tuple(items[:1] for items in targets)
    assert hit_at_k(rows, valid, one, 5).tolist() == hits


def test_an_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        interval = mean_interval(rng.random(80), Resampling(n_resamples=200, seed=seed))
        covered += interval.low <= 0.5 <= interval.high
    assert 175 <= covered <= 200


def test_the_same_seed_draws_the_same_interval_and_another_seed_does_not():
    values = np.random.default_rng(0).random(50)
    assert mean_interval(values, Resampling(seed=1)) == mean_interval(values, Resampling(seed=1))
    assert mean_interval(values, Resampling(seed=1)) != mean_interval(values, Resampling(seed=2))


def test_comparisons_are_paired():
    hard = np.random.default_rng(0).random(100)
    # A constant gain over very different users is certain when users are drawn in pairs.
    gain = difference_interval(hard + 0.1, hard)
    assert (gain.low, gain.estimate, gain.high) == pytest.approx((0.1, 0.1, 0.1))
    ratio = ratio_interval(1.15 * hard, hard)
    assert (ratio.low, ratio.estimate, ratio.high) == pytest.approx((1.15, 1.15, 1.15))


def test_comparisons_that_mean_nothing_are_refused():
    with pytest.raises(ValueError, match="mean of 0"):
        ratio_interval(np.ones(3), np.zeros(3))
    with pytest.raises(ValueError, match="same users"):
        difference_interval(np.ones(3), np.ones(4))
    with pytest.raises(ValueError, match="no user"):
        mean_interval(np.empty(0))


def test_a_level_of_zero_width_is_the_median_draw():
    interval = mean_interval(np.array([0.0, 1.0]), Resampling(level=1e-9))
    assert interval.low == pytest.approx(interval.high, abs=1e-6)


def table() -> Table:
    def figures(mean: float) -> Figures:
        interval = Interval(mean, mean - 0.01, mean + 0.01)
        return Figures(interval, interval, interval, 1950)

    rows = (Row("ours", figures(0.3), figures(0.02)), Row("theirs", figures(0.2), figures(0.04)))
    return Table("A shop", 10, rows, ("BPR skipped",))


def test_the_best_of_each_column_is_bold_in_markdown():
    lines = table().to_markdown().splitlines()
    assert lines[2].startswith("| method | Recall@10, all | NDCG@10, all | Hit@10, all | Recall@10")
    assert lines[4].startswith("| ours | **0.3000** [0.290, 0.310] |")
    assert lines[4].endswith("| 0.0200 [0.010, 0.030] |")
    assert lines[5].endswith("| **0.0400** [0.030, 0.050] |")
    assert lines[-1] == "- BPR skipped"


def test_json_holds_every_figure_to_full_precision():
    rows = json.loads(table().to_json())["rows"]
    assert rows[1]["new_items"]["ndcg"] == {"estimate": 0.04, "low": 0.03, "high": 0.05}


def test_rich_shows_brackets_as_text():
    console = Console(width=250, record=True, file=StringIO())
    console.print(table().to_rich())
    shown = console.export_text()
    assert "0.3000 [0.290, 0.310]" in shown
    assert "[bold]" not in shown
