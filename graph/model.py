"""The network: typed propagation from content and learned offsets to tastes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from graph.inputs import GraphInputs, Link
from graph.schema import NodeType
from graph.vectors import MAX_POPULARITY, POPULARITY_SHARE, TASTE_SHARE, unit_or

_SELF_GATE = 2.0
"""Start of a node's own logit; the relations start at 0, so the closed form leads at first."""

MAX_LOG_TEMPERATURE = 4.6
"""Logits of at most a hundred, as in CLIP: beyond, the loss has no slope to learn from."""


@dataclass(frozen=True, slots=True)
class Noise:
    """Random shifts of fixed length, each coordinate away from zero (SimGCL, Yu et al. 2022)."""

    length: float
    generator: torch.Generator

    def added(self, state: Tensor) -> Tensor:
        """The states ``[n, W]``, shifted."""
        drawn = torch.rand(state.shape, generator=self.generator, device=state.device)
        return state + self.length * nn.functional.normalize(drawn) * state.detach().sign()


class GraphModel(nn.Module):
    r"""Typed light graph convolution.

    .. math::
        x_i^0 &= m_i (s_i + \delta_i) + W c_i, \qquad x_a^0 = \epsilon_a \\
        x_v^{l+1} &= \alpha^l_{self} x_v^l + \sum_{r \to v} \alpha^l_r
                     \frac{\sum_{u \in N_r(v)} w_{vu} x_u^l}{\sum_{u \in N_r(v)} w_{vu}} \\
        d_i &= x_i^L / \lVert x_i^L \rVert, \qquad p_i = \lambda \pi_i + m_i \beta_i

    Item ``i`` has the spectral taste ``s``, content ``c``, popularity ``π`` and learned offsets
    ``δ``, ``β``; ``m`` is 0 for items without events and, at each training step, for some whose
    history is hidden, so that content and facts learn to do without. Category, brand and
    attribute nodes ``a`` have learned vectors ``ε``. The relation weights ``α`` of a node type
    and layer are a softmax. Propagation is linear as in LightGCN (He et al. 2020), with learned
    weights per relation as in R-GCN (Schlichtkrull et al. 2018). Offsets start at zero:
    untrained, this is the spectrum smoothed over the graph.

    Shapes, with W = G - 1: gives tastes ``d`` float32 ``[I, W]``, unit rows, and popularity
    ``p`` float32 ``[I]`` in [0, 0.95].
    """

    def __init__(self, inputs: GraphInputs, layers: int, popularity_scale: float) -> None:
        from graph.propagation import RelationMean  # PyG: only who trains waits for it

        super().__init__()
        n_items, width = inputs.taste.shape
        self.links = _useful(inputs.links, layers)
        self.mean = RelationMean()
        self.offset = nn.Parameter(torch.zeros(n_items, width))
        self.project = nn.Parameter(torch.zeros(inputs.content.shape[1], width))
        self.side = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(n, width)) for name, n in _sides(self.links[0])}
        )
        self.gates = nn.ModuleList(_gates(links) for links in self.links)
        self.popularity_offset = nn.Parameter(torch.zeros(n_items))
        self.popularity_scale = nn.Parameter(torch.tensor(float(popularity_scale)))
        self.log_temperature = nn.Parameter(torch.tensor(12.0).log())

    def forward(self, inputs: GraphInputs, shown: Tensor) -> tuple[Tensor, Tensor]:
        """Tastes ``[I, W]`` and popularity ``[I]``; ``shown`` is the mask ``m``, float ``[I]``."""
        taste, popularity, _ = self.views(inputs, shown, None)
        return taste, popularity

    def views(
        self, inputs: GraphInputs, shown: Tensor, noise: Noise | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As :meth:`forward`, and the tastes after the first layer, unit rows ``[I, W]``.

        With noise, the two tastes of an item are the two views that XSimGCL (Yu et al. 2023)
        contrasts: one pass gives both.
        """
        shown = shown * inputs.warm
        x, popularity_offset = self._start(inputs, shown)
        named = {link.name: link for link in inputs.links}
        states = []
        for links, gates in zip(self.links, self.gates, strict=True):
            x = self._layer(x, named, links, gates)
            if noise is not None:
                x = {name: noise.added(state) for name, state in x.items()}
            states.append(x[NodeType.ITEM])
        popularity = self.popularity_scale * inputs.popularity + shown * popularity_offset
        # A node that the graph knows nothing about leans to what all items share.
        taste = states[-1]
        common = unit_or(taste.detach().mean(dim=0, keepdim=True), _first(taste))[0]
        first, last = unit_or(states[0], common), unit_or(taste, common)
        return last, popularity.clamp(0, MAX_POPULARITY), first

    def relation_weights(self) -> dict[str, float]:
        """How much each relation counts in what an item's taste is made of; the most counts 1.

        The mean, over the layers, of the weights ``α`` of the links into items. A relation that
        reaches items along several links counts as their sum.
        """
        total: dict[str, float] = {}
        for links, gates in zip(self.links, self.gates, strict=True):
            into = [link.relation for link in links if link.target == NodeType.ITEM]
            alpha = torch.softmax(gates.get_parameter(NodeType.ITEM).detach(), dim=0)
            for relation, weight in zip(into, alpha[1:].tolist(), strict=True):
                total[relation] = total.get(relation, 0.0) + weight
        most = max(total.values(), default=1.0)
        return {relation: weight / most for relation, weight in total.items()}

    def _start(self, inputs: GraphInputs, shown: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """State of every node before propagation, and the items' offsets of popularity."""
        offset: Tensor = self.offset
        popularity: Tensor = self.popularity_offset
        side: dict[str, Tensor] = dict(self.side)
        if inputs.rows is not None:
            rows = inputs.rows
            offset, popularity = offset[rows[NodeType.ITEM]], popularity[rows[NodeType.ITEM]]
            side = {name: state[rows[name]] for name, state in side.items()}
        history = shown[:, None] * (inputs.taste + offset)
        return {str(NodeType.ITEM): history + inputs.content @ self.project, **side}, popularity

    def _layer(
        self,
        x: dict[str, Tensor],
        present: Mapping[str, Link],
        links: Sequence[Link],
        gates: nn.Module,
    ) -> dict[str, Tensor]:
        """One step; a link without a sampled edge is silent, but keeps its share of the weight."""
        new = {}
        for target in dict.fromkeys(link.target for link in links):
            incoming = [link.name for link in links if link.target == target]
            alpha = torch.softmax(gates.get_parameter(target), dim=0)
            total = alpha[0] * x[target]
            for a, name in zip(alpha[1:], incoming, strict=True):
                if name in present:
                    total = total + a * self._message(x, present[name])
            new[target] = total
        return {**x, **new}

    def _message(self, x: dict[str, Tensor], link: Link) -> Tensor:
        message = x[link.source]
        for hop in link.hops:
            message = self.mean(message, hop)
        return message

    def score(self, taste: Tensor, item_taste: Tensor, popularity: Tensor) -> Tensor:
        """Logits of unit user tastes ``[..., W]`` and items that broadcast to them."""
        liking = (taste * item_taste).sum(dim=-1)
        return self._logit(liking, popularity)

    def scores(self, taste: Tensor, item_taste: Tensor, popularity: Tensor) -> Tensor:
        """Logits of all users ``[R, W]`` against all items ``[N, W]``: ``[R, N]``."""
        return self._logit(taste @ item_taste.T, popularity)

    def _logit(self, liking: Tensor, popularity: Tensor) -> Tensor:
        rest = (1 - popularity.square()).sqrt()
        cosine = POPULARITY_SHARE * popularity + TASTE_SHARE * rest * liking
        return self.log_temperature.clamp(max=MAX_LOG_TEMPERATURE).exp() * cosine


def _useful(links: Sequence[Link], layers: int) -> list[list[Link]]:
    """Links of each layer whose messages can still reach an item."""
    per_layer: list[list[Link]] = []
    wanted = {str(NodeType.ITEM)}
    for _ in range(layers):
        per_layer.insert(0, [link for link in links if link.target in wanted])
        wanted |= {link.source for link in per_layer[0]}
    return per_layer


def _sides(links: Sequence[Link]) -> list[tuple[str, int]]:
    sizes = {link.source: link.hops[0].forward.shape[1] for link in links}
    sizes |= {link.target: link.hops[-1].forward.shape[0] for link in links}
    return [(name, n) for name, n in sizes.items() if name != NodeType.ITEM]


def _gates(links: Sequence[Link]) -> nn.ParameterDict:
    targets = [str(link.target) for link in links]
    return nn.ParameterDict(
        {
            target: nn.Parameter(torch.tensor([_SELF_GATE] + [0.0] * targets.count(target)))
            for target in dict.fromkeys(targets)
        }
    )


def _first(like: Tensor) -> Tensor:
    first = torch.zeros_like(like[0])
    first[0] = 1.0
    return first
