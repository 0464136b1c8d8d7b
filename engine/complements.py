"""What goes with an item or a basket, never a substitute; and what belongs in a room."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.errors import DataError
from engine.filters import Filters, allowed_items
from engine.interactions import Ints
from engine.plain import plain_list
from engine.recommendation import Recommendation
from engine.room_photo import best_crops, crops
from engine.runtime import Run
from engine.similar import COMPARED, SHORTLIST
from retrieval.candidates import Bools, Channel, top_rows
from retrieval.complements import bought_with


def complements_of_basket(run: Run, basket: Ints, k: int, allowed: Bools) -> Channel:
    """What lies beside the basket's items more often than by chance, of other categories.

    Args:
        run: Knows the items.
        basket: int64 ``[H]``, distinct items; one is enough.
        k: Answers at most; fewer where fewer are sure.
        allowed: bool ``[I]``.
    """
    return bought_with(basket, run.tables.partners, run.world.items.groups[0], allowed, k)


def complements_of_photo(run: Run, photo: bytes, k: int, allowed: Bools) -> Channel:
    """What looks as if it belonged in a room: items most like any part of its photo.

    The photo is asked in crops, against the pictures of items; an item's score is the mean
    cosine of its best two. Several of a kind may come: a room with one lamp looks like many.

    Raises:
        ImageError: The photo cannot be read.
    """
    asked = run.encoder.encode_images(crops(photo))
    rows = np.flatnonzero(allowed)
    if len(rows) > COMPARED:
        found = run.by_content.search(asked, SHORTLIST // len(asked), allowed=rows)
        rows = np.unique(found.rows[found.valid])
    scores = best_crops(run.sides.looks.cosines(rows, asked))
    pictured = scores != 0  # an item without a picture has a zero row
    rows, scores = rows[pictured], scores[pictured]
    return top_rows("photo", rows, scores, k)


def complements_list(
    run: Run, of: str | Sequence[str] | bytes, k: int, filters: Filters | None
) -> list[Recommendation]:
    """What goes with an item, a basket of items, or the photo of a room, as a list with a reason.

    Args:
        run: Knows the items.
        of: An item id, several, or a picture file.
        k: Answers at most.
        filters: What the answers must meet.

    Raises:
        UnknownIdError: No such item.
        DataError: The basket is empty.
        ImageError: The photo cannot be read.
    """
    allowed = allowed_items(run, filters)
    if isinstance(of, bytes):
        found = complements_of_photo(run, of, k, allowed)
        return plain_list(run, found, "Looks as if it belonged in your photo.")
    ids = [of] if isinstance(of, str) else list(of)
    if not ids:
        raise DataError("complements of an empty basket: give at least one item id")
    basket = np.unique(run.vocabulary.items.rows(ids))
    found = complements_of_basket(run, basket, k, allowed)
    first = run.catalogue[run.vocabulary.items.row(ids[0])].title
    others = f" and {len(basket) - 1} more" if len(basket) > 1 else ""
    return plain_list(run, found, f"Often bought with {first}{others}.")
