r"""The trained reranker as serving runs it: one request, no modules, no padding, fewer products.

The answer is that of :class:`retrieval.rerank.model.Reranker` up to float32 rounding. Faster are:

- queries that are never made: with a candidate's vector c, :math:`(W_q c)^\top k = c^\top (W_q^\top
  k)`, so that keys are multiplied once per user and not queries once per candidate; values meet the
  output projection in the same way. Both belong to the *state* that candidates share;
- columns of the feature network that mark a missing feature: only where one is missing.

A state holds for one history, place and moment: events attend to the present scene and to each
other, so that a later clock, or one more event, changes all of it, and it is made anew rather than
extended. States are kept by what they were made of: one that is found is never stale, and whoever
lets the clock tick in steps finds more of them.

Alphabet: n events, T = n + 1 tokens, C candidates, D width, N heads, F features.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import cast
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, layer_norm, scaled_dot_product_attention, silu

from retrieval.attention import GAP_BUCKETS, Attention, Layer
from retrieval.rerank.batch import Tokens, single
from retrieval.rerank.model import FEATURE_CLIP, Reranker
from retrieval.rerank.records import Floats, Ints
from retrieval.rerank.token_kernels import (
    EDGES,
    gap_bias,
    gap_buckets,
    relate,
    related,
    standardised,
    token_inputs,
)

REMEMBERED_STATES = 256
"""About 0.1 MB each at the usual sizes."""
_PARTS = {
    *("platt", "scale", "item_in", "kind_in", "age_in", "clock_in", "scene_in", "gap_bias"),
    *("layers", "state_norm", "relation_bias", "cross", "features_in", "join", "heads_out"),
}


@dataclass(frozen=True, slots=True)
class _Affine:
    """``x @ weight + bias``: a linear layer with its weight the way products read it."""

    weight: Tensor
    """``[in, out]``"""
    bias: Tensor

    @classmethod
    def of(cls, *layers: nn.Linear) -> _Affine:
        """Layers over one input, side by side."""
        weight = torch.cat([layer.weight for layer in layers]).detach().t().contiguous()
        return cls(weight, torch.cat([layer.bias for layer in layers]).detach())

    def __call__(self, x: Tensor) -> Tensor:
        return torch.addmm(self.bias, x, self.weight)


@dataclass(frozen=True, slots=True)
class _Norm:
    weight: Tensor
    bias: Tensor
    eps: float

    @classmethod
    def of(cls, norm: nn.LayerNorm) -> _Norm:
        return cls(norm.weight.detach(), norm.bias.detach(), norm.eps)

    def __call__(self, x: Tensor) -> Tensor:
        return layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


class _Block:
    """:class:`retrieval.attention.Layer` over tokens ``[T, D]``."""

    def __init__(self, layer: Layer) -> None:
        attention = layer.attention
        self._heads = attention.heads
        self._norm, self._norm_ffn = _Norm.of(layer.norm_attention), _Norm.of(layer.norm_ffn)
        self._qkv = _Affine.of(attention.q, attention.k, attention.v)
        self._out, self._gate = _Affine.of(attention.out), _Affine.of(layer.gate_attention)
        self._up, self._down = _Affine.of(layer.up), _Affine.of(layer.down)
        self._gate_ffn = _Affine.of(layer.gate_ffn)

    def __call__(self, x: Tensor, bias: Tensor) -> Tensor:
        """Tokens ``[T, D]`` and bias ``[1, N, T, T]`` → ``[T, D]``."""
        n_tokens, width = x.shape
        qkv = self._qkv(self._norm(x)).view(n_tokens, 3, self._heads, -1).permute(1, 2, 0, 3)
        q, k, v = qkv[:, None].unbind()
        mixed = scaled_dot_product_attention(q, k, v, attn_mask=bias)[0]
        attended = self._out(mixed.transpose(0, 1).reshape(n_tokens, width))
        x = torch.addcmul(x, self._gate(x).sigmoid_(), attended)
        left, right = self._up(self._norm_ffn(x)).chunk(2, dim=1)
        fed = self._down(silu(left) * right)
        return torch.addcmul(x, self._gate_ffn(x).sigmoid_(), fed)


@dataclass(frozen=True, slots=True, eq=False)
class UserState:
    """What candidates attend to: one user's history as it looks at one moment and place."""

    item: Ints
    """int64 ``[n]``: item of each event."""
    group: Ints
    """int64 ``[n]``: its finest group."""
    keys: Tensor
    """float32 ``[D, N * T]``: multiplied with a candidate, they give its attention."""
    offsets: Tensor
    """float32 ``[N * T]``: added to that, whoever the candidate is."""
    values: Tensor
    """float32 ``[N * T, D]``, after the output projection."""
    relations: Floats
    """float32 ``[2, N, n]``: added where a candidate is of the event's item, and of its group."""
    joined: Tensor
    """float32 ``[D, hidden]``: the layer over candidate times scene, the scene multiplied in."""


class Runtime:
    """A trained network for serving. It reads the network's items and groups where they lie."""

    def __init__(self, model: Reranker) -> None:
        """Take the weights of a network, which must not be trained further.

        Raises:
            ValueError: The network has parts that this does not know.
        """
        _check_parts(model)
        self._items, self._group = model.items.numpy(), model.group.numpy()
        self._heads, self._width = model.shape.heads, model.shape.width
        self._item_in = _Affine.of(model.item_in)
        parts = self._item_in, _Affine.of(model.clock_in), _Affine.of(model.scene_in)
        self._tokens_in = torch.cat([part.weight for part in parts])
        self._kind_age, self._scene_constant = _kind_age_table(model), parts[2].bias.numpy()
        self._gap_bias = model.gap_bias.weight.detach().t().contiguous().numpy()
        self._blocks = [_Block(cast(Layer, layer)) for layer in model.layers]
        self._state_norm = _Norm.of(model.state_norm)
        self._cross = _Cross(model.cross)
        self._relation_bias = model.relation_bias.detach().numpy().transpose(0, 2, 1).copy()
        self._features = _FeatureNet(model)
        self._join = _Join(model)
        self._pull = model.pull.numpy() if model.shape.pulled else None
        self._states: OrderedDict[bytes, UserState] = OrderedDict()

    def __call__(self, tokens: Tokens, candidates: Ints, features: Floats) -> Floats:
        """Logits of a request's candidates for every task; see the two steps below."""
        return self.logits(self.state(tokens), candidates, features)

    def state(self, tokens: Tokens) -> UserState:
        """Encode a history at a moment, or find what it was encoded to before.

        Args:
            tokens: Of :func:`retrieval.rerank.batch.tokens_of`, padded at the front or not.
        """
        n = int(tokens.mask.sum())
        last = slice(len(tokens.mask) - n, len(tokens.mask))
        item = tokens.item[last]
        vectors, group = self._items[item], self._group[item]
        key = _content(tokens, last, vectors, group)
        known = self._states.pop(key, None)  # popped and put back: the newest are kept
        state = self._encode(tokens, last, vectors, group) if known is None else known
        self._states[key] = state
        while len(self._states) > REMEMBERED_STATES:
            self._states.popitem(last=False)
        return state

    def forget(self) -> None:
        """Let go of every state."""
        self._states.clear()

    @torch.inference_mode()
    def _encode(self, tokens: Tokens, last: slice, vectors: Floats, group: Ints) -> UserState:
        item, here, age = tokens.item[last], tokens.here[last], tokens.age_days[last]
        bucket = gap_buckets(age, EDGES)
        constant = tokens.kind[last] * GAP_BUCKETS + bucket, self._kind_age, self._scene_constant
        found = token_inputs(vectors, tokens.clock[last], here, tokens.scene, constant)
        inputs, constants = (torch.from_numpy(array) for array in found)
        x = torch.addmm(constants, inputs, self._tokens_in)
        ages = np.append(age, np.float32(0))  # the scene's is none
        bias = torch.from_numpy(gap_bias(ages, self._gap_bias, EDGES))[None]
        for block in self._blocks:
            x = block(x, bias)
        x = self._state_norm(x)
        keys, offsets, values = self._cross.of(x)
        return UserState(
            item=item,
            group=group,
            keys=keys,
            relations=related(bucket, here, self._relation_bias, offsets.numpy()),
            offsets=offsets.view(-1),
            values=values,
            joined=self._join.with_scene(x[-1]),
        )

    @torch.inference_mode()
    def logits(self, state: UserState, candidates: Ints, features: Floats) -> Floats:
        """Logits of every candidate for every task, float32 ``[C, tasks]``; higher is better.

        Args:
            state: Of the request.
            candidates: int64 ``[C]``.
            features: float32 ``[C, F]``; NaN where a feature has no meaning.
        """
        vectors = self._item_in(torch.from_numpy(self._items[candidates]))  # [C, D]
        attention = torch.addmm(state.offsets, vectors, state.keys)
        attention = attention.view(len(candidates), self._heads, attention.shape[1] // self._heads)
        both = candidates, self._group[candidates]
        relate(attention.numpy(), both, (state.item, state.group), state.relations)
        weights = torch.softmax(attention, dim=2).flatten(1)
        met = torch.addmm(self._cross.out_bias, weights, state.values)
        found: Floats = self._join(self._features(features), met, vectors, state.joined).numpy()
        if self._pull is not None:
            found += (np.nan_to_num(features) @ self._pull)[:, None]
        return found


class _Cross:
    """Candidates' attention, with as much as possible moved to the state's side."""

    def __init__(self, cross: Attention) -> None:
        n, width = cross.heads, cross.q.in_features
        scale = (width // n) ** -0.5
        self._kv = _Affine.of(cross.k, cross.v)
        self._query = (cross.q.weight.detach() * scale).view(n, -1, width)  # [N, D/N, D]
        self._query_bias = (cross.q.bias.detach() * scale).view(n, 1, -1)
        self._out = cross.out.weight.detach().t().reshape(n, -1, width).contiguous()
        self.out_bias = cross.out.bias.detach()

    def of(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Keys ``[D, N * T]``, offsets ``[N, T]``, values ``[N * T, D]`` of tokens ``[T, D]``."""
        n, width = len(self._query), tokens.shape[1]
        kv = self._kv(tokens).view(len(tokens), 2, n, -1).permute(1, 2, 3, 0)  # [2, N, D/N, T]
        keys = torch.bmm(self._query.transpose(1, 2), kv[0])  # [N, D, T]
        offsets = torch.bmm(self._query_bias, kv[0])[:, 0]
        values = torch.bmm(kv[1].transpose(1, 2), self._out)
        return keys.transpose(0, 1).reshape(width, -1), offsets, values.view(-1, width)


class _FeatureNet:
    """The wide side: features standardised, what is missing marked, one layer over both."""

    def __init__(self, model: Reranker) -> None:
        n = model.shape.n_features
        layer = next(part for part in model.features_in if isinstance(part, nn.Linear))
        weight = layer.weight.detach().t().contiguous()
        self._bias, self._weight, self._missing = layer.bias.detach(), weight[:n], weight[n:]
        self._mean = model.scale.mean.numpy()
        self._per_std = np.reciprocal(model.scale.std.numpy())

    def __call__(self, features: Floats) -> Tensor:
        """Features ``[C, F]`` → ``[C, hidden]``."""
        scaled, marked, marks = standardised(features, self._mean, self._per_std, FEATURE_CLIP)
        wide = torch.addmm(self._bias, torch.from_numpy(scaled), self._weight)
        if len(marked):
            wide.addmm_(torch.from_numpy(marks), self._missing[torch.from_numpy(marked)])
        return gelu(wide)


class _Join:
    """The network over what a candidate is, what it met and what the scene is."""

    def __init__(self, model: Reranker) -> None:
        first, second = (part for part in model.join if isinstance(part, nn.Linear))
        hidden, width = model.shape.hidden, model.shape.width
        rows = first.weight.detach().t().contiguous()
        self._bias, self._rows = first.bias.detach(), rows[: hidden + 2 * width].contiguous()
        self._scene = rows[hidden + 2 * width :].contiguous()
        self._second, self._heads_out = _Affine.of(second), _Affine.of(model.heads_out)

    def with_scene(self, scene: Tensor) -> Tensor:
        """Rows of the layer that meet candidate times scene, for one scene ``[D]``."""
        return scene[:, None] * self._scene

    def __call__(self, wide: Tensor, met: Tensor, vectors: Tensor, scene_rows: Tensor) -> Tensor:
        x = torch.addmm(self._bias, torch.cat([wide, met, vectors * met], dim=1), self._rows)
        return self._heads_out(gelu(self._second(gelu(x.addmm_(vectors, scene_rows)))))


def _content(tokens: Tokens, last: slice, vectors: Floats, group: Ints) -> bytes:
    """All that a state is made of; an item's vector or group may have changed under its row."""
    arrays = (getattr(tokens, name)[last] for name in ("item", "kind", "age_days", "clock", "here"))
    return b"".join(array.tobytes() for array in (*arrays, tokens.scene, vectors, group))


def _kind_age_table(model: Reranker) -> Floats:
    """Every constant of an event's token, by kind and age bucket: ``[kinds * buckets, D]``."""
    constant = model.item_in.bias + model.clock_in.bias
    table = model.kind_in.weight[:, None] + model.age_in.weight[None] + constant
    flat: Floats = table.detach().flatten(0, 1).numpy()
    return flat


class _AsTrained:
    """A network that :class:`Runtime` does not know, run as it is."""

    def __init__(self, model: Reranker) -> None:
        self._model = model

    @torch.inference_mode()
    def __call__(self, tokens: Tokens, candidates: Ints, features: Floats) -> Floats:
        """As :class:`Runtime`."""
        found: Floats = self._model(single(tokens, candidates, features))[0].numpy()
        return found


_made: WeakKeyDictionary[Reranker, Runtime | _AsTrained] = WeakKeyDictionary()


def runtime_of(model: Reranker) -> Runtime | _AsTrained:
    """The runtime of a trained network, made when it is first asked for.

    A network with parts that :class:`Runtime` does not know is run as it is.
    """
    found = _made.get(model)
    if found is None:
        try:
            found = Runtime(model)
        except ValueError:
            found = _AsTrained(model)
        _made[model] = found
    return found


def _check_parts(model: Reranker) -> None:
    """Refuse a network that has other weights than :class:`Reranker` had when this was written."""
    strange = ({name.split(".")[0] for name in model.state_dict()} ^ _PARTS) - {"pull"}
    if strange or model.training:
        state = "in training" if model.training else f"different in {', '.join(sorted(strange))}"
        raise ValueError(f"got a network {state}, expected a trained Reranker in eval mode")
