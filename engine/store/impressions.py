"""Lists that were shown, slot by slot, with what the scorer saw of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select, bindparam, delete, select

from engine.errors import DataError
from engine.store.erasures import ErasureLog
from engine.store.fields import checked_id, checked_number, checked_text, microseconds, moment
from engine.store.inserting import insert_new
from engine.store.parts import READ_AT_ONCE, in_parts
from engine.store.records import Impression, Seen, Showing, Slot
from engine.store.schema import feature_names, impression_inputs, impression_slots, impressions

_SHOWN: Select[Any] = (
    select(impression_slots.c.item_id, impressions.c.request_id, impressions.c.at_us)
    .join(impressions, impressions.c.request_id == impression_slots.c.request_id)
    .where(
        impressions.c.user_id == bindparam("user_id"), impressions.c.at_us >= bindparam("since_us")
    )
    .order_by(impressions.c.at_us)
)


class ImpressionTable:
    """Impressions in the store's database."""

    def __init__(self, reads: Engine, writes: Engine, erasures: ErasureLog) -> None:
        self._reads, self._writes = reads, writes
        self._erasures = erasures
        dialect = reads.dialect.name
        self._head = insert_new(impressions, "request_id", dialect=dialect)
        self._slot = insert_new(impression_slots, "request_id", "rank", dialect=dialect)
        self._input = insert_new(impression_inputs, "request_id", dialect=dialect)
        self._name = insert_new(feature_names, "names_hash", dialect=dialect)

    def log(self, shown: Sequence[Impression]) -> int:
        """Store lists; a known ``request_id`` is passed over.

        So is a list whose user was erased after it was shown: it waited in a process's queue.

        Returns:
            How many were new.

        Raises:
            DataError: A field cannot be stored.
        """
        rows = [(_head_row(one), _slot_rows(one), _input_row(one)) for one in shown]
        named = {_names_hash(one.seen.names): one.seen.names for one in shown if one.seen}
        names = [{"names_hash": key, "names": json.dumps(of)} for key, of in named.items()]
        with self._writes.begin() as connection:
            if names:
                connection.execute(self._name, names)
            late = self._erasures.covered(
                connection, [(h["user_id"], h["at_us"]) for h, *_ in rows]
            )
            kept = [row for row, is_late in zip(rows, late, strict=True) if not is_late]
            known = _known(connection, [head["request_id"] for head, *_ in kept])
            # A list that comes twice in one delivery is the first of the two.
            new = {h["request_id"]: (h, *of) for h, *of in reversed(kept)}
            new = {id_: of for id_, of in new.items() if id_ not in known}
            for insert, wanted in (
                (self._head, [head for head, _, _ in new.values()]),
                (self._slot, [slot for _, slots, _ in new.values() for slot in slots]),
                (self._input, [one for _, _, one in new.values() if one]),
            ):
                if wanted:
                    connection.execute(insert, wanted)
        return len(new)

    def find(self, request_id: str) -> Impression | None:
        """The list that answered a request; None if none was logged.

        Raises:
            DataError: The id cannot be one.
        """
        request_id = checked_id("request_id", request_id)
        head = select(impressions).where(impressions.c.request_id == request_id)
        with self._reads.connect() as connection:
            found = self._whole(connection, connection.execute(head).all(), slots=True, seen=True)
        return found[0] if found else None

    def between(
        self, since: datetime, before: datetime, *, slots: bool = True, seen: bool = False
    ) -> Iterator[Impression]:
        """The lists of a span of time, in its order.

        Args:
            since: The first moment that is asked for (time zone aware).
            before: The first that no longer is.
            slots: Whether to read the slots.
            seen: Whether to read what the scorer saw of them too.

        Raises:
            DataError: A moment has no zone.
        """
        span = microseconds("since", since), microseconds("before", before)
        at = impressions.c.at_us
        asked = select(impressions).where(at >= span[0], at < span[1])
        asked = asked.order_by(at, impressions.c.request_id)
        with self._reads.connect() as connection:
            for part in connection.execute(asked).partitions(READ_AT_ONCE):
                yield from self._whole(connection, part, seen=seen, slots=slots)

    def shown_to(self, user_id: str, since: datetime) -> list[Showing]:
        """Every item that a user was shown from a moment on, oldest first.

        Raises:
            DataError: The id cannot be one, or the moment has no zone.
        """
        asked = {
            "user_id": checked_id("user_id", user_id),
            "since_us": microseconds("since", since),
        }
        with self._reads.connect() as connection:
            return [
                Showing(item_id, request_id, moment(at_us))
                for item_id, request_id, at_us in connection.execute(_SHOWN, asked)
            ]

    def erase(self, connection: Connection, user_id: str) -> int:
        """Delete the lists of a user, inside the caller's transaction; tells how many."""
        mine = select(impressions.c.request_id).where(impressions.c.user_id == user_id)
        for table in (impression_slots, impression_inputs):
            connection.execute(delete(table).where(table.c.request_id.in_(mine)))
        return connection.execute(
            delete(impressions).where(impressions.c.user_id == user_id)
        ).rowcount

    def _whole(
        self, connection: Connection, heads: Sequence[Row[Any]], *, slots: bool, seen: bool
    ) -> list[Impression]:
        """Heads with what is asked for of them."""
        ids = [head.request_id for head in heads]
        places = _slots(connection, ids) if slots else {}
        inputs = _seen(connection, ids) if seen else {}
        return [
            Impression(
                head.request_id,
                head.user_id,
                moment(head.at_us),
                head.scene,
                head.model,
                tuple(places.get(head.request_id, ())),
                head.policy,
                json.loads(head.variants),
                inputs.get(head.request_id),
            )
            for head in heads
        ]


def _known(connection: Connection, ids: Sequence[str]) -> set[str]:
    """Which of some lists are stored already."""
    known: set[str] = set()
    for part in in_parts(ids):
        asked = impressions.c.request_id.in_(part)
        known.update(connection.execute(select(impressions.c.request_id).where(asked)).scalars())
    return known


def _slots(connection: Connection, ids: Sequence[str]) -> Mapping[str, Sequence[Slot]]:
    found: dict[str, list[Slot]] = {}
    asked = select(impression_slots).where(impression_slots.c.request_id.in_(ids))
    for row in connection.execute(asked.order_by(impression_slots.c.rank)):
        found.setdefault(row.request_id, []).append(_slot(row))
    return found


def _seen(connection: Connection, ids: Sequence[str]) -> Mapping[str, Seen]:
    joined = impression_inputs.join(
        feature_names, feature_names.c.names_hash == impression_inputs.c.names_hash
    )
    asked = select(impression_inputs, feature_names.c.names).select_from(joined)
    asked = asked.where(impression_inputs.c.request_id.in_(ids))
    return {
        row.request_id: Seen(
            tuple(json.loads(row.names)),
            row.features,
            tuple(json.loads(row.token_items)),
            row.tokens,
            tuple(json.loads(row.pool_items)),
            row.pool_scores,
        )
        for row in connection.execute(asked)
    }


def _slot(row: Row[Any]) -> Slot:
    return Slot(row.item_id, row.rank, row.score, json.loads(row.channels), row.propensity)


def _head_row(shown: Impression) -> dict[str, Any]:
    return {
        "request_id": checked_id("request_id", shown.request_id),
        "user_id": checked_id("user_id", shown.user_id),
        "at_us": microseconds("timestamp", shown.timestamp),
        "scene": checked_text("scene", shown.scene),
        "model": checked_text("model", shown.model),
        "policy": checked_text("policy", shown.policy),
        "variants": checked_text("variants", json.dumps(dict(shown.variants))),
    }


def _slot_rows(shown: Impression) -> list[dict[str, Any]]:
    ranks = [slot.rank for slot in shown.slots]
    if len(set(ranks)) != len(ranks) or min(ranks, default=1) < 1:
        raise DataError(f"rank: got {ranks}, expected distinct ranks from 1 on")
    return [
        {
            "request_id": shown.request_id,
            "rank": slot.rank,
            "item_id": checked_id("item_id", slot.item_id),
            "score": checked_number("score", slot.score),
            "channels": json.dumps(
                {name: checked_number(name, score) for name, score in slot.channels.items()}
            ),
            "propensity": _chance(slot.propensity),
        }
        for slot in shown.slots
    ]


def _chance(value: float) -> float:
    if not 0.0 < value <= 1.0:
        raise DataError(f"propensity: got {value}, expected more than 0 and at most 1")
    return float(value)


def _input_row(shown: Impression) -> dict[str, Any] | None:
    seen = shown.seen
    if seen is None:
        return None
    expected = 4 * len(seen.names) * len(shown.slots)
    if len(seen.features) != expected:
        raise DataError(
            f"features: got {len(seen.features)} bytes, expected {expected}: float32, "
            f"{len(shown.slots)} slots by {len(seen.names)} names"
        )
    return {
        "request_id": shown.request_id,
        "names_hash": _names_hash(seen.names),
        "features": seen.features,
        "token_items": json.dumps(seen.token_items),
        "tokens": seen.tokens,
        "pool_items": json.dumps(seen.pool_items),
        "pool_scores": seen.pool_scores,
    }


@lru_cache(maxsize=64)
def _names_hash(names: tuple[str, ...]) -> str:
    return hashlib.blake2b("\0".join(names).encode(), digest_size=8).hexdigest()
