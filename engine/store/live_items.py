"""Items that were added, changed or withdrawn while runs serve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Engine, bindparam, delete, select

from engine.store.question import Question
from engine.store.records import LiveRecord
from engine.store.schema import live_items, live_version

_VERSION = select(live_version.c.version)
_RECORD = (
    live_items.c.item_id,
    live_items.c.withdrawn,
    live_items.c.item,
    live_items.c.encoder,
    live_items.c.parts,
    live_items.c.picture_name,
    live_items.c.version,
)
_SINCE = select(*_RECORD).where(live_items.c.version > bindparam("version"))
_PICTURE = select(live_items.c.picture).where(live_items.c.item_id == bindparam("item_id"))


class LiveItemTable:
    """The newest state of every live item, numbered by change.

    A reader that has seen version ``n`` asks for what is newer; :meth:`version` tells at the
    cost of one small read whether there is anything.
    """

    def __init__(self, reads: Engine, writes: Engine) -> None:
        self._reads, self._writes = reads, writes
        self._version = Question(reads, _VERSION)

    def version(self) -> int:
        """Number of the last change, 0 before the first."""
        ((version,),) = self._version.ask()
        return int(version)

    def close(self) -> None:
        """Let go of the connection that :meth:`version` keeps."""
        self._version.close()

    def put(self, record: LiveRecord, picture: bytes | None = None) -> int:
        """Store an item's new state durably, in place of the one before.

        Args:
            record: Its version is not read.
            picture: None keeps the one that is stored, if the record names it.

        Returns:
            The version of the change.
        """
        with self._writes.begin() as connection:
            connection.execute(live_version.update().values(version=live_version.c.version + 1))
            version = int(connection.execute(_VERSION).scalar_one())
            if picture is None and record.picture_name is not None:
                known = {"item_id": record.item_id}
                picture = connection.execute(_PICTURE, known).scalar_one_or_none()
            connection.execute(delete(live_items).where(live_items.c.item_id == record.item_id))
            connection.execute(live_items.insert(), _row(record, version, picture))
        return version

    def since(self, version: int) -> list[LiveRecord]:
        """The items that changed after a version, in the order of their last changes."""
        asked = _SINCE.order_by(live_items.c.version)
        with self._reads.connect() as connection:
            return [
                LiveRecord(item_id, bool(withdrawn), *rest)
                for item_id, withdrawn, *rest in connection.execute(asked, {"version": version})
            ]

    def find(self, item_id: str) -> LiveRecord | None:
        """The newest state of one item; None where it never changed."""
        asked = select(*_RECORD).where(live_items.c.item_id == item_id)
        with self._reads.connect() as connection:
            row = connection.execute(asked).one_or_none()
        return None if row is None else LiveRecord(row[0], bool(row[1]), *row[2:])

    def picture(self, item_id: str) -> bytes | None:
        """The picture of an item as it was given; None where there is none."""
        with self._reads.connect() as connection:
            return connection.execute(_PICTURE, {"item_id": item_id}).scalar_one_or_none()


def _row(record: LiveRecord, version: int, picture: bytes | None) -> Mapping[str, Any]:
    return {
        "item_id": record.item_id,
        "version": version,
        "withdrawn": int(record.withdrawn),
        "item": record.item,
        "encoder": record.encoder,
        "parts": record.parts,
        "picture_name": record.picture_name,
        "picture": picture,
    }
