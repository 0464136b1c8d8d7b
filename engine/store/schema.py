"""The tables of the store, and the numbered steps that lead to them.

A step, once released, never changes: a later shape is a new step at the end of
:data:`MIGRATIONS`, with the tables below brought up to it. A test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    inspect,
    select,
    text,
)

from engine.errors import RunError

metadata = MetaData()

meta = Table("meta", metadata, Column("schema_version", Integer, nullable=False))

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

_SEQ_TYPE = {
    "sqlite": "INTEGER NOT NULL PRIMARY KEY",
    "postgresql": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
}

_BYTES_TYPE = {"sqlite": "BLOB", "postgresql": "BYTEA"}

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE events (
            seq {seq},
            event_id TEXT NOT NULL UNIQUE,
            user_id TEXT NOT NULL,
            item_id TEXT NOT NULL,
            kind TEXT NOT NULL,
            at_us BIGINT NOT NULL,
            value DOUBLE PRECISION,
            session_id TEXT,
            place TEXT,
            request_id TEXT,
            received_at_us BIGINT NOT NULL
        )""",
        "CREATE INDEX events_of_user ON events (user_id, at_us, seq)",
        """CREATE TABLE impressions (
            request_id TEXT NOT NULL PRIMARY KEY,
            user_id TEXT NOT NULL,
            at_us BIGINT NOT NULL,
            scene TEXT NOT NULL,
            model TEXT NOT NULL
        )""",
        "CREATE INDEX impressions_of_user ON impressions (user_id, at_us)",
        """CREATE TABLE impression_slots (
            request_id TEXT NOT NULL,
            rank INTEGER NOT NULL,
            item_id TEXT NOT NULL,
            score DOUBLE PRECISION NOT NULL,
            channels TEXT NOT NULL,
            PRIMARY KEY (request_id, rank)
        )""",
    ),
    (
        """CREATE TABLE live_items (
            item_id TEXT NOT NULL PRIMARY KEY,
            version BIGINT NOT NULL,
            withdrawn INTEGER NOT NULL,
            item TEXT NOT NULL,
            encoder TEXT NOT NULL,
            parts {bytes} NOT NULL,
            picture_name TEXT,
            picture {bytes}
        )""",
        "CREATE INDEX live_items_by_version ON live_items (version)",
        "CREATE TABLE live_version (version BIGINT NOT NULL)",
        "INSERT INTO live_version (version) VALUES (0)",
    ),
    (
        """CREATE TABLE erasures (
            seq {seq},
            digest TEXT NOT NULL,
            at_us BIGINT NOT NULL,
            asked_by TEXT NOT NULL,
            events INTEGER NOT NULL,
            impressions INTEGER NOT NULL
        )""",
        "CREATE TABLE erasure_salt (salt TEXT NOT NULL)",
    ),
    (
        "ALTER TABLE impressions ADD COLUMN policy TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE impressions ADD COLUMN variants TEXT NOT NULL DEFAULT '{{}}'",
        "CREATE INDEX impressions_by_time ON impressions (at_us)",
        "ALTER TABLE impression_slots ADD COLUMN propensity DOUBLE PRECISION NOT NULL DEFAULT 1.0",
        """CREATE TABLE impression_inputs (
            request_id TEXT NOT NULL PRIMARY KEY,
            names_hash TEXT NOT NULL,
            features {bytes} NOT NULL,
            token_items TEXT NOT NULL,
            tokens {bytes} NOT NULL,
            pool_items TEXT NOT NULL,
            pool_scores {bytes} NOT NULL
        )""",
        "CREATE TABLE feature_names (names_hash TEXT NOT NULL PRIMARY KEY, names TEXT NOT NULL)",
    ),
)
"""Step ``n`` (from 1) takes a store from version ``n - 1`` to ``n``."""

SCHEMA_VERSION = len(MIGRATIONS)


def migrate(connection: Connection) -> None:
    """Bring a store to this version, inside the caller's transaction.

    The caller holds a lock that keeps other processes from migrating at the same time.

    Raises:
        RunError: A newer Vitrine wrote the store.
    """
    version = _version(connection)
    if version > SCHEMA_VERSION:
        raise RunError(
            f"{connection.engine.url!r}: got a store of version {version}, expected at most "
            f"{SCHEMA_VERSION}; a newer Vitrine wrote it, so install that one or newer"
        )
    for step in MIGRATIONS[version:]:
        for statement in step:
            dialect = connection.dialect.name
            typed = statement.format(seq=_SEQ_TYPE[dialect], bytes=_BYTES_TYPE[dialect])
            connection.execute(text(typed))
    if version < SCHEMA_VERSION:
        connection.execute(meta.update().values(schema_version=SCHEMA_VERSION))


def _version(connection: Connection) -> int:
    if not inspect(connection).has_table(meta.name):
        connection.execute(text("CREATE TABLE meta (schema_version INTEGER NOT NULL)"))
        connection.execute(meta.insert().values(schema_version=0))
    return int(connection.execute(select(meta.c.schema_version)).scalar_one())
