"""Paths whose answers are planted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from planted_shop import DAY, NOW

from graph import Edges, EdgeType, GraphError, KnowledgeGraph, Path, find_paths

# users 0..1, items 2..7, categories 8..9, brands 10..11
SIZES = {"user": 2, "item": 6, "category": 2, "brand": 2}
ITEM, CATEGORY, BRAND = 2, 8, 10


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
