"""What can be asked of a run without a user: likeness, what goes together, places, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import numpy as np

from engine.complements import complements_list
from engine.dataset import DatasetSettings
from engine.filters import Filters
from engine.offering import Offering
from engine.pictures import is_local
from engine.recommendation import Recommendation
from engine.runtime import Run
from engine.similar import Likeness, similar_list
from engine.types import Item


class Browsing(Offering):
    """An engine's items, looked through by whoever comes."""

    def similar(
        self,
        item_id: str,
        k: int = 10,
        *,
        likeness: Likeness | str = Likeness.ALL,
        filters: Filters | None = None,
    ) -> list[Recommendation]:
        """Items like one item.

        Args:
            item_id: The item.
            k: Items at most.
            likeness: ``looks``, ``reads``, ``instead`` (what people take in its stead) or ``all``.
            filters: What the answers must meet.

        Raises:
            UnknownIdError: No such item.
            DataError: It has no picture, or no words, to be compared by.
            ValueError: No such likeness.
        """
        self._live.catch_up()
        return similar_list(self._run, item_id, k, Likeness(likeness), filters)

    def complements(
        self, of: str | Sequence[str] | bytes, k: int = 10, *, filters: Filters | None = None
    ) -> list[Recommendation]:
        """What goes with an item, a basket of items, or the photo of a room; no substitutes.

        Args:
            of: An item id, several, or a picture file.
            k: Items at most; fewer where fewer are sure to go with it.
            filters: What the answers must meet.

        Raises:
            UnknownIdError: No such item.
            DataError: The basket is empty.
            ImageError: The photo cannot be read.
        """
        self._live.catch_up()
        return complements_list(self._run, of, k, filters)

    def places(self) -> list[str]:
        """Places that the run knows, busiest first."""
        totals = self._run.world.trends.place_totals[1:]
        return [self._run.vocabulary.places.id(int(i) + 1) for i in np.argsort(-totals)]

    def picture_path(self, item_id: str) -> Path | None:
        """File of an item's picture in the run's folder of pictures, or None."""
        image, pictures = self.item(item_id).image, self._run.settings.pictures
        live = self._live.picture_file(item_id)
        if live is not None:
            return live
        return _picture_file(self._run.folder, pictures, image) if image and pictures else None

    def has_picture(self, item: Item) -> bool:
        """Whether :meth:`picture_path` has a file for an item's record; reads no store."""
        if self._live.has_picture(item.item_id):
            return True
        pictures = self._run.settings.pictures
        return bool(
            item.image and pictures and _picture_there(self._run.folder, pictures, item.image)
        )

    @property
    def dataset_settings(self) -> DatasetSettings:
        """Name, zone, attribution and terms of the dataset."""
        return self._run.settings

    @property
    def run_id(self) -> str:
        """Twelve digits that name the run."""
        return self._run.manifest.run_id

    @property
    def as_of(self) -> datetime:
        """The moment before which the run learned."""
        return self._run.as_of

    @property
    def run(self) -> Run:
        """The loaded run."""
        return self._run


def _picture_file(folder: Path, pictures: str, image: str) -> Path | None:
    """The file of a run's picture; unlike a dataset's, one that leads out is no error but none."""
    if not is_local(image):
        return None
    path = (folder / image).resolve()
    inside = path.is_relative_to((folder / pictures).resolve())
    return path if inside and path.is_file() else None


@lru_cache(maxsize=100_000)
def _picture_there(folder: Path, pictures: str, image: str) -> bool:
    """Asked for every item of every list; a run's pictures stay what they are."""
    return _picture_file(folder, pictures, image) is not None
