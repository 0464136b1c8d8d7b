"""Who was erased, by whom and when: an audit log that names nobody.

A user stands here as a digest, keyed with a salt that the store makes for itself: whoever holds an
id can ask whether it was erased, and nobody can read ids off the log.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine, bindparam, func, select

from engine.store.parts import in_parts
from engine.store.records import Erased, Erasure
from engine.store.schema import erasure_salt, erasures

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SALT = select(erasure_salt.c.salt)
_LAST = (
    select(erasures.c.digest, func.max(erasures.c.at_us))
    .where(erasures.c.digest.in_(bindparam("digests", expanding=True)))
    .group_by(erasures.c.digest)
)
_SINCE = select(erasures).where(erasures.c.seq > bindparam("seq")).order_by(erasures.c.seq)


class ErasureLog:
    """Erasures in the order in which they happened. Nothing deletes from it."""

    def __init__(self, reads: Engine) -> None:
        self._reads = reads
        self._salt: str | None = None

    def record(self, connection: Connection, user_id: str, erased: Erased, by: str) -> None:
        """Write one erasure, inside the transaction that erases.

        Args:
            connection: Of that transaction.
            user_id: Who was erased; only a digest is kept.
            erased: What was taken away.
            by: Who asked for it: the name of an API key, or a program's.
        """
        salt = connection.execute(_SALT).scalar_one_or_none()
        if salt is None:
            salt = secrets.token_hex(32)
            connection.execute(erasure_salt.insert(), {"salt": salt})
        connection.execute(
            erasures.insert(),
            {
                "digest": _digest(salt, user_id),
                "at_us": time.time_ns() // 1000,
                "asked_by": by,
                "events": erased.events,
                "impressions": erased.impressions,
            },
        )

    def covered(self, connection: Connection, seen: Sequence[tuple[str, int]]) -> list[bool]:
        """Of users and moments: was the user erased then or later? What comes of it is too late.

        Args:
            connection: Of the transaction that would write it.
            seen: Ids of users, each with microseconds since 1970.
        """
        salt = self._salt or connection.execute(_SALT).scalar_one_or_none()
        if salt is None:
            return [False] * len(seen)
        self._salt = salt
        digests = [_digest(salt, user_id) for user_id, _ in seen]
        erased_us: dict[str, int] = {}
        for part in in_parts(digests):
            for digest, at_us in connection.execute(_LAST, {"digests": part}):
                erased_us[digest] = at_us
        return [
            erased_us.get(digest, -1) >= at_us
            for digest, (_, at_us) in zip(digests, seen, strict=True)
        ]

    def since(self, seq: int) -> list[Erasure]:
        """Erasures after the one with a number; 0 gives all."""
        with self._reads.connect() as connection:
            return [
                Erasure(
                    row.seq,
                    row.digest,
                    _EPOCH + timedelta(microseconds=row.at_us),
                    row.asked_by,
                    Erased(row.events, row.impressions),
                )
                for row in connection.execute(_SINCE, {"seq": seq})
            ]

    def digest(self, user_id: str) -> str | None:
        """How the log would name a user; None while nobody was ever erased."""
        if self._salt is None:
            with self._reads.connect() as connection:
                self._salt = connection.execute(_SALT).scalar_one_or_none()
        return None if self._salt is None else _digest(self._salt, user_id)


def _digest(salt: str, user_id: str) -> str:
    return hmac.new(bytes.fromhex(salt), user_id.encode(), hashlib.sha256).hexdigest()
