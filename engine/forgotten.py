"""Users who were erased, whom a run that learned from them must not know any more."""

from __future__ import annotations

import time

from engine.runtime import Run
from engine.store import EventStore

LOOK_AGAIN_S = 1.0
"""How long another process's erasure may stay unnoticed."""
NOBODY = ""
"""An id that no user has."""


class Forgotten:
    """Erased users by their digests. Safe for threads: a look too many does no harm."""

    def __init__(self, store: EventStore) -> None:
        self._log = store.erasures
        self._last_at_unix_s: dict[str, float] = {}
        self._seen = 0
        self._look_at = 0.0

    def known_as(self, run: Run, user_id: str) -> str:
        """The user's id; :data:`NOBODY` where the run holds events that were erased since.

        What the user did after the erasure is theirs again, in the store and in later runs.
        """
        if time.monotonic() >= self._look_at:
            self.look()
        if not self._last_at_unix_s:
            return user_id
        row = run.vocabulary.users.find(user_id)
        if row is None or run.offsets[row] == run.offsets[row + 1]:
            return user_id
        erased_at = self._last_at_unix_s.get(self._log.digest(user_id) or "")
        first_at = run.history.at_unix_s[run.offsets[row]]
        return user_id if erased_at is None or first_at > erased_at else NOBODY

    def look(self) -> None:
        """Read the erasures of all processes up to now."""
        self._look_at = time.monotonic() + LOOK_AGAIN_S
        for erasure in self._log.since(self._seen):
            self._last_at_unix_s[erasure.digest] = erasure.at.timestamp()
            self._seen = erasure.seq
