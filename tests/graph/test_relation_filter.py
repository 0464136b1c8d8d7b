"""Filters by hand, and relation weights that find out what matters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from planted_shop import DAY, Shop

from graph import FactTable, GraphError, GraphTables
from graph.conditional_logit import Logit, learn_logit, level
from graph.relation_filter import (
    join_small,
    recent_histories,
    shared_facts,
    touched_by_the_same,
    touched_in_turn,
)


def tables(user: list[int], item: list[int], day: list[int], n_items: int = 4) -> GraphTables:
    return GraphTables(
        n_users=max(user) + 1,
        n_items=n_items,
        user=np.array(user),
        item=np.array(item),
        at_unix_s=np.array(day) * DAY,
        weight=np.ones(len(user), np.float32),
        session=np.array(user),
        item_facts=(),
        category_parent=np.zeros(0, np.int64),
    )


def facts(relation: str, pairs: list[tuple[int, int]], tail_type: str = "entity") -> FactTable:
    head, tail = np.array(pairs, np.int64).reshape(-1, 2).T.copy()
    return FactTable(relation, tail_type, head, tail, 9, np.ones(len(head), np.float32))


def dense(relation: object, n_items: int) -> np.ndarray:
    return relation.scores(sp.csr_array(np.eye(n_items, dtype=np.float32)))  # type: ignore[attr-defined]


def test_histories_halve_before_a_users_own_last_event() -> None:
    found = recent_histories(tables([0, 0, 1], [0, 1, 2], [0, 10, 3]), half_life_days=5)
    np.testing.assert_allclose(found.toarray(), [[0.25, 1, 0, 0], [0, 0, 1, 0]])


def test_shared_users_by_hand() -> None:
    """Items 0 and 1 share two users; they have 2 and 3."""
    past = tables([0, 0, 1, 1, 2], [0, 1, 0, 1, 1], [0] * 5)
    expected = np.zeros((4, 4))
    expected[0, 1] = expected[1, 0] = 2 / np.sqrt((2 + 1) * (3 + 1))
    found = dense(touched_by_the_same(past, shrinkage=1), 4)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_pairs_fade_with_the_time_between_them() -> None:
    past = tables([0, 0, 1, 1], [0, 1, 0, 2], [0, 4, 0, 8])
    found = dense(touched_in_turn(past, tau_days=4, shrinkage=0), 4)
    root = np.sqrt(2 * 1)
    np.testing.assert_allclose(found[0], [0, np.exp(-1) / root, np.exp(-2) / root, 0], rtol=1e-6)
    np.testing.assert_allclose(found, found.T)


def test_rare_facts_weigh_more() -> None:
    """Items 0 and 1 share a rare fact, 0 and 2 a common one; all items share a third."""
    table = facts("r", [(0, 0), (1, 0), (0, 1), (2, 1), (3, 1)] + [(i, 2) for i in range(4)])
    found = dense(shared_facts(table, 4), 4)
    rare, common = np.log(4 / 2), np.log(4 / 3)
    np.testing.assert_allclose(found[0, 1], rare / np.hypot(rare, common), rtol=1e-6)
    np.testing.assert_allclose(found[0, 2], common / np.hypot(rare, common), rtol=1e-6)
    np.testing.assert_allclose(np.diag(found), 1, rtol=1e-6)


def test_small_relations_share_one_table() -> None:
    big = facts("big", [(i, i) for i in range(4)])
    first, second = facts("a", [(0, 5), (1, 6)]), facts("b", [(0, 5), (2, 7)])
    other = facts("c", [(3, 1)], tail_type="label")
    kept, joined, alone = join_small((first, big, second, other), 3)
    assert kept is big
    pairs = sorted(zip(joined.head_rows.tolist(), joined.tail_rows.tolist(), strict=True))
    assert (joined.relation, pairs) == ("related_to", [(0, 5), (1, 6), (2, 7)])
    assert (alone.relation, alone.tail_type) == ("related_to", "label")


def test_levels_by_hand() -> None:
    found = level(np.array([[4.0, 1.0, -2.0], [0.0, 0.0, 0.0]], np.float32))
    np.testing.assert_allclose(found, [[1, 0.5, 0], [0, 0, 0]])


def planted_choices(weights: list[float]) -> tuple[list[np.ndarray], sp.csr_array, sp.csr_array]:
    """3,000 users choose one of 8 items with the log-odds that the weights say."""
    rng = np.random.default_rng(0)
    x = [rng.random((3000, 8)).astype(np.float32) for _ in weights]
    known = rng.random((3000, 8)) < 0.2
    known[:, 0] = False
    logits = sum(w * level(part) for w, part in zip(weights, x, strict=True))
    noisy = np.where(known, -np.inf, logits + rng.gumbel(size=(3000, 8)))
    chosen = np.zeros((3000, 8))
    chosen[np.arange(3000), noisy.argmax(axis=1)] = 1
    return x, sp.csr_array(known.astype(float)), sp.csr_array(chosen)


def test_planted_weights_are_recovered() -> None:
    x, known, chosen = planted_choices([3.0, 0.0, 1.0])
    found = learn_logit(["a", "b", "c"], x, known, chosen)
    np.testing.assert_allclose(found.weights, [3, 0, 1], atol=0.2)


def test_the_gradient_vanishes_at_the_learned_weights() -> None:
    """The optimum by its own condition: expected and observed scores agree (no ridge)."""
    x, known, chosen = planted_choices([2.0, 1.0])
    weights = torch.tensor(learn_logit(["a", "b"], x, known, chosen, ridge=0.0).weights)
    levels = torch.stack([torch.from_numpy(level(part)) for part in x], dim=2)
    odds = (levels @ weights).masked_fill(torch.from_numpy(known.toarray() > 0), -1e9)
    expected = (torch.softmax(odds, 1)[:, :, None] * levels).sum(dim=1).mean(dim=0)
    observed = (torch.from_numpy(chosen.toarray()).float()[:, :, None] * levels).sum(1).mean(0)
    torch.testing.assert_close(expected, observed, rtol=2e-3, atol=2e-3)


def test_scores_are_the_weighted_levels() -> None:
    parts = [np.array([[4.0, 1.0]], np.float32), np.array([[0.0, 9.0]], np.float32)]
    found = Logit(("a", "b"), np.array([2, 3], np.float32)).scores(parts)
    np.testing.assert_allclose(found, [[2 * 1 + 3 * 0, 2 * 0.5 + 3 * 1]])


def test_nothing_chosen_or_misnamed_raises() -> None:
    x, none = [np.ones((2, 3), np.float32)], sp.csr_array((2, 3))
    with pytest.raises(GraphError, match="nobody chose"):
        learn_logit(["a"], x, none, none)
    with pytest.raises(GraphError, match="1 scores for 2 names"):
        learn_logit(["a", "b"], x, none, none)


def test_sixty_relations_propagate(shop: Shop) -> None:
    """Relations of any name reach the network, and each has a weight of its own there."""
    from graph import GraphConfig, GraphModel, build_graph
    from graph.inputs import Content, graph_inputs

    many = tuple(facts(f"music.{k}", [(k, k % 9), (k + 1, k % 9)]) for k in range(60))
    shop_tables = replace(shop.tables, item_facts=many)
    kg = build_graph(shop_tables, as_of_unix_s=shop.now)
    config = GraphConfig(width=8)
    content = Content(np.zeros((80, 1), np.float32), np.zeros(80, bool))
    inputs = graph_inputs(kg, shop_tables, content, config, seed=0)
    assert len([link for link in inputs.links if link.name.startswith("music.")]) == 120
    model = GraphModel(inputs, 2, 0.5)
    with torch.no_grad():
        model.side["entity"].normal_(generator=torch.Generator().manual_seed(0))
    taste, _ = model(inputs, torch.ones(80))
    taste[:60].sum().backward()
    gate = model.gates[1].get_parameter("item").grad
    assert gate is not None
    assert (gate[2:62].abs() > 0).all()
