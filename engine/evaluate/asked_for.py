"""What an evaluation may ask for, by name; :mod:`engine.evaluate.protocols` asks it."""

from __future__ import annotations

from enum import StrEnum


class Protocol(StrEnum):
    """Whose what is to be found, from the cut on."""

    FIRST_BASKETS = "first-baskets"
    NEXT_BASKETS = "next-baskets"
    LAST_BASKETS = "last-baskets"
    NEW_USERS = "new-users"
    NEW_ITEMS = "new-items"

    @property
    def heading(self) -> str:
        """What a table is headed by."""
        return _TITLES[self]


_TITLES = {
    Protocol.FIRST_BASKETS: "first baskets after the cut",
    Protocol.NEXT_BASKETS: "every basket after the cut",
    Protocol.LAST_BASKETS: "last baskets after the cut",
    Protocol.NEW_USERS: "first baskets of users who came after the cut",
    Protocol.NEW_ITEMS: "items that nobody had touched before the cut",
}
