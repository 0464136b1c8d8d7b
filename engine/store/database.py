"""Open the database behind the store: SQLite in WAL mode by default, PostgreSQL by URL."""

from __future__ import annotations

import sqlite3
import time
from importlib.util import find_spec

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from engine.errors import MissingExtraError, RunError
from engine.store.migrate import migrate

BUSY_TIMEOUT_S = 30.0
_WRITES = "vitrine_writes"
_MIGRATION_LOCK = 0x76697472


def open_database(url: str) -> Engine:
    """Connect, and bring the schema to this version.

    Args:
        url: ``sqlite:///folder/store.db`` or ``postgresql://user@host/name``.

    Raises:
        RunError: The URL is of another kind, or the database cannot be used.
        MissingExtraError: PostgreSQL without its driver.
    """
    target = _checked_url(url)
    engine = _sqlite(target) if target.get_backend_name() == "sqlite" else _postgresql(target)
    try:
        with for_writing(engine).begin() as connection:
            if connection.dialect.name == "postgresql":
                lock = text("SELECT pg_advisory_xact_lock(:key)")
                connection.execute(lock, {"key": _MIGRATION_LOCK})
            migrate(connection)
    except (SQLAlchemyError, sqlite3.Error) as error:
        engine.dispose()
        raise RunError(
            f"{target!r}: cannot open the store ({getattr(error, 'orig', error)}); SQLite wants "
            "a folder that exists and a file that is a database, PostgreSQL a running server"
        ) from error
    except RunError:
        engine.dispose()
        raise
    return engine


def for_writing(engine: Engine) -> Engine:
    """The same engine, whose transactions take SQLite's write lock as they begin.

    One that reads first and writes later can be refused half-way; one that waits at the door
    cannot.
    """
    return engine.execution_options(**{_WRITES: True})


def _checked_url(url: str) -> URL:
    try:
        target = make_url(url)
    except ArgumentError as error:
        raise RunError(
            f"got {url!r}, expected a URL such as sqlite:///store.db or postgresql://host/name"
        ) from error
    backend = target.get_backend_name()
    if backend not in {"sqlite", "postgresql"}:
        raise RunError(f"{target!r}: got {backend}, expected sqlite or postgresql")
    if backend == "sqlite" and target.database in {None, "", ":memory:"}:
        raise RunError(
            f"{target!r}: a store in memory forgets what it acknowledged; name a file, such as "
            "sqlite:///store.db"
        )
    return target


def _postgresql(target: URL) -> Engine:
    if find_spec("psycopg") is None:
        raise MissingExtraError("psycopg", "scale")
    return create_engine(
        target.set(drivername="postgresql+psycopg"), pool_pre_ping=True, hide_parameters=True
    )


def _sqlite(target: URL) -> Engine:
    engine = create_engine(
        target,
        connect_args={"timeout": BUSY_TIMEOUT_S},
        hide_parameters=True,  # an error goes to the log, and who it was about must not
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where `begin` below says
        _use_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")  # NORMAL may lose the last commits
        connection.execute("PRAGMA secure_delete = ON")  # an erased user leaves no bytes

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get(_WRITES):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to the write-ahead log, which stays switched on in the file.

    SQLite does not wait for other processes here, whatever the busy timeout.
    """
    give_up_at = time.monotonic() + BUSY_TIMEOUT_S
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up_at:
                raise
            time.sleep(0.01)
