"""Selects that every answer asks: compiled once, and handed to the driver without detours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, PoolProxiedConnection, Select
from sqlalchemy.exc import OperationalError

KEPT = 1
"""Connections that a question keeps to itself; who finds none takes one out of the pool."""
_Rows = list[tuple[Any, ...]]


class Question:
    """A select with parameters, of columns that the driver itself gives in Python's types.

    Building a statement and its result anew, and fetching a connection for them, costs many times
    what the database does for it. Threads may ask at once.
    """

    def __init__(self, engine: Engine, asked: Select[Any]) -> None:
        compiled = asked.compile(dialect=engine.dialect)
        self._engine = engine
        self._sql = str(compiled)
        self._values = dict(compiled.params)
        self._order = compiled.positiontup
        """Names of the parameters where they go by their places; None where they are named."""
        self._failure: type[Exception] = engine.dialect.loaded_dbapi.Error
        self._kept: list[PoolProxiedConnection] = []

    def ask(self, **values: object) -> _Rows:
        """All rows for some values of the parameters.

        Raises:
            OperationalError: The database could not answer.
        """
        named = self._values | values
        given = named if self._order is None else [named[name] for name in self._order]
        kept = self._take()
        if kept is not None:
            try:
                return self._answer(kept, given)
            except self._failure:
                kept.invalidate()  # it may have been lost; the pool's are looked at first
        fresh = self._engine.raw_connection()
        try:
            return self._answer(fresh, given)
        except self._failure as error:
            fresh.close()
            raise OperationalError(self._sql, None, error, hide_parameters=True) from error

    def close(self) -> None:
        """Let go of the connections."""
        while (kept := self._take()) is not None:
            kept.close()

    def _take(self) -> PoolProxiedConnection | None:
        try:
            return self._kept.pop()
        except IndexError:
            return None

    def _answer(
        self, connection: PoolProxiedConnection, given: Mapping[str, object] | Sequence[object]
    ) -> _Rows:
        cursor = connection.cursor()
        cursor.execute(self._sql, given)
        rows = list(cursor.fetchall())
        connection.rollback()  # what began with the select must not keep others waiting
        if len(self._kept) < KEPT:
            self._kept.append(connection)
        else:
            connection.close()
        return rows
