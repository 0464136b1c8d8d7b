"""What the knowledge graph tells beyond what the network is fitted on.

Attributes, price bands, offers, seasons, parts of the day and places join items that no
category and no brand does. They serve paths, pictures of the graph and people who read it; the
network reads them only if it is given these tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from engine.arrays import kind_weights, local_seconds
from engine.calendar import EPOCH, Season, season_of
from engine.dataset import Dataset
from engine.interactions import Interactions, Ints
from engine.node_names import NodeNames, item_attributes
from engine.types import KINDS, EventKind
from engine.vocabulary import UNKNOWN_PLACE_ROW, Ids, Vocabulary
from graph import Facet, GraphTables, LinkTable, NodeType, Relation
from retrieval.rerank.records import DAY_S

PRICE_BANDS = ("cheapest fifth", "lower fifth", "middle fifth", "upper fifth", "dearest fifth")
DAY_PARTS = ("night", "morning", "afternoon", "evening")
"""Six hours each, from midnight on the shop's clock."""
MIN_PRICES = 20
"""Fewer priced items have no bands."""


def with_scene(
    tables: GraphTables,
    names: NodeNames,
    dataset: Dataset,
    vocabulary: Vocabulary,
    events: Interactions,
    *,
    as_of_unix_s: int,
) -> tuple[GraphTables, NodeNames]:
    """The tables and names of :func:`engine.arrays.graph_tables`, and all that the scene adds.

    What a shop does not have, such as prices or views, adds nothing.

    Args:
        tables: Made from the same dataset and events.
        names: Of its nodes.
        dataset: The shop.
        vocabulary: Its ids.
        events: Those that the tables were made from, dismissals among them or not.
        as_of_unix_s: Only offers that run then are told.
    """
    telling = events.where(kind_weights()[events.kind] > 0)
    found = (
        *_attributes(dataset, names),
        *_prices(dataset),
        *_offers(dataset, vocabulary, as_of_unix_s),
    )
    purchase = telling.kind == KINDS.index(EventKind.PURCHASE)
    richer = replace(
        tables,
        links=(*tables.links, *(link for link, _ in found)),
        facets=tuple(_facets(dataset, vocabulary, telling)),
        bought=purchase if purchase.any() and not purchase.all() else None,
    )
    named: dict[str, Sequence[str]] = {link.tail_type: tails for link, tails in found}
    return richer, names.with_names(
        {**named, NodeType.SEASON: tuple(Season), NodeType.DAY_PART: DAY_PARTS}
    )


Named = tuple[LinkTable, Sequence[str]]
"""Links from items, and the names of their tails."""


def _attributes(dataset: Dataset, names: NodeNames) -> Iterator[Named]:
    pairs = item_attributes(dataset.items)
    known = names.of_type[NodeType.ATTRIBUTE]
    if len(pairs):
        heads = pairs["row"].cast(pl.Int64).to_numpy()
        yield _links(
            dataset, Relation.HAS_ATTRIBUTE, known.kind, heads, known.rows(pairs["name"]), known.ids
        )


def _prices(dataset: Dataset) -> Iterator[Named]:
    """Fifths of the prices of the catalogue: equally many items in each."""
    price = dataset.items["price"]
    heads = np.flatnonzero((price.is_finite() & (price > 0)).fill_null(value=False).to_numpy())
    if len(heads) < MIN_PRICES:
        return
    paid = price.to_numpy()[heads]
    bounds = np.quantile(paid, np.linspace(0, 1, len(PRICE_BANDS) + 1)[1:-1])
    bands = np.searchsorted(bounds, paid, side="right").astype(np.int64)
    yield _links(dataset, Relation.IN_PRICE_BAND, NodeType.PRICE_BAND, heads, bands, PRICE_BANDS)


def _offers(dataset: Dataset, vocabulary: Vocabulary, as_of_unix_s: int) -> Iterator[Named]:
    """Items of one running campaign: the same kind of offer, place and days.

    A grocer's year holds millions of offers that are over; they are no facts of today.
    """
    as_of = datetime.fromtimestamp(as_of_unix_s, UTC)
    runs = (pl.col("starts_at") < as_of) & (pl.col("ends_at") > as_of)
    known = dataset.offers.filter(runs & pl.col("item_id").is_in(list(vocabulary.items.ids)))
    campaign = pl.format(
        "{} {}, {} to {}",
        "kind",
        pl.col("place").fill_null("everywhere"),
        pl.col("starts_at").dt.date(),
        pl.col("ends_at").dt.date(),
    )
    rows = known.select("item_id", campaign=campaign).unique(maintain_order=True)
    if len(rows):
        campaigns = Ids.of("offer", rows["campaign"].unique().sort())
        heads = vocabulary.items.rows(rows["item_id"])
        tails = campaigns.rows(rows["campaign"])
        yield _links(dataset, Relation.ON_OFFER, NodeType.OFFER, heads, tails, campaigns.ids)


def _links(
    dataset: Dataset, relation: str, kind: str, heads: Ints, tails: Ints, names: Sequence[str]
) -> Named:
    n_items, weight = len(dataset.items), np.ones(len(heads), np.float32)
    link = LinkTable(NodeType.ITEM, relation, kind, heads, tails, n_items, len(names), weight)
    return link, names


def _facets(dataset: Dataset, vocabulary: Vocabulary, events: Interactions) -> Iterator[Facet]:
    """Seasons, parts of the day and places of the events; those that tell nothing are left out."""
    local_s = local_seconds(events.at_unix_s, ZoneInfo(dataset.settings.time_zone))
    every = np.ones(len(events), np.bool_)
    seasons = _seasons(local_s // DAY_S, dataset.settings.country)
    part = local_s % DAY_S * len(DAY_PARTS) // DAY_S
    n_places, at_place = len(vocabulary.places), events.place != UNKNOWN_PLACE_ROW
    item, user, place = NodeType.ITEM, NodeType.USER, NodeType.PLACE
    for head, relation, tail, rows, known, n in (
        (item, Relation.SELLS_IN_SEASON, NodeType.SEASON, seasons, seasons >= 0, len(Season)),
        (item, Relation.SELLS_IN_DAY_PART, NodeType.DAY_PART, part, every, len(DAY_PARTS)),
        (item, Relation.SELLS_AT, place, events.place, at_place, n_places),
        (user, Relation.SHOPS_AT, place, events.place, at_place, n_places),
    ):
        if len(np.unique(rows[known])) > 1:
            yield Facet(head, relation, tail, rows, known, n)


def _seasons(day: Ints, country: str | None) -> Ints:
    """Position of each day's season in :class:`Season`, int64; -1 where there is none."""
    days, place = np.unique(day, return_inverse=True)
    names = list(Season)
    found = [season_of(EPOCH + timedelta(days=int(d)), country) for d in days]
    rows = np.array([-1 if season is None else names.index(season) for season in found], np.int64)
    return rows[place] if len(rows) else np.zeros(0, np.int64)
