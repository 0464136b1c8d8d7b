"""Paths whose answers are planted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted_shop import DAY, NOW

from graph import Edges, EdgeType, GraphError, KnowledgeGraph, Path, find_paths

# users 0..1, items 2..7, categories 8..9, brands 10..11
SIZES = {"user": 2, "item": 6, "category": 2, "brand": 2}
ITEM, CATEGORY, BRAND = 2, 8, 10
Triples = list[tuple[int, int, float]]


def edge_lists(heads: range, tails: range) -> st.SearchStrategy[Triples]:
    weight = st.floats(0.125, 8, width=32)
    pair = st.tuples(st.sampled_from(heads), st.sampled_from(tails), weight)
    return st.lists(pair, max_size=10, unique_by=lambda edge: edge[:2])


def edges(
    names: tuple[str, str, str], *rows: tuple[int, int, float], age_days: list[int] | None = None
) -> Edges:
    columns = np.array(rows, np.float64)
    return Edges(
        EdgeType(*names),
        columns[:, 0].astype(np.int64),
        columns[:, 1].astype(np.int64),
        columns[:, 2].astype(np.float32),
        None if age_days is None else NOW - np.array(age_days) * DAY,
    )


@pytest.fixture(scope="module")
def kg() -> KnowledgeGraph:
    """User 0 touched items 0 (yesterday's favourite) and 1 (90 days ago); item 5 is alone."""
    return KnowledgeGraph.from_edges(
        SIZES,
        (
            edges(
                ("user", "interacted", "item"),
                (0, ITEM + 0, 3.0),
                (0, ITEM + 1, 3.0),
                age_days=[0, 90],
            ),
            edges(
                ("item", "in_category", "category"),
                (ITEM + 1, CATEGORY, 1.0),
                (ITEM + 2, CATEGORY, 1.0),
            ),
            edges(
                ("item", "made_by", "brand"),
                (ITEM + 0, BRAND, 1.0),
                (ITEM + 1, BRAND, 1.0),
                (ITEM + 2, BRAND, 1.0),
                (ITEM + 3, BRAND + 1, 1.0),
            ),
            edges(
                ("item", "bought_with", "item"),
                (ITEM + 0, ITEM + 2, 0.25),
                (ITEM + 4, ITEM + 1, 0.5),
            ),
        ),
        as_of_unix_s=NOW,
    )


def walk(path: Path) -> list[tuple[str, bool, str, int]]:
    return [(h.relation, h.forward, h.node_type, h.row) for h in path.hops]


def test_all_three_kinds_are_found_and_ordered_by_hand(kg: KnowledgeGraph) -> None:
    brand, category, together = find_paths(kg, 0, 2)
    assert walk(brand) == [
        ("interacted", True, "item", 0),
        ("made_by", True, "brand", 0),
        ("made_by", False, "item", 2),
    ]
    assert brand.score == pytest.approx(1 / (1 + np.log(3)))
    assert brand.at_unix_s == NOW
    assert walk(category) == [
        ("interacted", True, "item", 1),
        ("in_category", True, "category", 0),
        ("in_category", False, "item", 2),
    ]
    assert category.score == pytest.approx((1 / 2) / (1 + np.log(2)))
    assert category.at_unix_s == NOW - 90 * DAY
    assert walk(together) == [("interacted", True, "item", 0), ("bought_with", True, "item", 2)]
    assert together.score == pytest.approx(0.25)


def test_bought_with_is_walked_against_its_direction(kg: KnowledgeGraph) -> None:
    (path,) = find_paths(kg, 0, 4)
    assert walk(path) == [("interacted", True, "item", 1), ("bought_with", False, "item", 4)]
    assert path.score == pytest.approx(1 / 2 * 0.5)
    assert path.hops[1].weight == 0.5


def test_an_item_touched_before_is_its_own_best_reason(kg: KnowledgeGraph) -> None:
    first, *rest = find_paths(kg, 0, 0)
    assert walk(first) == [("interacted", True, "item", 0)]
    assert first.score == pytest.approx(1.0)
    assert all(path.hops[0].row != 0 for path in rest)


@pytest.mark.parametrize(("user", "item"), [(0, 5), (0, 3), (1, 2)])
def test_what_is_not_joined_has_no_path(kg: KnowledgeGraph, user: int, item: int) -> None:
    assert find_paths(kg, user, item) == ()


def test_k_is_the_head_of_the_longer_list(kg: KnowledgeGraph) -> None:
    assert find_paths(kg, 0, 2, k=1) == find_paths(kg, 0, 2, k=3)[:1]
    with pytest.raises(GraphError, match="k is 0"):
        find_paths(kg, 0, 2, k=0)
    with pytest.raises(GraphError, match="item row 6"):
        find_paths(kg, 0, 6)


def test_the_weight_of_a_relation_decides_what_leads(kg: KnowledgeGraph) -> None:
    plain = {walk(p)[-1][0]: p.score for p in find_paths(kg, 0, 2)}
    weights = {"bought_with": 3.0, "made_by": 0.5, "in_category": 0.0}
    first, second = find_paths(kg, 0, 2, weights=weights)
    assert walk(first)[-1][0] == "bought_with"
    assert first.score == pytest.approx(3 * plain["bought_with"])
    assert walk(second)[-1][0] == "made_by"
    assert second.score == pytest.approx(0.5 * plain["made_by"])


def test_other_users_lead_only_when_they_are_asked_for() -> None:
    kg = KnowledgeGraph.from_edges(
        {"user": 3, "item": 2},
        (
            edges(
                ("user", "interacted", "item"),
                (0, 3, 1.0),
                (1, 3, 1.0),
                (1, 4, 1.0),
                (2, 4, 1.0),
                age_days=[0, 0, 0, 0],
            ),
        ),
        as_of_unix_s=NOW,
    )
    assert find_paths(kg, 0, 1) == ()
    (path,) = find_paths(kg, 0, 1, people=True)
    assert walk(path) == [
        ("interacted", True, "item", 0),
        ("interacted", False, "user", 1),
        ("interacted", True, "item", 1),
    ]
    assert path.score == pytest.approx(1 / (1 + np.log(2)))
    (direct,) = find_paths(kg, 1, 0, people=True)  # and none through oneself
    assert walk(direct) == [("interacted", True, "item", 0)]


def test_what_too_many_items_share_leads_nowhere(
    kg: KnowledgeGraph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graph.paths.MAX_SHARING", 2)
    leads = {walk(path)[1][0] for path in find_paths(kg, 0, 2)}
    assert leads == {"in_category", "bought_with"}  # three items share the brand


def test_a_fact_that_points_at_its_items_is_walked_too() -> None:
    kg = KnowledgeGraph.from_edges(
        {"user": 1, "item": 3, "entity": 1},
        (
            edges(("user", "interacted", "item"), (0, 1, 1.0), age_days=[0]),
            edges(("entity", "exports", "item"), (4, 1, 1.0), (4, 2, 0.5)),
            edges(("item", "goes_with", "item"), (1, 3, 0.25)),
        ),
        as_of_unix_s=NOW,
    )
    (path,) = find_paths(kg, 0, 1)
    assert walk(path)[1:] == [("exports", False, "entity", 0), ("exports", True, "item", 1)]
    assert path.score == pytest.approx(0.5 / (1 + np.log(2)))
    (path,) = find_paths(kg, 0, 2)
    assert walk(path)[1:] == [("goes_with", True, "item", 2)]


def slow_scores(kg: KnowledgeGraph, user: int, goal: int) -> list[float]:
    """Every path by enumeration of the triples, without limits."""
    rows = [r for r in kg.triples().to_pylist()]
    liked = {r["tail"]: r for r in rows if r["relation"] == "interacted" and r["head"] == user}
    top = max((r["weight"] for r in liked.values()), default=1.0)

    def strength(item: int) -> float:
        age = (NOW - liked[item]["at_unix_s"]) / DAY
        return float(np.log1p(liked[item]["weight"]) / np.log1p(top) * 0.5 ** (age / 90))

    scores = [strength(goal)] if goal in liked else []
    facts = [r for r in rows if r["relation"] not in ("interacted", "bought_with")]
    near: dict[int, float] = {}
    for r in rows:
        for a, b in ((r["head"], r["tail"]), (r["tail"], r["head"])):
            if r["relation"] == "bought_with" and b == goal and a in liked:
                near[a] = max(near.get(a, 0.0), strength(a) * min(r["weight"], 1.0))
    scores += near.values()
    for mine in (r for r in facts if r["head"] == goal):
        same = [r for r in facts if (r["relation"], r["tail"]) == (mine["relation"], mine["tail"])]
        ways = [
            strength(r["head"]) * min(r["weight"], 1.0)
            for r in same
            if r["head"] in liked and r["head"] != goal
        ]
        if ways:
            scores.append(max(ways) * min(mine["weight"], 1.0) / (1 + np.log(len(same))))
    return sorted(scores, reverse=True)


@settings(max_examples=60, deadline=None)
@given(
    likes=edge_lists(range(2), range(2, 8)),
    categories=edge_lists(range(2, 8), range(8, 10)),
    brands=edge_lists(range(2, 8), range(10, 12)),
    together=edge_lists(range(2, 8), range(2, 8)),
    goal=st.integers(0, 5),
)
def test_the_search_finds_what_enumeration_finds(
    likes: Triples, categories: Triples, brands: Triples, together: Triples, goal: int
) -> None:
    apart = [edge for edge in together if edge[0] != edge[1]]
    kg = KnowledgeGraph.from_edges(
        SIZES,
        tuple(
            edges(kind, *rows, age_days=list(range(len(rows))) if kind[0] == "user" else None)
            for kind, rows in (
                (("user", "interacted", "item"), likes),
                (("item", "in_category", "category"), categories),
                (("item", "made_by", "brand"), brands),
                (("item", "bought_with", "item"), apart),
            )
            if rows
        ),
        as_of_unix_s=NOW,
    )
    for user in range(2):
        found = [path.score for path in find_paths(kg, user, goal, k=1000)]
        assert found == pytest.approx(slow_scores(kg, user, goal), rel=1e-5)
