"""The newest requests that a store remembers: what a server warms up with."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, select

from engine.store.schema import impressions


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that was answered once."""

    user_id: str
    scene: str
    """As JSON text."""


def recent_requests(database: Engine, limit: int) -> list[Asked]:
    """The newest requests, the newest first.

    Args:
        database: Opened with :func:`engine.store.database.open_database`.
        limit: How many at most.
    """
    newest = (
        select(impressions.c.user_id, impressions.c.scene)
        .order_by(impressions.c.at_us.desc())
        .limit(limit)
    )
    with database.connect() as connection:
        return [Asked(user, scene) for user, scene in connection.execute(newest)]
