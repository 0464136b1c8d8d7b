"""User ids put out of reach: a keyed hash, so that only the shop can tell who is meant."""

from __future__ import annotations

import re
from hashlib import blake2b
from pathlib import Path

import polars as pl

from engine.errors import DataError

MIN_KEY_BYTES, MAX_KEY_BYTES = 16, 64
DIGEST_BYTES = 16
PREFIX = "p-"
USER_COLUMNS = {"users": ("user_id",), "events": ("user_id",), "triples": ("head", "tail")}
"""Columns that may name a user, by table."""
_PSEUDONYM = re.compile(rf"{PREFIX}[0-9a-f]{{{2 * DIGEST_BYTES}}}")


class Pseudonyms:
    """User ids to pseudonyms: keyed BLAKE2b (RFC 7693) of 128 bits, the same for the same key.

    A pseudonym is its own pseudonym, so that an id which an answer held can be asked with.
    """

    def __init__(self, key: bytes) -> None:
        """Use a secret of 16 to 64 bytes.

        Raises:
            DataError: The secret is shorter or longer.
        """
        if not MIN_KEY_BYTES <= len(key) <= MAX_KEY_BYTES:
            raise DataError(
                f"got a pseudonym key of {len(key)} bytes, expected {MIN_KEY_BYTES} to "
                f"{MAX_KEY_BYTES}: make one with `openssl rand -hex 32 > pseudonym.key`"
            )
        self._key = key

    @classmethod
    def open(cls, path: Path) -> Pseudonyms:
        """With the secret that a file holds; white space around it does not count.

        Raises:
            DataError: The file cannot be read, or its secret is too short or too long.
        """
        try:
            key = path.read_bytes().strip()
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}") from error
        return cls(key)

    def of(self, user_id: str) -> str:
        """The pseudonym of a user."""
        if _PSEUDONYM.fullmatch(user_id):
            return user_id
        return (
            PREFIX + blake2b(user_id.encode(), key=self._key, digest_size=DIGEST_BYTES).hexdigest()
        )

    def in_table(self, table: str, rows: pl.DataFrame) -> pl.DataFrame:
        """The same rows, whoever they name under a pseudonym.

        Args:
            table: Its name: ``users``, ``events`` and ``triples`` name users.
            rows: With columns of that table; absent values stay absent.
        """
        columns = [name for name in USER_COLUMNS.get(table, ()) if name in rows.columns]
        return rows.with_columns(self._column(rows[name], table) for name in columns)

    def _column(self, texts: pl.Series, table: str) -> pl.Series:
        change = self._of_node if table == "triples" else self.of
        distinct = texts.drop_nulls().unique().to_list()
        return texts.replace_strict(distinct, [change(text) for text in distinct], default=None)

    def _of_node(self, node: str) -> str:
        """Of what a triple names: a user stands there as ``user:ID``."""
        kind, colon, user_id = node.partition(":")
        return f"{kind}:{self.of(user_id)}" if colon and kind == "user" else node
