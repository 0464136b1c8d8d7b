from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoders.fusion import fuse_parts
from encoders.gate_learning import MIN_PAIRS, fit_gates
from encoders.gates import (
    Gates,
    Trial,
    agreements,
    dump_gates,
    fixed_gates,
    load_gates,
    shares_of,
)

NAMES = ("pictures", "title", "rest")


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def shares(parts: np.ndarray, present: np.ndarray, gates: Gates) -> np.ndarray:
    return shares_of(agreements(parts, present), present, gates)


def some_gates(seed: int, n_parts: int = 3) -> Gates:
    rng = np.random.default_rng(seed)
    apart = 1 - np.eye(n_parts)
    beside, agreement = rng.standard_normal((2, n_parts, n_parts)) * apart
    bias = rng.standard_normal(n_parts)
    return Gates(*(a.astype(np.float32) for a in (bias, beside, agreement)))


def test_fixed_odds_are_shared_among_the_parts_that_are_there() -> None:
    parts = unit(np.random.default_rng(0).standard_normal((4, 3, 5)))
    present = np.array([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0]], dtype=bool)
    expected = [[1 / 10, 6 / 10, 3 / 10], [1 / 4, 0, 3 / 4], [0, 1, 0], [0, 0, 0]]
    got = shares(parts, present, fixed_gates([1, 6, 3]))
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_a_part_of_no_odds_counts_only_where_it_is_alone() -> None:
    parts = unit(np.ones((2, 2, 3)))
    present = np.array([[True, True], [True, False]])
    got = shares(parts, present, fixed_gates([0, 1]))
    np.testing.assert_allclose(got, [[0, 1], [1, 0]], atol=1e-7)


def test_the_formula_by_hand() -> None:
    # Two parts at a cosine of 0.6; the first asks for 0.5 + 0.1 + 2 * 0.6, the second for 0.
    parts = np.array([[[1, 0], [0.6, 0.8]]], dtype=np.float32)
    gates = Gates(
        np.array([0.5, 0], np.float32),
        np.array([[0, 0.1], [0, 0]], np.float32),
        np.array([[0, 2], [0, 0]], np.float32),
    )
    first = 1 / (1 + np.exp(-(0.5 + 0.1 + 2 * 0.6)))
    both, one = np.array([[True, True]]), np.array([[True, False]])
    np.testing.assert_allclose(shares(parts, both, gates), [[first, 1 - first]], rtol=1e-6)
    np.testing.assert_array_equal(shares(parts, one, gates), [[1, 0]])


@given(st.integers(0, 2**32 - 1))
def test_shares_are_shares_and_what_is_missing_has_none(seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts, present = unit(rng.standard_normal((7, 3, 4))), rng.random((7, 3)) < 0.6
    gates = some_gates(seed)
    share = shares(parts, present, gates)
    np.testing.assert_allclose(share.sum(axis=1), present.any(axis=1), atol=1e-6)
    assert (share[~present] == 0).all()
    assert (share >= 0).all()
    poisoned = np.where(present[:, :, None], parts, np.nan).astype(np.float32)
    np.testing.assert_array_equal(shares(poisoned, present, gates), share)


def test_agreements_are_cosines_of_present_parts() -> None:
    parts = unit(np.random.default_rng(1).standard_normal((2, 3, 4)))
    present = np.array([[1, 1, 1], [1, 0, 1]], dtype=bool)
    got = agreements(parts, present)
    np.testing.assert_allclose(got, got.transpose(0, 2, 1))
    assert got[0, 0, 1] == pytest.approx(parts[0, 0] @ parts[0, 1], abs=1e-6)
    assert got[1, 0, 2] == pytest.approx(parts[1, 0] @ parts[1, 2], abs=1e-6)
    assert (got[1, 1] == 0).all()
    assert (np.diagonal(got, axis1=1, axis2=2) == 0).all()


@pytest.mark.parametrize("odds", [[], [0, 0], [1, -1], [float("nan"), 1]])
def test_odds_are_checked(odds: list[float]) -> None:
    with pytest.raises(ValueError, match="odds are"):
        fixed_gates(odds)


@pytest.mark.parametrize("trial", [None, Trial(7, 0.25, 0.5, True)])
def test_gates_come_back_as_they_were_written(tmp_path: Path, trial: Trial | None) -> None:
    gates = some_gates(5)
    written = Gates(gates.bias, gates.beside, gates.agreement, trial)
    dump_gates(written, tmp_path / "gates.json", names=NAMES)
    read = load_gates(tmp_path / "gates.json", names=NAMES)
    for name in ("bias", "beside", "agreement"):
        np.testing.assert_array_equal(getattr(read, name), getattr(gates, name))
    assert read.trial == trial


@pytest.mark.parametrize(
    "change",
    [{"parts": ["title", "pictures", "rest"]}, {"bias": [1.0, 2.0]}, {"bias": "x"}, {"trial": 3}],
)
def test_other_gates_are_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "gates.json"
    dump_gates(some_gates(5), path, names=NAMES)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(ValueError, match="learn them anew"):
        load_gates(path, names=NAMES)
    with pytest.raises(ValueError, match="2 names for 3 parts"):
        dump_gates(some_gates(5), path, names=NAMES[:2])
    with pytest.raises(ValueError, match="learn them anew"):
        load_gates(tmp_path / "absent.json", names=NAMES)


class Shop:
    """Ten kinds of item, taken within their kind. The title tells the kind, the picture nothing.

    With ``doubtful``, the picture tells it of every second item, whose title is then noise; a
    third part, which is always true but weak, agrees with whichever tells it.
    """

    def __init__(self, seed: int = 0, *, n_items: int = 400, n_pairs: int = 6_000) -> None:
        rng = np.random.default_rng(seed)
        kind = rng.integers(10, size=n_items)
        noise = rng.standard_normal((3, n_items, 24))
        truth = unit(rng.standard_normal((10, 24)))[kind]
        self.rng, self.kind, self.truth, self.noise = rng, kind, truth, noise
        self.parts = unit(np.stack([noise[0], truth + 0.1 * noise[1]], axis=1))
        self.present = np.ones((n_items, 2), dtype=bool)
        one = rng.integers(n_items, size=n_pairs)
        other = [rng.choice(np.flatnonzero(kind == kind[item])) for item in one]
        self.pairs = np.stack([one, other], axis=1).astype(np.int64)

    def doubtful(self) -> Shop:
        swapped = np.arange(len(self.kind)) % 2 == 0
        told = self.truth + 0.1 * self.noise[1]
        picture = np.where(swapped[:, None], told, self.noise[0])
        title = np.where(swapped[:, None], self.noise[0], told)
        hint = self.truth + 0.25 * self.noise[2]
        self.parts = unit(np.stack([picture, title, hint], axis=1))
        self.present = np.ones(self.parts.shape[:2], dtype=bool)
        return self


def test_the_part_that_tells_what_is_taken_together_wins() -> None:
    shop = Shop()
    gates = fit_gates(shop.parts, shop.present, shop.pairs, seed=0)
    trial = gates.trial
    assert trial is not None
    assert trial.kept
    assert trial.recall_learned > trial.recall_fixed + 0.1
    assert shares(shop.parts, shop.present, gates)[:, 1].mean() > 0.85


def test_gates_look_at_the_item_and_not_only_at_the_part() -> None:
    # Picture and title deserve the same on average; only agreement tells which one to trust.
    shop = Shop().doubtful()
    gates = fit_gates(shop.parts, shop.present, shop.pairs, seed=0)
    share = shares(shop.parts, shop.present, gates)
    trusted = np.arange(len(share)) % 2
    right, wrong = (share[np.arange(len(share)), column] for column in (trusted, 1 - trusted))
    assert right.mean() > 2 * wrong.mean()
    assert gates.trial is not None
    assert gates.trial.recall_learned > gates.trial.recall_fixed


def test_the_same_seed_gives_the_same_gates() -> None:
    shop = Shop(3)
    one, two, other = (
        fit_gates(shop.parts, shop.present, shop.pairs, seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.bias, two.bias)
    assert one.trial == two.trial
    assert not np.array_equal(one.bias, other.bias)


def test_gates_that_do_not_help_are_not_kept() -> None:
    shop = Shop(1)
    shuffled = np.stack([shop.pairs[:, 0], shop.rng.permutation(shop.pairs[:, 1])], axis=1)
    start = fixed_gates([1, 2])
    gates = fit_gates(shop.parts, shop.present, shuffled, seed=0, start=start)
    assert gates.trial is not None
    assert not gates.trial.kept
    np.testing.assert_array_equal(gates.bias, start.bias)


def test_a_perfect_start_is_left_alone() -> None:
    shop = Shop(2)
    start = fixed_gates([0, 1])
    gates = fit_gates(shop.parts, shop.present, shop.pairs, seed=0, start=start)
    fused = [fuse_parts(shop.parts, shop.present, g) for g in (gates, start)]
    np.testing.assert_allclose(*fused, atol=0.05)


def test_too_little_to_learn_from_gives_back_the_start() -> None:
    shop = Shop()
    start = fixed_gates([1, 3])
    few = shop.pairs[: MIN_PAIRS // 2]
    assert fit_gates(shop.parts, shop.present, few, seed=0, start=start) is start
    words_only = shop.present & [False, True]
    assert fit_gates(shop.parts, words_only, shop.pairs, seed=0, start=start) is start
    nobody = np.zeros((0, 2), dtype=np.int64)
    assert fit_gates(shop.parts, shop.present, nobody, seed=0, start=start) is start


def test_missing_parts_may_hold_anything() -> None:
    shop = Shop()
    present = shop.present.copy()
    present[::3, 0] = False
    poisoned = shop.parts.copy()
    poisoned[~present] = np.nan
    clean, bad = (fit_gates(parts, present, shop.pairs, seed=0) for parts in (shop.parts, poisoned))
    np.testing.assert_array_equal(clean.bias, bad.bias)
    assert np.isfinite(bad.bias).all()


@pytest.mark.parametrize("pairs", [np.array([[0, 400]]), np.array([[-1, 0]]), np.array([1, 2])])
def test_pairs_are_checked(pairs: np.ndarray) -> None:
    shop = Shop()
    with pytest.raises(ValueError, match="pairs"):
        fit_gates(shop.parts, shop.present, pairs, seed=0)
