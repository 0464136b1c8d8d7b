"""What an engine knows of its users, and how it forgets them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.asking import moment_of
from engine.browsing import Browsing
from engine.errors import UnknownIdError
from engine.forgotten import Forgotten
from engine.live_items import LiveItems
from engine.portrait import Portrait
from engine.portraying import portrait_of
from engine.recommendation import Shopper
from engine.scene import Scene
from engine.shopper import history_of, shopper_of
from engine.store import Erased, EventStore
from engine.types import Event


class People(Browsing):
    """The users of an engine: observed, portrayed and forgotten."""

    def __init__(self, live: LiveItems, store: EventStore) -> None:
        super().__init__(live)
        self.store = store
        self._forgotten = Forgotten(store)

    def observe(self, events: Sequence[Event]) -> int:
        """Store events durably; the next :meth:`recommend` sees them.

        Returns:
            How many were new: an ``event_id`` counts once.

        Raises:
            UnknownIdError: An item is not in the catalogue; nothing is stored then.
            DataError: An event cannot be stored.
        """
        self._live.catch_up()
        self._must_know(events)
        return self.store.append(events)

    def portrait(self, user_id: str) -> Portrait:
        """Interests, habits, price band, rhythm and places of a user, by everything they did.

        Raises:
            UnknownIdError: Neither the run nor the store has an event of the user.
        """
        self._live.catch_up()
        self._forgotten.look()
        live = self.store.history(user_id)
        known = self._forgotten.known_as(self._run, user_id)
        history = history_of(self._run, known, live, moment_of(self._run, Scene()))
        if len(history) == 0 and not live:
            raise UnknownIdError("user", user_id)
        return portrait_of(self._run, user_id, history)

    def known_as(self, user_id: str) -> str:
        """The id under which the run may know a user: nobody's for one who was erased."""
        return self._forgotten.known_as(self._run, user_id)

    def erase_user(self, user_id: str, *, by: str = "program") -> Erased:
        """Forget a user: their events and impressions are deleted, also from the disk.

        What the run learned from them stays in its vectors, but their history in it is no longer
        read: they are answered as someone unknown. The erasure log of the store keeps a digest,
        the moment, the counts and who asked.

        Args:
            user_id: May be unknown; the erasure is logged all the same.
            by: Who asked for it.

        Raises:
            DataError: The id cannot be one.
        """
        erased = self.store.erase_user(user_id, by=by)
        self._forgotten.look()
        return erased

    def shoppers(self, limit: int = 50) -> list[Shopper]:
        """Users with the most events, for people to pick from; none that was erased."""
        self._forgotten.look()
        counts = np.diff(self._run.offsets)
        found: list[Shopper] = []
        for row in np.argsort(-counts, kind="stable"):
            if len(found) == limit:
                break
            user_id = self._run.vocabulary.users.id(int(row))
            if self._forgotten.known_as(self._run, user_id):
                found.append(shopper_of(self._run, int(row)))
        return found

    def _must_know(self, events: Sequence[Event]) -> None:
        for event in events:
            if event.item_id not in self._run.vocabulary.items:
                raise UnknownIdError("item", event.item_id)
