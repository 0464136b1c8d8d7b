from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoders import fuse

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
