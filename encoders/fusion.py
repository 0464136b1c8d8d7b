"""One vector for an item from its parts, any of which may be missing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from encoders.base import Float32
from encoders.gates import Gates, agreements, shares_of

ODD_ONE_OUT = 0.1
"""Cosine by which a picture must stand off from the others to count e times less."""

_CHUNK = 16_384
"""Items fused at once."""


def fuse_parts(parts: Float32, present: NDArray[np.bool_], gates: Gates) -> Float32:
    r"""Mix the parts of each item by their shares: ``normalise(sum_p share_p part_p)``.

    An item with one part keeps that row bit for bit, so its place does not depend on the gates.
    An item with none gets the zero row, whose cosine with everything is 0.

    Shapes:
        - parts ``[n, P, D]`` float32, unit rows where present (anything elsewhere)
        - present ``[n, P]`` bool
        - returns ``[n, D]`` float32, unit rows, or zero where nothing is present

    Raises:
        ValueError: Shapes disagree.
    """
    _check_parts(parts, present, gates)
    fused: Float32 = np.zeros((parts.shape[0], parts.shape[2]), dtype=np.float32)
    for start in range(0, len(parts), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        _fuse_into(fused[chunk], parts[chunk], present[chunk], gates)
    return fused


def pool_pictures(
    vectors: Float32, item: NDArray[np.int64], n_items: int
) -> tuple[Float32, NDArray[np.bool_]]:
    r"""One row for the several pictures of an item, in which the odd one out counts less.

    Each picture weighs ``exp(cos(picture, mean of the item's pictures) / 0.1)``: a size chart
    or a logo among photographs of one thing stands apart from their mean and fades, while equals
    stay equals. Of two pictures neither can be told to be the odd one, so both count the same.

    Shapes:
        - vectors ``[m, D]`` float32, unit rows
        - item ``[m]`` int64, the item of each picture; in any order
        - returns ``[n_items, D]`` float32, unit rows, or zero for items without a picture, and
          bool ``[n_items]``, whether an item has one

    Raises:
        ValueError: There is not one item a picture.
    """
    if vectors.ndim != 2 or item.shape != vectors.shape[:1]:
        raise ValueError(f"{vectors.shape} pictures of {item.shape} items: expected one item each")
    n_pictures = np.bincount(item, minlength=n_items)
    pooled: Float32 = np.zeros((n_items, vectors.shape[1]), dtype=np.float32)
    alone = n_pictures[item] == 1
    pooled[item[alone]] = vectors[alone]
    several, owner = vectors[~alone], item[~alone]
    np.add.at(pooled, owner, several)
    _normalise(pooled, n_pictures > 1)
    cosine = np.einsum("md,md->m", several, pooled[owner])
    pooled[n_pictures > 1] = 0.0
    np.add.at(pooled, owner, np.exp((cosine - 1) / ODD_ONE_OUT)[:, None] * several)
    _normalise(pooled, n_pictures > 1)
    return pooled, n_pictures > 0


def fuse(
    image: Float32,
    has_image: NDArray[np.bool_],
    text: Float32,
    has_text: NDArray[np.bool_],
    *,
    image_weight: float = 0.35,
) -> Float32:
    r"""Mix picture and words: ``normalise(w * image + (1 - w) * text)``.

    An item with one modality keeps that row as it is, so its place does not depend on the
    weight. An item with neither gets the zero row, whose cosine with everything is 0.

    Shapes:
        - image, text ``[n, D]`` float32, unit rows where the mask is true (anything elsewhere)
        - has_image, has_text ``[n]`` bool
        - returns ``[n, D]`` float32, unit rows, or zero where both masks are false

    Args:
        image: Picture rows.
        has_image: Which picture rows mean something.
        text: Word rows.
        has_text: Which word rows mean something.
        image_weight: Share w of the picture, in [0, 1].

    Raises:
        ValueError: Shapes disagree, or the weight is outside [0, 1].
    """
    _check(image, has_image, text, has_text, image_weight)
    image_share = np.where(has_text, image_weight, 1.0).astype(np.float32)
    text_share = np.where(has_image, 1.0 - image_weight, 1.0).astype(np.float32)
    mixed: Float32 = np.zeros_like(image, dtype=np.float32)
    # Masked rows may hold NaN, so they are left out instead of multiplied by zero.
    mixed[has_image] += image_share[has_image, None] * image[has_image]
    mixed[has_text] += text_share[has_text, None] * text[has_text]
    length = np.linalg.norm(mixed, axis=1, keepdims=True)
    np.divide(mixed, length, out=mixed, where=length > 0)
    return mixed


def _fuse_into(fused: Float32, parts: Float32, present: NDArray[np.bool_], gates: Gates) -> None:
    share = shares_of(agreements(parts, present), present, gates)
    count = present.sum(axis=1)
    for p in range(gates.n_parts):
        # Missing rows may hold NaN, so they are left out instead of multiplied by zero.
        rows = np.flatnonzero(present[:, p])
        fused[rows] += share[rows, p, None] * parts[rows, p]
    _normalise(fused, count > 1)


def _normalise(rows: Float32, which: NDArray[np.bool_]) -> None:
    """Bring some rows to unit length, in place; a zero row stays."""
    chosen = rows[which]
    length = np.linalg.norm(chosen, axis=1, keepdims=True)
    rows[which] = np.divide(chosen, length, out=chosen, where=length > 0)


def _check_parts(parts: Float32, present: NDArray[np.bool_], gates: Gates) -> None:
    if present.dtype != np.bool_ or present.ndim != 2 or parts.ndim != 3:
        raise ValueError(
            f"parts are {parts.shape} and present is {present.dtype} {present.shape}, "
            "expected [n, P, D] and bool [n, P]"
        )
    if parts.shape[:2] != present.shape or present.shape[1] != gates.n_parts:
        raise ValueError(
            f"parts are {parts.shape}, present is {present.shape} and the gates are for "
            f"{gates.n_parts} parts: n and P must be the same"
        )


def _check(
    image: Float32,
    has_image: NDArray[np.bool_],
    text: Float32,
    has_text: NDArray[np.bool_],
    image_weight: float,
) -> None:
    if image.ndim != 2 or image.shape != text.shape:
        raise ValueError(
            f"image is {image.shape} and text is {text.shape}: both must be the same [n, D]"
        )
    for name, mask in (("has_image", has_image), ("has_text", has_text)):
        if mask.dtype != np.bool_ or mask.shape != image.shape[:1]:
            raise ValueError(
                f"{name} is {mask.dtype} {mask.shape}, expected bool ({image.shape[0]},)"
            )
    if not 0.0 <= image_weight <= 1.0:
        raise ValueError(f"image_weight is {image_weight}, expected a share from 0 to 1")
