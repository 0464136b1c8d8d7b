"""Training steps on a sampled part of a graph that is too large to propagate over whole.

A step's positives come from one stretch of time, and its part of the graph is what was known
when the stretch began: no edge in it is as new as any of its labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch

from graph.adjacency import Adjacency
from graph.config import GraphConfig
from graph.inputs import GraphInputs, Link
from graph.kg import KnowledgeGraph
from graph.neighbours import TimedRows
from graph.sampling import Batch, Sampler
from graph.schema import Ints, NodeType, Relation

DERIVED_FROM_EVENTS = (Relation.BOUGHT_WITH, Relation.VIEWED_THEN_BOUGHT)
"""Relations whose edges bear no time but were counted from events: they may know the label."""


@dataclass(frozen=True, slots=True)
class TimedLink:
    """One relation into a node type, each hop with the times of its edges."""

    name: str
    relation: str
    source: str
    target: str
    hops: tuple[TimedRows, ...]


@dataclass(frozen=True, slots=True)
class Parts:
    """Draws batches, each with the part of the graph that it propagates over.

    Shapes: ``user``, ``item``, ``at_unix_s`` int64 ``[E]``, the positives, oldest first.
    """

    inputs: GraphInputs
    links: tuple[TimedLink, ...]
    readout: TimedRows
    user: Ints
    item: Ints
    at_unix_s: Ints
    negatives: Sampler
    config: GraphConfig
    fanout: int

    @classmethod
    def of(cls, kg: KnowledgeGraph, inputs: GraphInputs, config: GraphConfig, fanout: int) -> Parts:
        """Everything that drawing needs, once; memory is linear in the edges."""
        names = [e.relation for e in kg.edge_types]
        pairs = inputs.pairs.tocoo()
        at = _times(kg, names.index(Relation.INTERACTED), inputs.pairs)
        to_users, to_items = TimedRows.of(pairs, at), TimedRows.of(pairs.T.tocoo(), at)
        hops = (to_users, to_items)
        links = [TimedLink("interacted", Relation.INTERACTED, NodeType.ITEM, NodeType.ITEM, hops)]
        links += [
            _untimed(link)
            for link in inputs.links
            if len(link.hops) == 1 and not link.name.startswith(DERIVED_FROM_EVENTS)
        ]
        order = np.argsort(at, kind="stable")
        popularity = np.asarray(inputs.pairs.sum(axis=0)).ravel()
        return cls(
            inputs=inputs,
            links=tuple(links),
            readout=to_users,
            user=pairs.row.astype(np.int64)[order],
            item=pairs.col.astype(np.int64)[order],
            at_unix_s=at[order],
            negatives=Sampler.of(popularity + 0.5, config.negative_exponent),
            config=config,
            fanout=fanout,
        )

    def batch(self, rng: np.random.Generator) -> tuple[GraphInputs, Batch]:
        """One step's sample, its rows those of the part that stands beside it."""
        size = min(self.config.batch_size, len(self.user))
        start = int(rng.integers(0, len(self.user) - size + 1))
        chosen = slice(start, start + size)
        moment = int(self.at_unix_s[start])
        users, row = np.unique(self.user[chosen], return_inverse=True)
        negative = self.negatives.draw(self.config.n_negatives, rng)
        history = self.readout.sample(users, moment, self.fanout, rng)
        wanted = np.concatenate([self.item[chosen], negative, history.neighbour])
        part = self._part(np.unique(wanted), moment, rng)
        items = part.items
        readout = _matrix(
            history.row, np.searchsorted(items, history.neighbour), history.weight,
            (len(users), len(items)),
        )  # fmt: skip
        device = self.inputs.taste.device
        inputs = self._inputs(part, Adjacency.mean(readout, device), readout)
        seed = rng.integers(2**62) if self.config.contrastive_weight else 0
        columns = (
            np.arange(len(users)),
            row,
            np.searchsorted(items, self.item[chosen]),
            np.zeros(size, np.float32),  # The history ends before the stretch: no share in it.
            np.searchsorted(items, negative),
            self.negatives.log_q[negative],
            self.inputs.pairs[users][:, negative].toarray() > 0,
            (rng.random(len(items)) >= self.config.id_dropout).astype(np.float32),
            np.array(seed, np.int64),
        )
        tensors = (torch.from_numpy(column).to(device) for column in columns)
        return inputs, Batch(*tensors)

    def _part(self, items: Ints, moment: int, rng: np.random.Generator) -> _Part:
        """The nodes within reach of some items, and the sampled edges between them."""
        rows = {str(NodeType.ITEM): items}
        fresh = dict(rows)
        edges: dict[str, list[tuple[Ints, ...]]] = {}
        for _ in range(self.config.layers):
            reached: dict[str, list[Ints]] = {}
            for link in self.links:
                heard = fresh.get(str(link.target), np.zeros(0, np.int64))
                sampled = _walk(link.hops, heard, moment, self.fanout, rng)
                edges.setdefault(link.name, []).append((heard[sampled[0]], *sampled[1:]))
                reached.setdefault(str(link.source), []).append(sampled[1])
            fresh = {}
            for name, found in reached.items():
                had = rows.get(name, np.zeros(0, np.int64))
                fresh[name] = np.setdiff1d(np.concatenate(found), had)
                rows[name] = np.union1d(had, fresh[name])
        return _Part(rows, {name: _stacked(found) for name, found in edges.items()})

    def _inputs(self, part: _Part, readout: Adjacency, pairs: sp.csr_array) -> GraphInputs:
        whole, device = self.inputs, self.inputs.taste.device
        items = torch.from_numpy(part.items).to(device)
        links = []
        for link in self.links:
            target, source, weight = part.edges[link.name]
            to, of = part.rows.get(str(link.target)), part.rows.get(str(link.source))
            if to is None or of is None or not len(target):
                continue
            place = np.searchsorted(to, target), np.searchsorted(of, source)
            matrix = _matrix(*place, weight, (len(to), len(of)))
            hops = (Adjacency.mean(matrix, device),)
            links.append(Link(link.name, link.relation, link.source, link.target, hops))
        rows = {name: torch.from_numpy(found).to(device) for name, found in part.rows.items()}
        none = torch.zeros(0, dtype=torch.int64, device=device)
        sides = {str(name) for link in self.links for name in (link.source, link.target)}
        return GraphInputs(
            spectrum=whole.spectrum[part.items],
            taste=whole.taste[items],
            warm=whole.warm[items],
            popularity=whole.popularity[items],
            content=whole.content[items],
            links=tuple(links),
            pairs=pairs,
            readout=readout,
            as_of_unix_s=whole.as_of_unix_s,
            rows={**dict.fromkeys(sides, none), **rows},
        )


@dataclass(frozen=True, slots=True)
class _Part:
    rows: dict[str, Ints]
    edges: dict[str, tuple[Ints, Ints, np.ndarray]]

    @property
    def items(self) -> Ints:
        return self.rows[str(NodeType.ITEM)]


def _walk(
    hops: Sequence[TimedRows], rows: Ints, moment: int, fanout: int, rng: np.random.Generator
) -> tuple[Ints, Ints, np.ndarray]:
    """Sampled walks from rows, last hop first: position in rows, end, weight of the mean."""
    start, at = np.arange(len(rows)), rows
    weight = np.ones(len(rows))
    for hop in reversed(hops):
        nodes, place = np.unique(at, return_inverse=True)
        sampled = hop.sample(nodes, moment, fanout, rng)
        total = np.bincount(sampled.row, sampled.weight, minlength=len(nodes))
        share = sampled.weight / np.maximum(total[sampled.row], 1e-30)
        step = sp.csr_array(
            (share, (sampled.row, np.arange(len(share)))), shape=(len(nodes), len(share))
        )[place]
        kept = np.repeat(np.arange(len(at)), np.diff(step.indptr))
        start, weight = start[kept], weight[kept] * step.data
        at = sampled.neighbour[step.indices]
    return start, at, weight


def _stacked(found: list[tuple[Ints, ...]]) -> tuple[Ints, Ints, np.ndarray]:
    target, source, weight = (np.concatenate(column) for column in zip(*found, strict=True))
    return target, source, weight


def _matrix(rows: Ints, columns: Ints, weight: np.ndarray, shape: tuple[int, int]) -> sp.csr_array:
    return sp.csr_array((weight.astype(np.float32), (rows, columns)), shape=shape)


def _untimed(link: Link) -> TimedLink:
    forward = link.hops[0].forward.cpu()
    n_to, n_of = forward.shape
    indptr, indices = forward.crow_indices().numpy(), forward.col_indices().numpy()
    weights = sp.csr_array((forward.values().numpy(), indices, indptr), shape=(n_to, n_of))
    rows = TimedRows.of(weights.tocoo(), None)
    return TimedLink(link.name, link.relation, link.source, link.target, (rows,))


def _times(kg: KnowledgeGraph, k: int, pairs: sp.csr_array) -> Ints:
    """Time of the last event of every pair, in the order of ``pairs``, int64 ``[E]``."""
    edges = kg.edges(k)
    item = edges.tail - kg.global_row(NodeType.ITEM, 0)
    n_items = pairs.shape[1]
    key = edges.head * n_items + item
    order = np.argsort(key)
    coo = pairs.tocoo()
    wanted = coo.row.astype(np.int64) * n_items + coo.col
    at = np.zeros(len(key), np.int64) if edges.at_unix_s is None else edges.at_unix_s
    return at[order][np.searchsorted(key[order], wanted)].astype(np.int64)
