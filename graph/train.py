"""Knowledge graph and item content → user and item vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from graph.build import build_graph
from graph.config import GraphConfig
from graph.distributed import averaged, own_share
from graph.inputs import Content, GraphInputs, closed_form_items, graph_inputs, with_cold_items
from graph.kg import KnowledgeGraph
from graph.losses import bpr, info_nce, sampled_softmax
from graph.minibatch import Parts
from graph.model import GraphModel, Noise
from graph.sampling import Batch, Draw
from graph.schema import Floats, GraphError, GraphTables, Relation
from graph.validation import Holdout, holdout, recall
from graph.vectors import FitMetrics, GraphVectors, join_items, join_users, split_items, unit_or

SECONDS_PER_DAY = 86_400
POPULARITY_SCALES = (0.0, 0.2, 0.4, 0.6, 0.8, 0.95)
"""What validation may choose from for the closed form's weight of popularity."""
DEFAULT_POPULARITY_SCALE = 0.6
NEVER = -1e4
"""Logit of what cannot be chosen; finite, for a row of infinities has no gradient."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """Progress of training, given to ``on_epoch``."""

    number: int
    loss: float
    recall: float


@dataclass(frozen=True, slots=True)
class _Best:
    """The best so far: weights of the network, or None for the closed form."""

    recall: float
    epochs: int
    weights: dict[str, Tensor] | None


def fit(
    kg: KnowledgeGraph,
    tables: GraphTables,
    item_content: Floats,
    has_content: np.ndarray[tuple[int], np.dtype[np.bool_]],
    config: GraphConfig,
    *,
    seed: int,
    on_epoch: Callable[[Epoch], None] | None = None,
) -> GraphVectors:
    """Learn user and item vectors.

    The last ``validation_days`` before the graph's moment are held out. On a graph of the time
    before them, the closed form and then the network are asked which new items users turn to.
    Whichever answers better makes the final vectors, from the whole graph.

    Args:
        kg: The graph; events at or after its ``as_of_unix_s`` are ignored.
        tables: What it was built from.
        item_content: Content vectors, float32 ``[I, D]``.
        has_content: Items that have content, bool ``[I]``.
        config: Settings.
        seed: Same seed, same vectors.
        on_epoch: Called after every validation.

    Raises:
        GraphError: The graph or the content does not fit the tables.
    """
    _check(kg, tables, item_content, has_content)
    rng = np.random.default_rng(seed)
    past = tables.until(kg.as_of_unix_s)
    content = Content(item_content, has_content)
    cut = kg.as_of_unix_s - int(config.validation_days * SECONDS_PER_DAY)
    before = build_graph(
        past,
        as_of_unix_s=cut,
        half_life_days=config.half_life_days,
        n_neighbours=config.n_neighbours,
    )
    inputs = graph_inputs(before, past, content, config, seed=seed)
    held = holdout(inputs.pairs, past.where(past.at_unix_s >= cut), config, rng)
    scale, closed = _closed_form(inputs, past.until(cut), content, held, config)
    model = GraphModel(inputs, config.layers, scale).to(inputs.taste.device)
    best, network = _Best(closed, 0, None), float("nan")
    if len(held) and config.epochs:
        draw = drawing(before, inputs, config)
        best, network = _train(model, inputs, draw, held, config, rng, best, on_epoch)
    metrics = FitMetrics(closed, network, len(held), best.epochs)
    final = graph_inputs(kg, past, content, config, seed=seed, basis=inputs.spectrum)
    if best.weights is None:
        items = closed_form_items(final, past, content, popularity_scale=scale)
        return GraphVectors(_users(final, items), items, False, metrics)
    model.load_state_dict(best.weights)
    items = with_cold_items(_items(model, final), final, past, content)
    weights = model.relation_weights()
    return GraphVectors(_users(final, items), items, True, metrics, weights)


def _closed_form(
    inputs: GraphInputs, past: GraphTables, content: Content, held: Holdout, config: GraphConfig
) -> tuple[float, float]:
    """The popularity scale that validates best, and its recall."""
    if not len(held):
        return DEFAULT_POPULARITY_SCALE, float("nan")
    flat = closed_form_items(inputs, past, content, popularity_scale=0.0)
    taste = torch.from_numpy(split_items(flat)[0])
    users = _users(inputs, flat)
    scored = []
    for scale in POPULARITY_SCALES:
        items = join_items(taste, inputs.popularity.cpu() * scale).numpy()
        scored.append((recall(users, items, held, config.validation_k), scale))
    value, scale = max(scored)
    return scale, value


def _train(
    model: GraphModel,
    inputs: GraphInputs,
    draw: Callable[[np.random.Generator], tuple[GraphInputs, Batch]],
    held: Holdout,
    config: GraphConfig,
    rng: np.random.Generator,
    best: _Best,
    on_epoch: Callable[[Epoch], None] | None,
) -> tuple[_Best, float]:
    """Train until validation stops rising; the best state and the network's best recall."""
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    network, stale = -1.0, 0
    for epoch in range(1, config.epochs + 1):
        losses = [step(model, *draw(rng), optimizer, config) for _ in range(config.steps_per_epoch)]
        items = _items(model, inputs)
        value = recall(_users(inputs, items), items, held, config.validation_k)
        stale = 0 if value > network else stale + 1
        network = max(network, value)
        if value > best.recall:
            best = _Best(value, epoch, {k: v.clone() for k, v in model.state_dict().items()})
        if on_epoch is not None:
            on_epoch(Epoch(epoch, float(np.mean(losses)), value))
        if stale >= config.patience:
            break
    return best, network


def drawing(
    kg: KnowledgeGraph, inputs: GraphInputs, config: GraphConfig
) -> Callable[[np.random.Generator], tuple[GraphInputs, Batch]]:
    """What draws a step: its sample, and the graph to propagate over, whole or a sampled part."""
    if config.fanout is not None:
        return Parts.of(kg, inputs, config, config.fanout).batch
    whole = Draw.of(inputs, config)
    return lambda rng: (inputs, whole.batch(rng))


def step(
    model: GraphModel,
    inputs: GraphInputs,
    batch: Batch,
    optimizer: torch.optim.Optimizer,
    config: GraphConfig,
) -> float:
    """One gradient step; the loss before it.

    Under ``torch.distributed`` every process draws the same batch and takes its share of it: the
    step is that of one process on the whole batch.

    Raises:
        GraphError: The gradient is not finite.
    """
    optimizer.zero_grad(set_to_none=True)
    device = inputs.taste.device.type
    with torch.autocast(
        device, torch.bfloat16, enabled=device == "cuda" and config.mixed_precision
    ):
        loss = batch_loss(model, inputs, own_share(batch), config)
    loss.backward()  # type: ignore[no-untyped-call]
    loss = averaged(loss, model)
    norm = nn.utils.clip_grad_norm_(model.parameters(), 10.0)
    if not torch.isfinite(norm):
        raise GraphError(f"the gradient is {norm.item()}: lower learning_rate")
    optimizer.step()
    return float(loss.detach())


def batch_loss(model: GraphModel, inputs: GraphInputs, batch: Batch, config: GraphConfig) -> Tensor:
    """Loss of one sample.

    A user is the mean taste of their items; a positive is scored by the user *without* it, or
    the best answer would be that everything resembles itself. For the same reason what a user
    touched is no negative of theirs: it would be scored with itself.
    """
    noise = _noise(batch, inputs, config)
    taste, popularity, early = model.views(inputs, batch.shown, noise)
    means = model.mean(taste, inputs.readout)[batch.users]
    zero = torch.zeros_like(taste[0])
    item = taste[batch.item]
    without = unit_or(means[batch.row] - batch.share[:, None] * item, zero)
    positive = model.score(without, item, popularity[batch.item])
    negative = model.scores(unit_or(means, zero), taste[batch.negative], popularity[batch.negative])
    negative = negative.masked_fill(batch.known, NEVER)
    if config.loss == "bpr":
        loss = bpr(positive, negative[batch.row])
    else:
        loss = sampled_softmax(positive, negative, batch.log_q, batch.row)
    if noise is None:
        return loss
    # Of the negatives, which all processes share: the positives' nodes differ from share to share.
    nodes = torch.unique(batch.negative)
    contrast = info_nce(taste[nodes], early[nodes], config.contrastive_temperature)
    return loss + config.contrastive_weight * contrast


def _noise(batch: Batch, inputs: GraphInputs, config: GraphConfig) -> Noise | None:
    if not config.contrastive_weight:
        return None
    generator = torch.Generator(inputs.taste.device).manual_seed(int(batch.noise_seed))
    return Noise(config.contrastive_noise, generator)


@torch.no_grad()
def _items(model: GraphModel, inputs: GraphInputs) -> Floats:
    shown = torch.ones(len(inputs.taste), device=inputs.taste.device)
    items: Floats = join_items(*model(inputs, shown)).cpu().numpy()
    return items


@torch.no_grad()
def _users(inputs: GraphInputs, items: Floats) -> Floats:
    from graph.propagation import RelationMean  # PyG: only who trains waits for it

    taste = torch.from_numpy(split_items(items)[0]).to(inputs.taste.device)
    users: Floats = join_users(RelationMean()(taste, inputs.readout)).cpu().numpy()
    return users


def _check(
    kg: KnowledgeGraph,
    tables: GraphTables,
    content: Floats,
    has_content: np.ndarray[tuple[int], np.dtype[np.bool_]],
) -> None:
    sizes = dict(kg.stats().n_nodes)
    if sizes != dict(tables.n_nodes()):
        raise GraphError(f"the graph has nodes {sizes}, the tables {dict(tables.n_nodes())}")
    if Relation.INTERACTED not in [e.relation for e in kg.edge_types]:
        raise GraphError("the graph has no interacted relation: make it with build_graph")
    if content.ndim != 2 or content.dtype != np.float32 or len(content) != tables.n_items:
        raise GraphError(
            f"item content is {content.dtype} {content.shape}, expected float32 "
            f"({tables.n_items}, D)"
        )
    if has_content.dtype != np.bool_ or has_content.shape != (tables.n_items,):
        raise GraphError(
            f"has_content is {has_content.dtype} {has_content.shape}, expected bool "
            f"({tables.n_items},)"
        )
