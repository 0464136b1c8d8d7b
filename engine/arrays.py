"""From tables to the arrays that the stages read. The only place that knows both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import faiss
import numpy as np
import polars as pl

from engine.dataset import Dataset
from engine.interactions import Floats, Interactions, Ints
from engine.node_names import NodeNames, category_parents, category_paths, names_of
from engine.own_facts import own_facts
from engine.types import EventKind
from engine.vocabulary import Vocabulary
from graph import FactTable, GraphTables, NodeType, Relation
from retrieval.rerank.offers import OFFER_KINDS, OfferCalendar, Shape
from retrieval.rerank.records import History, ItemTable

KIND_WEIGHT = {
    EventKind.VIEW: 0.2,
    EventKind.CLICK: 0.3,
    EventKind.CART: 0.6,
    EventKind.PURCHASE: 1.0,
    EventKind.RATING: 1.0,
}
"""How much an event says about a taste; a dismissal says none."""
MAX_FACT_GROUPINGS = 2
CLUSTER_SIZE = 40
"""Items per content cluster, where a catalogue has no categories."""


def to_unix_s(moment: datetime) -> int:
    """An aware moment as int unix seconds."""
    return int(moment.astimezone(UTC).timestamp())


def local_seconds(at_unix_s: Ints, zone: ZoneInfo) -> Ints:
    """The shop's clock at unix moments: seconds plus the zone's offset then, int64 ``[n]``."""
    moments = pl.from_epoch(pl.Series(at_unix_s), time_unit="s").dt.replace_time_zone("UTC")
    local = moments.dt.convert_time_zone(str(zone)).dt.replace_time_zone(None)
    return local.dt.epoch("s").to_numpy().astype(np.int64)


def histories(interactions: Interactions, zone: ZoneInfo) -> History:
    """The events of all users as one history, in the order of the interactions."""
    return History(
        item=interactions.item,
        at_unix_s=interactions.at_unix_s,
        local_s=local_seconds(interactions.at_unix_s, zone),
        session=interactions.session,
        place=interactions.place,
        value=interactions.value,
        kind=interactions.kind,
    )


def once_per_session(interactions: Interactions) -> Interactions:
    """One event per user, session, item and kind; values add up, the earliest time stays."""
    table = pl.DataFrame(
        {
            "session": interactions.session,
            "item": interactions.item,
            "kind": interactions.kind,
            "value": interactions.value,
        }
    ).with_row_index("row")
    grouped = table.group_by("session", "item", "kind", maintain_order=True).agg(
        pl.col("row").first(), pl.col("value").sum()
    )
    kept = np.zeros(len(interactions), dtype=np.bool_)
    rows = grouped["row"].to_numpy()
    kept[rows] = True
    merged = interactions.where(kept)
    merged.value[:] = grouped.sort("row")["value"].to_numpy()
    return merged


def kind_weights() -> Floats:
    """Weight of an event by the position of its kind, float32 ``[len(EventKind)]``."""
    return np.array([KIND_WEIGHT.get(kind, 0.0) for kind in EventKind], dtype=np.float32)


def graph_tables(dataset: Dataset, vocabulary: Vocabulary, events: Interactions) -> GraphTables:
    """What the graph is built from: it needs no file of triples, but reads one if given."""
    weight: Floats = kind_weights()[events.kind]
    telling = events.where(weight > 0)
    facts, parents = _category_facts(dataset)
    names = names_of(dataset.items, vocabulary)
    own = own_facts(dataset.triples, names, parents)
    return GraphTables(
        n_users=len(vocabulary.users),
        n_items=len(vocabulary.items),
        user=telling.user,
        item=telling.item,
        at_unix_s=telling.at_unix_s,
        weight=weight[weight > 0],
        session=telling.session,
        item_facts=_joined((*facts, *_brand_facts(dataset, names), *own.item_facts)),
        category_parent=own.parents,
        links=own.links,
    )


def item_table(dataset: Dataset, tables: GraphTables, content: Floats, seed: int) -> ItemTable:
    """Ways of grouping, prices and availability of every item."""
    items = dataset.items
    price = items["price"].cast(pl.Float32).to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        log_price = np.log(np.where(price > 0, price, np.nan)).astype(np.float32)
    groups = list(_groupings(dataset, tables))
    if items["categories"].list.len().max() in (None, 0):
        groups.insert(0, _content_clusters(content, seed))
    return ItemTable(
        groups=np.stack([codes for codes, _ in groups]),
        n_groups=tuple(n for _, n in groups),
        log_price=log_price,
        recommendable=items["available"].to_numpy().copy(),
    )


def offer_calendar(dataset: Dataset, vocabulary: Vocabulary) -> OfferCalendar:
    """The offers table, by rows and hours; offers of unknown items or places are left out."""
    shape = Shape(len(vocabulary.items), len(vocabulary.places))
    rows = dataset.offers.select(
        item=_codes("item_id", vocabulary.items.ids),
        place=pl.when(pl.col("place").is_null())
        .then(pl.lit(0, pl.Int64))
        .otherwise(_codes("place", vocabulary.places.ids)),
        kind=_codes("kind", OFFER_KINDS),
        starts=pl.col("starts_at").dt.epoch("s") // 3600,
        ends=-(-pl.col("ends_at").dt.epoch("s") // 3600),
    ).drop_nulls()
    columns = (rows[name].to_numpy().astype(np.int64) for name in rows.columns)
    return OfferCalendar.of(*columns, shape=shape)


def _codes(column: str, ids: Sequence[str]) -> pl.Expr:
    known = pl.Series(ids, dtype=pl.String)
    return pl.col(column).replace_strict(
        known, pl.Series(range(len(ids)), dtype=pl.Int64), default=None, return_dtype=pl.Int64
    )


def _code_of(values: pl.Series) -> tuple[Ints, int]:
    """Dense codes of a column, by sorted value; null is a value of its own."""
    codes = values.rank("dense").fill_null(0).cast(pl.Int64).to_numpy()
    return codes, int(codes.max(initial=0)) + 1


def _paths(dataset: Dataset) -> pl.Series:
    return dataset.items["categories"]


def _category_facts(dataset: Dataset) -> tuple[tuple[FactTable, ...], Ints]:
    paths = [tuple(path or ()) for path in _paths(dataset).to_list()]
    row_of = {prefix: row for row, prefix in enumerate(category_paths(dataset.items))}
    if not row_of:
        return (), np.zeros(0, dtype=np.int64)
    heads = np.array([i for i, path in enumerate(paths) if path], dtype=np.int64)
    tails = np.array([row_of[path] for path in paths if path], dtype=np.int64)
    facts = _facts(Relation.IN_CATEGORY, NodeType.CATEGORY, heads, tails, len(row_of))
    return (facts,), category_parents(dataset.items)


def _facts(relation: str, tail_type: str, heads: Ints, tails: Ints, n: int) -> FactTable:
    return FactTable(relation, tail_type, heads, tails, n, np.ones(len(heads), np.float32))


def _brand_facts(dataset: Dataset, names: NodeNames) -> Iterator[FactTable]:
    brand = dataset.items["brand"]
    heads = np.flatnonzero(brand.is_not_null().to_numpy())
    brands = names.of_type["brand"]
    if len(heads):
        rows = brands.rows(brand.drop_nulls())
        yield _facts("of_brand", NodeType.BRAND, heads, rows, len(brands))


def _joined(facts: Sequence[FactTable]) -> tuple[FactTable, ...]:
    """One table per relation and tail type: what the shop states itself comes after ours."""
    joined: dict[tuple[str, str], FactTable] = {}
    for table in facts:
        key = (str(table.relation), str(table.tail_type))
        ours = joined.get(key)
        if ours is not None:
            pairs = ours.head_rows * ours.n_tails + ours.tail_rows
            new = ~np.isin(table.head_rows * table.n_tails + table.tail_rows, pairs)
            table = replace(
                ours,
                head_rows=np.concatenate([ours.head_rows, table.head_rows[new]]),
                tail_rows=np.concatenate([ours.tail_rows, table.tail_rows[new]]),
                weight=np.concatenate([ours.weight, table.weight[new]]),
            )
        joined[key] = table
    return tuple(joined.values())


def _groupings(dataset: Dataset, tables: GraphTables) -> Iterator[tuple[Ints, int]]:
    """Finest category first, then coarser ones, then makers and other single-valued facts."""
    paths = _paths(dataset)
    depth = paths.list.len().max() or 0
    if depth:
        for level in dict.fromkeys((int(str(depth)), 2, 1)):
            yield _code_of(paths.list.head(level).list.join("\x1f"))
    singles = [
        f
        for f in tables.item_facts
        if f.relation != Relation.IN_CATEGORY and f.tail_type != NodeType.ITEM
    ]
    singles.sort(key=lambda f: -f.n_tails)
    for facts in singles[:MAX_FACT_GROUPINGS]:
        codes = np.zeros(len(dataset.items), dtype=np.int64)
        codes[facts.head_rows] = facts.tail_rows + 1
        yield codes, facts.n_tails + 1


def _content_clusters(content: Floats, seed: int) -> tuple[Ints, int]:
    """Groups of items that look and read alike, for a catalogue without categories."""
    k = max(1, len(content) // CLUSTER_SIZE)
    kmeans = faiss.Kmeans(content.shape[1], k, niter=10, seed=seed + 1, spherical=True)
    kmeans.train(np.ascontiguousarray(content))
    _, nearest = kmeans.index.search(np.ascontiguousarray(content), 1)
    return nearest[:, 0].astype(np.int64), k
