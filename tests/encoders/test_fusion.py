from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoders import fuse
from encoders.fusion import fuse_parts, pool_pictures
from encoders.gates import fixed_gates

YES, NO = np.array([True]), np.array([False])
X, Y = np.array([[1, 0]], np.float32), np.array([[0, 1]], np.float32)


def test_both_are_mixed_by_weight() -> None:
    got = fuse(X, YES, Y, YES, image_weight=0.25)
    length = (0.25**2 + 0.75**2) ** 0.5
    np.testing.assert_allclose(got, [[0.25 / length, 0.75 / length]], rtol=1e-6)


def test_one_alone_is_kept_whatever_the_weight() -> None:
    nothing = np.full_like(X, np.nan)
    np.testing.assert_array_equal(fuse(X, YES, nothing, NO, image_weight=0.0), X)
    np.testing.assert_array_equal(fuse(nothing, NO, Y, YES, image_weight=1.0), Y)


def test_neither_gives_the_zero_row() -> None:
    np.testing.assert_array_equal(fuse(X, NO, Y, NO), [[0, 0]])


def test_opposite_rows_that_cancel_give_zero_and_not_nan() -> None:
    np.testing.assert_array_equal(fuse(X, YES, -X, YES, image_weight=0.5), [[0, 0]])


@given(st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_rows_are_unit_and_independent_and_inputs_untouched(seed: int, weight: float) -> None:
    rng = np.random.default_rng(seed)
    image, text = rng.standard_normal((2, 6, 8)).astype(np.float32)
    has_image, has_text = rng.random((2, 6)) < 0.5
    before = image.copy(), text.copy()
    got = fuse(image, has_image, text, has_text, image_weight=weight)
    np.testing.assert_array_equal(before, (image, text))
    alone = [
        fuse(image[[i]], has_image[[i]], text[[i]], has_text[[i]], image_weight=weight)[0]
        for i in range(6)
    ]
    np.testing.assert_allclose(got, alone, atol=1e-6)
    lengths = np.linalg.norm(got[has_image | has_text], axis=1)
    np.testing.assert_allclose(lengths, 1, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((X, YES, np.zeros((2, 2), np.float32), YES), "same"),
        ((X, np.array([1]), Y, YES), "has_image is int64"),
        ((X, YES, Y, np.array([True, False])), "has_text is bool"),
    ],
)
def test_shapes_are_checked(arguments: tuple[np.ndarray, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fuse(*arguments)


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_the_weight_is_checked(weight: float) -> None:
    with pytest.raises(ValueError, match="image_weight"):
        fuse(X, YES, Y, YES, image_weight=weight)


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def test_parts_are_mixed_by_their_shares() -> None:
    parts = np.array([[[1, 0, 0], [0, 1, 0], [0, 0, 1]]], np.float32)
    present = np.array([[True, True, False]])
    got = fuse_parts(parts, present, fixed_gates([1, 3, 9]))
    length = ((1 / 4) ** 2 + (3 / 4) ** 2) ** 0.5
    np.testing.assert_allclose(got, [[1 / 4 / length, 3 / 4 / length, 0]], rtol=1e-5)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.99))
def test_two_parts_are_fused_as_by_weight(seed: int, weight: float) -> None:
    rng = np.random.default_rng(seed)
    parts, present = unit(rng.standard_normal((6, 2, 8))), rng.random((6, 2)) < 0.6
    got = fuse_parts(parts, present, fixed_gates([weight, 1 - weight]))
    image, text = parts.transpose(1, 0, 2)
    expected = fuse(image, present[:, 0], text, present[:, 1], image_weight=weight)
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_a_part_alone_is_kept_bit_for_bit_and_none_is_zero() -> None:
    rows = unit(np.random.default_rng(0).standard_normal((3, 7)))
    parts = np.full((4, 3, 7), np.nan, np.float32)
    parts[range(3), range(3)] = rows
    present = np.isfinite(parts[:, :, 0])
    got = fuse_parts(parts, present, fixed_gates([0, 1, 5]))
    np.testing.assert_array_equal(got[:3], rows)
    np.testing.assert_array_equal(got[3], 0)


def test_an_item_is_fused_alike_among_many_and_alone() -> None:
    rng = np.random.default_rng(0)
    parts, present = unit(rng.standard_normal((20_000, 3, 2))), rng.random((20_000, 3)) < 0.7
    gates = fixed_gates([1, 2, 3])
    many = fuse_parts(parts, present, gates)
    for row in (0, 16_383, 16_384, 19_999):
        one = fuse_parts(parts[[row]], present[[row]], gates)[0]
        np.testing.assert_allclose(many[row], one, atol=1e-6)
    lengths = np.linalg.norm(many, axis=1)
    np.testing.assert_allclose(lengths[present.any(axis=1)], 1, atol=1e-4)


@pytest.mark.parametrize(
    ("shape", "mask"),
    [
        ((2, 3, 4), np.ones((2, 2), bool)),
        ((2, 3), np.ones((2, 3), bool)),
        ((2, 3, 4), np.ones((2, 3), np.int64)),
        ((2, 4, 4), np.ones((2, 4), bool)),
    ],
)
def test_shapes_of_parts_are_checked(shape: tuple[int, ...], mask: np.ndarray) -> None:
    with pytest.raises(ValueError, match="parts"):
        fuse_parts(np.zeros(shape, np.float32), mask, fixed_gates([1, 1, 1]))


def test_the_picture_that_shows_something_else_counts_less() -> None:
    rng = np.random.default_rng(0)
    thing, chart = unit(rng.standard_normal((2, 64)))
    photos = unit(thing + 0.05 * rng.standard_normal((3, 64)))
    pooled, known = pool_pictures(np.stack([*photos, chart]), np.zeros(4, np.int64), 1)
    plain = unit(np.stack([*photos, chart]).mean(axis=0))
    without, _ = pool_pictures(photos, np.zeros(3, np.int64), 1)
    assert known.all()
    assert pooled[0] @ without[0] > 0.995 > 0.97 > plain @ without[0]
    assert np.linalg.norm(pooled[0]) == pytest.approx(1, abs=1e-6)


def test_pictures_go_to_their_items_in_any_order() -> None:
    rows = unit(np.random.default_rng(1).standard_normal((5, 6)))
    item = np.array([3, 0, 3, 4, 4])
    pooled, known = pool_pictures(rows, item, 6)
    assert known.tolist() == [True, False, False, True, True, False]
    np.testing.assert_array_equal(pooled[0], rows[1])
    np.testing.assert_allclose(pooled[3], unit(rows[0] + rows[2]), atol=1e-6)
    np.testing.assert_allclose(pooled[4], unit(rows[3] + rows[4]), atol=1e-6)
    np.testing.assert_array_equal(pooled[[1, 2, 5]], 0)
    back, _ = pool_pictures(rows[::-1], item[::-1], 6)
    np.testing.assert_allclose(back, pooled, atol=1e-6)


def test_pictures_that_cancel_give_zero_and_not_nan() -> None:
    pooled, _ = pool_pictures(np.concatenate([X, -X]), np.zeros(2, np.int64), 1)
    np.testing.assert_array_equal(pooled, [[0, 0]])


def test_every_picture_has_one_item() -> None:
    with pytest.raises(ValueError, match="expected one item each"):
        pool_pictures(X, np.array([0, 1]), 2)
