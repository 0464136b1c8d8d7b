"""Inserts that a delivery may repeat."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Insert, Table
from sqlalchemy.dialects import postgresql, sqlite

_INSERT: dict[str, Callable[[Table], sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


def insert_new(table: Table, *by: str, dialect: str) -> Insert:
    """An insert that passes over rows whose key is taken, and counts the others."""
    insert = _INSERT[dialect](table).on_conflict_do_nothing(index_elements=by)
    return insert.execution_options(preserve_rowcount=True)
