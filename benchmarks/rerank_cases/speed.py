"""The forward pass: as trained, as served, with the state known, and quantised.

One request of the demo's run at a time, 50 events and 200 candidates, on one thread. All ways take
turns over the same requests, so that a busy machine slows them alike; what is compared with the
kernels is the best of many rounds. The kernels are the two attentions of the network over tensors
that lie ready: what no way of serving can do without.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from benchmarks.cases import Case
from benchmarks.rerank_cases.asked import Asked as Given
from benchmarks.rerank_cases.asked import case
from benchmarks.sections import Found, rows
from engine import Engine
from engine.scoring import Asked, Prepared, prepare
from retrieval.rerank.batch import Tokens, single
from retrieval.rerank.model import Reranker, Shape
from retrieval.rerank.records import Floats, Ints, Moment
from retrieval.rerank.runtime import Runtime

N_REQUESTS, ROUNDS, WARM_UP = 40, 30, 3
N_EVENTS, N_CANDIDATES = 50, 200
K = 10
KERNELS = "bare attention kernels"


@dataclass(frozen=True, slots=True)
class Request:
    """What the network is given."""

    tokens: Tokens
    candidates: Ints
    features: Floats


Way = Callable[[Request], Floats | None]
"""Answers a request with the logits of its candidates, float32 ``[C, tasks]``, if with any."""


def run(given: Given) -> Found:
    """Measure every way."""
    torch.set_num_threads(1)
    with Engine.open(given.run) as engine:
        model = engine.run.model
        asked = list(_requests(engine))
    ways = _ways(model)
    taken = _milliseconds(list(ways.values()), asked)  # [ways, requests * rounds]
    p50 = dict(zip(ways, np.median(taken, axis=1), strict=True))
    best = dict(zip(ways, taken.min(axis=1), strict=True))
    truth = [_as_trained(model)(one) for one in asked]
    lines = [
        (name, f"{p50[name]:.3f}", f"{best[name]:.3f}", *_agreement(way, asked, truth))
        for name, way in ways.items()
    ]
    head = ("way", "p50, ms", "best, ms", "largest difference", f"the same first {K}", "NDCG kept")
    return Found(tuple(_cases(p50, best)), f"{rows(head, lines)}\n\n{__doc__}")


def _cases(p50: dict[str, float], best: dict[str, float]) -> Iterator[Case]:
    yield case("forward_p50_ms", p50["served"], "ms", "<= 1.5")
    yield case("cached_p50_ms", p50["served, state known"], "ms", "<= 0.5")
    yield case("kernel_ratio", best["served"] / best[KERNELS], "x")
    yield case("forward_as_trained_p50_ms", p50["as trained"], "ms")
    yield case("forward_int8_p50_ms", p50["as trained, dynamic int8"], "ms")


def _requests(engine: Engine) -> Iterator[Request]:
    """Of the users with the longest histories: the last 50 events, and 200 candidates."""
    users, at = engine.shoppers(N_REQUESTS), int(engine.as_of.timestamp())
    places = len(engine.places())
    for i, user in enumerate(users):
        moment = Moment(at + 3600 * (9 + i % 10), at + 3600 * (9 + i % 10), 1 + i % places)
        ready = prepare(engine.run, Asked(user.user_id, moment, ()))
        yield _cut(ready)


def _cut(ready: Prepared) -> Request:
    last = slice(len(ready.tokens.mask) - N_EVENTS, None)
    events = {n: getattr(ready.tokens, n)[last] for n in Tokens.__slots__ if n != "scene"}
    tokens = Tokens(**events, scene=ready.tokens.scene)
    return Request(
        tokens, ready.recalled.candidates.rows[:N_CANDIDATES], ready.features[:N_CANDIDATES]
    )


def _ways(model: Reranker) -> dict[str, Way]:
    runtime = Runtime(model)

    def served(one: Request) -> Floats:
        runtime.forget()
        return runtime(one.tokens, one.candidates, one.features)

    def state_known(one: Request) -> Floats:
        return runtime(one.tokens, one.candidates, one.features)

    return {
        "as trained": _as_trained(model),
        "as trained, dynamic int8": _as_trained(_int8(model)),
        "as trained, bfloat16": _bfloat16(model),
        "served": served,
        "served, state known": state_known,
        KERNELS: _kernels(model.shape),
    }


def _as_trained(model: Reranker) -> Way:
    @torch.inference_mode()
    def answer(one: Request) -> Floats:
        found: Floats = model(single(one.tokens, one.candidates, one.features))[0].numpy()
        return found

    return answer


def _int8(model: Reranker) -> Reranker:
    """Linear layers with weights of eight bits, their inputs quantised as they come."""
    quantise = torch.ao.quantization.quantize_dynamic
    quantised = quantise(model, {nn.Linear}, torch.qint8)  # type: ignore[no-untyped-call]
    return cast("Reranker", quantised)


def _bfloat16(model: Reranker) -> Way:
    @torch.inference_mode()
    def answer(one: Request) -> Floats:
        with torch.autocast("cpu", torch.bfloat16):
            found = model(single(one.tokens, one.candidates, one.features))[0]
        logits: Floats = found.float().numpy()
        return logits

    return answer


def _kernels(shape: Shape) -> Way:
    """Attention of events to events in every layer, then of candidates to events."""
    heads, width = shape.heads, shape.width // shape.heads
    n_tokens = N_EVENTS + 1

    def drawn(*size: int) -> Tensor:
        return torch.randn(1, heads, *size)

    tokens, candidates = drawn(n_tokens, width), drawn(N_CANDIDATES, width)
    gaps, relations = drawn(n_tokens, n_tokens), drawn(N_CANDIDATES, n_tokens)

    @torch.inference_mode()
    def answer(one: Request) -> None:
        for _ in range(shape.layers):
            scaled_dot_product_attention(tokens, tokens, tokens, attn_mask=gaps)
        scaled_dot_product_attention(candidates, tokens, tokens, attn_mask=relations)

    return answer


def _milliseconds(ways: Sequence[Way], asked: Sequence[Request]) -> np.ndarray[Any, Any]:
    taken = np.empty((ROUNDS + WARM_UP, len(asked), len(ways)))
    for turn in range(len(taken)):
        for i, one in enumerate(asked):
            for w, way in enumerate(ways):
                started = time.perf_counter()
                way(one)
                taken[turn, i, w] = time.perf_counter() - started
    return 1000 * taken[WARM_UP:].reshape(-1, len(ways)).T


def _agreement(
    way: Way, asked: Sequence[Request], truth: Sequence[Floats | None]
) -> tuple[str, str, str]:
    """How far a way is from the network as trained: logits, first places, their gain."""
    furthest, same, kept = 0.0, [], []
    for one, exact in zip(asked, truth, strict=True):
        found = way(one)
        if found is None or exact is None:
            return "", "", ""
        furthest = max(furthest, float(np.abs(found - exact).max()))
        first, right = np.argsort(-found[:, 0])[:K], np.argsort(-exact[:, 0])[:K]
        discount = 1 / np.log2(np.arange(2, K + 2))
        same.append(np.isin(first, right).mean())
        kept.append((np.isin(first, right) * discount).sum() / discount.sum())
    return f"{furthest:.1e}", f"{np.mean(same):.4f}", f"{np.mean(kept):.4f}"
