"""The tables of the store, as the steps in :mod:`engine.store.migrations` leave them.

A later shape is a new step, with the tables below brought up to it. A test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

metadata = MetaData()

events = Table(
    "events",
    metadata,
    # Order of arrival, which settles the order of events at the same moment.
    Column("seq", BigInteger, primary_key=True),
    Column("event_id", Text, nullable=False, unique=True),
    Column("user_id", Text, nullable=False),
    Column("item_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("value", Double),
    Column("session_id", Text),
    Column("place", Text),
    Column("request_id", Text),
    Column("received_at_us", BigInteger, nullable=False),
)

impressions = Table(
    "impressions",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("scene", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("policy", Text, nullable=False),
    # Experiment to variant, as JSON.
    Column("variants", Text, nullable=False),
)

impression_slots = Table(
    "impression_slots",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("rank", Integer, primary_key=True),
    Column("item_id", Text, nullable=False),
    Column("score", Double, nullable=False),
    Column("channels", Text, nullable=False),
    Column("propensity", Double, nullable=False),
)

impression_inputs = Table(
    "impression_inputs",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("names_hash", Text, nullable=False),
    Column("features", LargeBinary, nullable=False),
    Column("token_items", Text, nullable=False),
    Column("tokens", LargeBinary, nullable=False),
    Column("pool_items", Text, nullable=False),
    Column("pool_scores", LargeBinary, nullable=False),
)

feature_names = Table(
    "feature_names",
    metadata,
    Column("names_hash", Text, primary_key=True),
    Column("names", Text, nullable=False),
)

live_items = Table(
    "live_items",
    metadata,
    Column("item_id", Text, primary_key=True),
    # The change that made the row what it is: a reader asks for those after the last it saw.
    Column("version", BigInteger, nullable=False),
    Column("withdrawn", Integer, nullable=False),
    Column("item", Text, nullable=False),
    Column("encoder", Text, nullable=False),
    Column("parts", LargeBinary, nullable=False),
    Column("picture_name", Text),
    Column("picture", LargeBinary),
)

live_version = Table("live_version", metadata, Column("version", BigInteger, nullable=False))

erasures = Table(
    "erasures",
    metadata,
    Column("seq", BigInteger, primary_key=True),
    Column("digest", Text, nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("events", Integer, nullable=False),
    Column("impressions", Integer, nullable=False),
)

# One row, made by the first erasure.
erasure_salt = Table("erasure_salt", metadata, Column("salt", Text, nullable=False))
