"""A shop's own triples: what their ends name, and which of them cannot be.

An end is written ``type:name`` for a node that the tables hold (``item:sku-1``,
``category:Food > Bread``, ``brand:Acme``, ``user:…``, ``place:…``), as the bare id of an item, or
as any other text, which names an entity: it is created. A bare tail that is nowhere a head is a
value of its relation, so that "red" as a colour is not "red" as a wine.
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from engine.interactions import Ints
from engine.node_names import MADE, STATED, NodeNames

TYPES = frozenset((*STATED, *MADE))
"""What may stand before the colon."""
SUBCATEGORY_OF = "subcategory_of"
"""The one relation of Vitrine's own that a shop may add to."""
DERIVED = ("interacted", "bought_with", "viewed_then_bought", "looks_like")
REASON = "reason"
VALUE = "value"
BARE = ""
"""Type of an end that names no type."""
ENDS = ("head", "tail")


def judge(triples: pl.DataFrame, names: NodeNames, parents: Ints) -> pl.DataFrame:
    """The triples with a :data:`REASON` and a :data:`VALUE` where one cannot be.

    Args:
        triples: ``head``, ``relation``, ``tail`` and perhaps ``weight``, and any more columns.
        names: Of the nodes that the tables hold.
        parents: The category tree of the items table, int64 ``[n_categories]``.
    """
    frame = _parsed(triples, names)
    both = pl.struct("head_type", "head_name", "relation", "tail_type", "tail_name")
    weight = pl.col("weight") if "weight" in frame.columns else pl.lit(1.0)
    tree = pl.col("relation") == SUBCATEGORY_OF
    of_tree = (pl.col("head_type") == "category") & (pl.col("tail_type") == "category")
    same = (pl.col("head_type") == pl.col("tail_type")) & (
        pl.col("head_name") == pl.col("tail_name")
    )
    outcomes = [
        *((_unknown(end, kind, names), f"unknown {kind}", end) for end in ENDS for kind in STATED),
        *((pl.col(f"{end}_name") == "", f"{end} has no name", end) for end in ENDS),
        (pl.col("relation").is_in(DERIVED), "relation is derived by Vitrine", "relation"),
        (same, "self-loop", "head"),
        (tree & ~of_tree, "subcategory_of joins two categories", "tail"),
        (weight.is_not_null() & ~(weight > 0), "weight is not positive", "weight"),
        (~both.is_first_distinct(), "the same triple again", "head"),
    ]
    reason, value = pl.lit(None, dtype=pl.String), pl.lit(None, dtype=pl.String)
    for bad, why, column in reversed(outcomes):
        shown = pl.col(column).cast(pl.String) if column in frame.columns else pl.lit(None)
        value = pl.when(bad).then(shown).otherwise(value)
        reason = pl.when(bad).then(pl.lit(why)).otherwise(reason)
    frame = frame.with_columns(reason.alias(REASON), value.alias(VALUE))
    return _judge_tree(frame, names, parents)


def _parsed(triples: pl.DataFrame, names: NodeNames) -> pl.DataFrame:
    """``head_type``, ``head_name`` and so on; the type of a bare name is empty."""
    items = pl.Series(names.of_type["item"].ids, dtype=pl.String)
    columns = []
    for end in ENDS:
        parts = pl.col(end).str.splitn(":", 2)
        kind, rest = parts.struct.field("field_0"), parts.struct.field("field_1")
        # An id may hold a colon: what is an item's id as a whole is that item.
        bare_item = pl.col(end).is_in(items.implode())
        typed = kind.is_in(list(TYPES)) & rest.is_not_null() & ~bare_item
        bare = pl.when(bare_item).then(pl.lit("item")).otherwise(pl.lit(BARE))
        columns.append(pl.when(typed).then(kind).otherwise(bare).alias(f"{end}_type"))
        columns.append(pl.when(typed).then(rest).otherwise(pl.col(end)).alias(f"{end}_name"))
    return triples.with_columns(columns)


def _unknown(end: str, kind: str, names: NodeNames) -> pl.Expr:
    ids = names.of_type.get(kind)
    known = pl.Series(ids.ids if ids is not None else (), dtype=pl.String)
    return (pl.col(f"{end}_type") == kind) & ~pl.col(f"{end}_name").is_in(known.implode())


def _judge_tree(frame: pl.DataFrame, names: NodeNames, parents: Ints) -> pl.DataFrame:
    """Turn away what would make the category tree no tree, in the order of the rows."""
    tree = (pl.col("relation") == SUBCATEGORY_OF) & pl.col(REASON).is_null()
    added = frame.with_row_index("\x00row").filter(tree)
    tree_now, wrong = parents.tolist(), {}
    rows = zip(added["\x00row"].to_list(), branches(added, names), strict=True)
    for row, (child, parent) in rows:
        if tree_now[child] == parent:
            wrong[row] = "the same triple again"
        elif tree_now[child] >= 0:
            wrong[row] = "category has another parent"
        elif child in _ancestors(tree_now, parent):
            wrong[row] = "cycle in the category tree"
        else:
            tree_now[child] = parent
    reasons = pl.Series([wrong.get(row) for row in range(len(frame))], dtype=pl.String)
    shown = pl.when(reasons.is_not_null()).then(pl.col("head")).otherwise(pl.col(VALUE))
    return frame.with_columns(pl.col(REASON).fill_null(reasons), shown.alias(VALUE))


def branches(triples: pl.DataFrame, names: NodeNames) -> Iterator[tuple[int, int]]:
    """Rows of the categories that ``subcategory_of`` joins: child, parent."""
    categories = names.of_type["category"]
    for child, parent in triples.select("head_name", "tail_name").iter_rows():
        yield categories.row(child), categories.row(parent)


def _ancestors(parents: list[int], category: int) -> set[int]:
    found = set()
    while category >= 0:
        found.add(category)
        category = parents[category]
    return found
