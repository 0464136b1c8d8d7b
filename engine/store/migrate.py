"""Bring a store to this version, by Alembic.

Stores of before Alembic say in a table ``meta`` how far they are; the numbers are the same.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from engine.errors import RunError

HEAD = "4"
"""The newest of the steps in :mod:`engine.store.migrations`."""
STEPS = Path(__file__).parent / "migrations"


def migrate(connection: Connection) -> None:
    """Take the steps that a store has not taken, inside the caller's transaction.

    The caller holds a lock that keeps other processes from migrating at the same time.

    Raises:
        RunError: A newer Vitrine wrote the store.
    """
    taken = _taken(connection)
    if taken == HEAD and inspect(connection).has_table("alembic_version"):
        return  # nearly always; Alembic need not be imported then
    if taken is not None and (not taken.isdecimal() or int(taken) > int(HEAD)):
        raise RunError(
            f"{connection.engine.url!r}: got a store of version {taken}, expected at most {HEAD}; "
            "a newer Vitrine wrote it, so install that one or newer"
        )
    _upgrade(connection, taken)


def _taken(connection: Connection) -> str | None:
    """The last step that a store has taken; None for an empty one."""
    tables = inspect(connection)
    if tables.has_table("alembic_version"):
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if tables.has_table("meta"):
        return str(connection.execute(text("SELECT schema_version FROM meta")).scalar_one())
    return None


def _upgrade(connection: Connection, taken: str | None) -> None:
    from alembic.operations import Operations
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(STEPS), version_locations=[str(STEPS)])
    steps = {"fn": lambda revision, _: script._upgrade_revs(HEAD, revision)}
    context = MigrationContext.configure(connection, opts=steps)
    if taken is not None and inspect(connection).has_table("meta"):
        context.stamp(script, taken)
        connection.execute(text("DROP TABLE meta"))
    with Operations.context(context):
        context.run_migrations()
