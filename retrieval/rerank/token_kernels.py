"""What the tokens and the features of one request are made of, and what is added to attention.

Each of these is a handful of sums that would take as many calls; see :mod:`retrieval.kernels`.
The edges of the buckets hang on a constant of another file, so kernels are given them.

Alphabet: n events, T = n + 1 tokens, C candidates, D width, N heads, W width of an item's vector,
F features.
"""

from __future__ import annotations

import numpy as np

from retrieval.attention import GAP_BUCKETS
from retrieval.kernels import kernel
from retrieval.rerank.records import Floats, Ints

EDGES = (2.0 ** (np.arange(GAP_BUCKETS) / 2)).astype(np.float32)
"""Where the buckets of :func:`retrieval.attention.gap_bucket` begin, in hours and one; float32
``[GAP_BUCKETS]``."""


@kernel
def gap_buckets(gap_days: Floats, edges: Floats) -> Ints:
    """:func:`retrieval.attention.gap_bucket` of gaps, float32 ``[n]``: int64 ``[n]``.

    Args:
        gap_days: A gap below 0 counts as none.
        edges: :data:`EDGES`.
    """
    found = np.empty(len(gap_days), np.int64)
    for i in range(len(gap_days)):
        since = np.float32(1) + max(gap_days[i], np.float32(0)) * np.float32(24)
        found[i] = np.searchsorted(edges, since, side="right") - 1
    return found


@kernel
def token_inputs(
    vectors: Floats,
    clock: Floats,
    here: Floats,
    scene: Floats,
    of_kind: tuple[Ints, Floats, Floats],
) -> tuple[Floats, Floats]:
    """What tokens are before the first layer: ``constant + inputs @ weights``.

    Args:
        vectors: Of the events' items, float32 ``[n, W]``.
        clock: Of their moments, float32 ``[n, 6]``.
        here: Whether they were at the request's place, float32 ``[n]``.
        scene: Of the request, float32 ``[S]``.
        of_kind: Row of each event's constant, int64 ``[n]``; the constants, float32 ``[K, D]``;
            that of the scene, float32 ``[D]``.

    Returns:
        Inputs, float32 ``[T, W + 7 + S]``, and constants, float32 ``[T, D]``.
    """
    row, constants, of_scene = of_kind
    n, width = vectors.shape
    times = clock.shape[1]
    inputs = np.zeros((n + 1, width + times + 1 + len(scene)), np.float32)
    constant = np.empty((n + 1, constants.shape[1]), np.float32)
    for i in range(n):
        inputs[i, :width] = vectors[i]
        inputs[i, width : width + times] = clock[i]
        inputs[i, width + times] = here[i]
        constant[i] = constants[row[i]]
    inputs[n, width + times + 1 :] = scene
    constant[n] = of_scene
    return inputs, constant


@kernel
def related(bucket: Ints, here: Floats, by_bucket: Floats, offsets: Floats) -> Floats:
    """What relations to each event add, once it is as old as it is.

    Args:
        bucket: Of its age, int64 ``[n]``.
        here: float32 ``[n]``.
        by_bucket: float32 ``[3, N, GAP_BUCKETS]``: one item, one group, one place.
        offsets: float32 ``[N, T]``; what the place adds is added to it in place.

    Returns:
        float32 ``[2, N, n]``, for one item and for one group.
    """
    heads = by_bucket.shape[1]
    found = np.empty((2, heads, len(bucket)), np.float32)
    for head in range(heads):
        for i in range(len(bucket)):
            found[0, head, i] = by_bucket[0, head, bucket[i]]
            found[1, head, i] = by_bucket[1, head, bucket[i]]
            offsets[head, i] += by_bucket[2, head, bucket[i]] * here[i]
    return found


@kernel
def gap_bias(age_days: Floats, by_bucket: Floats, edges: Floats) -> Floats:
    """What the gap between every two tokens adds for each head.

    Args:
        age_days: float32 ``[T]``; quickest where they fall.
        by_bucket: float32 ``[N, GAP_BUCKETS]``.
        edges: :data:`EDGES`.

    Returns:
        float32 ``[N, T, T]``.
    """
    n, heads = len(age_days), len(by_bucket)
    found = np.empty((heads, n, n), np.float32)
    hours = np.float32(24)
    for i in range(n):
        bucket = 0
        for j in range(i, n):
            since = np.float32(1) + np.abs(age_days[i] - age_days[j]) * hours
            while bucket + 1 < len(edges) and since >= edges[bucket + 1]:
                bucket += 1
            while since < edges[bucket]:
                bucket -= 1
            for head in range(heads):
                found[head, i, j] = found[head, j, i] = by_bucket[head, bucket]
    return found


@kernel
def relate(
    attention: Floats,
    candidates: tuple[Ints, Ints],
    events: tuple[Ints, Ints],
    relations: Floats,
) -> None:
    """Add what relates candidates to events, in place.

    Args:
        attention: float32 ``[C, N, T]``; the first tokens are the events.
        candidates: Items and their groups, int64 ``[C]`` each.
        events: The same of the events, ``[n]`` each.
        relations: float32 ``[2, N, n]``, for one item and for one group.
    """
    item, group = events
    candidate, candidate_group = candidates
    for c in range(len(attention)):
        for event in range(len(item)):
            if candidate_group[c] == group[event]:
                same = candidate[c] == item[event]
                for head in range(attention.shape[1]):
                    attention[c, head, event] += relations[1, head, event]
                    if same:
                        attention[c, head, event] += relations[0, head, event]


@kernel
def standardised(
    features: Floats, mean: Floats, per_std: Floats, clip: float
) -> tuple[Floats, Ints, Floats]:
    """Features as the network takes them.

    Args:
        features: float32 ``[C, F]``; NaN where a feature has no meaning.
        mean: Of each column, float32 ``[F]``.
        per_std: One over the deviation of each, float32 ``[F]``.
        clip: The farthest from the mean that a feature may lie, in deviations.

    Returns:
        Features by deviations, 0 where missing, float32 ``[C, F]``; the M columns in which one is
        missing, int64 ``[M]``; and where, 1 or 0, float32 ``[C, M]``.
    """
    n, width = features.shape
    scaled = np.empty((n, width), np.float32)
    is_marked = np.zeros(width, np.bool_)
    most = np.float32(clip)
    for c in range(n):
        for f in range(width):
            value = (features[c, f] - mean[f]) * per_std[f]
            if np.isnan(value):
                is_marked[f] = True
                value = np.float32(0)
            scaled[c, f] = min(max(value, -most), most)
    marked = np.flatnonzero(is_marked)
    marks = np.empty((n, len(marked)), np.float32)
    for c in range(n):
        for at in range(len(marked)):
            marks[c, at] = np.isnan(features[c, marked[at]])
    return scaled, marked, marks
