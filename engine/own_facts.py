"""A shop's own triples as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from engine.errors import DataError
from engine.interactions import Ints
from engine.node_names import STATED, NodeNames
from engine.triples import BARE, ENDS, REASON, SUBCATEGORY_OF, branches, judge
from graph import FactTable, LinkTable, NodeType


@dataclass(frozen=True, slots=True)
class OwnFacts:
    """A shop's triples as arrays."""

    item_facts: tuple[FactTable, ...]
    """Those whose heads are items."""
    links: tuple[LinkTable, ...]
    """All others."""
    parents: Ints
    """The category tree with the branches that the triples add, int64 ``[n_categories]``."""
    names: NodeNames
    """The names that were given, and those of the nodes that the triples make."""


def own_facts(triples: pl.DataFrame, names: NodeNames, parents: Ints) -> OwnFacts:
    """Triples as arrays.

    Raises:
        DataError: One cannot be; ingest turns such rows away.
    """
    judged = judge(triples, names, parents)
    bad = judged.filter(pl.col(REASON).is_not_null())
    if len(bad):
        first = bad.row(0, named=True)
        raise DataError(
            f"triples: {first['head']!r} {first['relation']!r} {first['tail']!r}: "
            f"{first[REASON]}; ingest the triples again, which leaves such rows out"
        )
    tree = pl.col("relation") == SUBCATEGORY_OF
    parents = parents.copy()
    for child, parent in branches(judged.filter(tree), names):
        parents[child] = parent
    rest = _typed(judged.filter(~tree))
    names = names.with_names(_new_names(rest))
    facts, links = [], []
    keys = ("head_type", "relation", "tail_type")
    for (head_type, relation, tail_type), rows in sorted(
        rest.group_by(*keys), key=lambda pair: tuple(map(str, pair[0]))
    ):
        heads, tails = names.of_type[str(head_type)], names.of_type[str(tail_type)]
        ends = heads.rows(rows["head_name"]), tails.rows(rows["tail_name"])
        weight = rows["weight"].cast(pl.Float32).to_numpy().copy()
        what = (str(relation), str(tail_type))
        if head_type == NodeType.ITEM:
            facts.append(FactTable(*what, *ends, len(tails), weight))
        else:
            links.append(LinkTable(str(head_type), *what, *ends, len(heads), len(tails), weight))
    return OwnFacts(tuple(facts), tuple(links), parents, names)


def _typed(triples: pl.DataFrame) -> pl.DataFrame:
    """Bare names become entities, or values of their relation where they are no head."""
    entity = pl.lit(str(NodeType.ENTITY))
    bare_head = pl.col("head_type").is_in([BARE, str(NodeType.ENTITY)])
    heads = triples.filter(bare_head)["head_name"].unique()
    value = pl.format("{}:value", pl.col("relation"))
    is_head = pl.col("tail_name").is_in(heads.implode())
    tail = pl.when(is_head).then(entity).otherwise(value)
    return triples.with_columns(
        pl.when(pl.col("head_type") == BARE).then(entity).otherwise("head_type").alias("head_type"),
        pl.when(pl.col("tail_type") == BARE).then(tail).otherwise("tail_type").alias("tail_type"),
    )


def _new_names(triples: pl.DataFrame) -> Mapping[str, list[str]]:
    """Names of the nodes that triples make, by type, sorted."""
    ends = pl.concat(
        triples.select(pl.col(f"{end}_type").alias("type"), pl.col(f"{end}_name").alias("name"))
        for end in ENDS
    )
    made = ends.filter(~pl.col("type").is_in(STATED)).unique().sort("type", "name")
    grouped = made.group_by("type", maintain_order=True).agg("name")
    return dict(grouped.iter_rows())
