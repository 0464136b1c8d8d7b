"""What can be asked of a run without a user: likeness, what goes together, places, pictures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from engine.complements import complements_list
from engine.dataset import DatasetSettings
from engine.filters import Filters
from engine.offering import Offering
from engine.recommendation import Recommendation
from engine.runtime import Run
from engine.similar import Likeness, similar_list


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
        if not image or "://" in image or not pictures:
            return None
        path = (self._run.folder / image).resolve()
        inside = path.is_relative_to((self._run.folder / pictures).resolve())
        return path if inside and path.is_file() else None

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
