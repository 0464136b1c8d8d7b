"""What a shop offers, as an engine lets it be changed."""

from __future__ import annotations

from typing import Unpack

from engine.item_form import ItemChanges, ItemFields, changed_item, new_item
from engine.live_items import LiveItems
from engine.runtime import Run
from engine.types import Item


class Offering:
    """The items of an engine: looked up, added, changed and withdrawn while it answers."""

    def __init__(self, live: LiveItems) -> None:
        self._live = live

    @property
    def _run(self) -> Run:
        return self._live.run

    def item(self, item_id: str) -> Item:
        """One item of the catalogue.

        Raises:
            UnknownIdError: No such item.
        """
        run = self._live.catch_up()
        return run.catalogue[run.vocabulary.items.row(item_id)]

    def prepare_changes(self) -> None:
        """Do ahead what the first change would wait for: a copy of what describes the items."""
        self._live.prepare()

    def add_item(
        self,
        item_id: str,
        title: str,
        *,
        picture: bytes | None = None,
        **fields: Unpack[ItemFields],
    ) -> Item:
        """Offer a new item, or one that was withdrawn: the next answer may hold it.

        It is encoded and placed in the graph by what it looks and reads like, its categories and
        its brand, and stored durably: every process on the store and every later run knows it.

        Args:
            item_id: A new id, or that of an item that was withdrawn.
            title: What the item is called.
            picture: A file's bytes; JPEG, PNG, WebP, GIF, BMP, TIFF, PPM or SVG.
            **fields: As :class:`engine.types.Item` names them.

        Raises:
            DataError: The item is there already, or a field cannot be used.
            ImageError: The picture cannot be read.
        """
        item = new_item(item_id, title, fields)
        self._live.add(item, picture)
        return item

    def update_item(
        self, item_id: str, *, picture: bytes | None = None, **changes: Unpack[ItemChanges]
    ) -> Item:
        """Change an item; what is not named stays. The next answer holds the change.

        Raises:
            UnknownIdError: No such item.
            DataError: It was withdrawn, or a field cannot be used.
            ImageError: The picture cannot be read.
        """
        item = changed_item(self.item(item_id), changes)
        self._live.change(item, picture)
        return item

    def remove_item(self, item_id: str) -> None:
        """Withdraw an item: no later answer holds it. What users did to it is still known.

        Raises:
            UnknownIdError: No such item.
            DataError: It was withdrawn already.
        """
        self._live.withdraw(item_id)
