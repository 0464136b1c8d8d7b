"""What goes with an item, a basket or a photo of a room."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import planted
import pytest
from PIL import Image

from encoders import ImageError
from engine.complements import complements_of_photo
from engine.errors import DataError, UnknownIdError
from engine.filters import Filters
from engine.room_photo import best_crops, crops, windows
from engine.sides import Side, Sides


def ids(listed) -> list[str]:
    return [r.item.item_id for r in listed]


def photo(colours: list[str], size: int = 90) -> bytes:
    """A picture of coloured stripes, side by side."""
    picture = Image.new("RGB", (size * len(colours), size))
    for i, colour in enumerate(colours):
        picture.paste(Image.new("RGB", (size, size), colour), (i * size, 0))
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def test_complements_are_of_the_block_and_never_of_the_category(shop):
    groups = shop.run.world.items.groups[0]
    for item in (0, 4, 33):
        listed = shop.complements(planted.item_id(item), 5)
        assert listed
        rows = shop.run.vocabulary.items.rows(ids(listed))
        assert not (groups[rows] == groups[item]).any()
        assert all(row // planted.BLOCK_SIZE == item // planted.BLOCK_SIZE for row in rows)
        assert all("Often bought with" in r.reason for r in listed)


def test_the_habit_of_a_user_is_the_partner_of_its_other_half(shop):
    # Every user takes two neighbouring items in each visit; shelves alternate, so they differ.
    for first in (0, 2, 30, 34):
        assert planted.item_id(first + 1) in ids(shop.complements(planted.item_id(first), 3))


def test_a_basket_asks_for_all_of_its_items(shop):
    basket = [planted.item_id(0), planted.item_id(32)]
    listed = shop.complements(basket, 6)
    blocks = {planted.block_of_item(id_) for id_ in ids(listed)}
    assert blocks == {0, 1}
    assert not set(basket) & set(ids(listed))
    assert ids(shop.complements(basket[::-1] + basket, 6)) == ids(listed)
    assert listed[0].reason.endswith("and 1 more.")


def test_filters_hold_for_complements_too(shop):
    item = planted.item_id(0)
    first = ids(shop.complements(item, 3))[0]
    assert first not in ids(shop.complements(item, 3, filters=Filters(exclude=(first,))))


def test_nothing_and_nobody_are_refused(shop):
    with pytest.raises(DataError, match="empty basket"):
        shop.complements([])
    with pytest.raises(UnknownIdError):
        shop.complements(["item-00", "nothing"])
    with pytest.raises(ImageError):
        shop.complements(b"no picture")


def test_windows_cover_the_photo_at_three_scales():
    boxes = windows(90, 60)
    assert boxes[0] == (0, 0, 90, 60)
    assert len(boxes) == len(set(boxes)) == 1 + 9 + 25
    assert boxes[1] == (0, 0, 45, 30)
    assert boxes[9] == (45, 30, 90, 60)
    assert boxes[-1] == (60, 40, 90, 60)
    assert all(0 <= a < c <= 90 and 0 <= b < d <= 60 for a, b, c, d in boxes)


def test_crops_show_what_their_windows_show():
    pieces = crops(photo(["red", "green", "blue"]))
    last = Image.open(BytesIO(pieces[-1]))
    assert last.size == (90, 30)
    assert last.getpixel((5, 5)) == (0, 0, 255)
    assert Image.open(BytesIO(pieces[0])).size == (270, 90)


def test_the_best_crops_count():
    scores = np.array([[0.1, 0.9, 0.7], [0.5, 0.2, 0.4]], np.float32)
    np.testing.assert_allclose(best_crops(scores, 2), [0.8, 0.45], rtol=1e-6)
    np.testing.assert_allclose(best_crops(scores, 9), scores.mean(axis=1), rtol=1e-6)


def test_a_room_is_shown_what_stands_in_it(loaded):
    encoder = loaded.encoder
    colours = ["red", "blue", "yellow", "green", "black", "white"]
    vectors = encoder.encode_images([photo([colour]) for colour in colours])
    looks = np.zeros(loaded.tables.content.shape, np.float32)
    looks[: len(colours)] = vectors
    run = replace(loaded, sides=Sides(Side(looks.astype(np.float16)), loaded.sides.reads))
    recommendable = run.world.items.recommendable
    shown = complements_of_photo(run, photo(["red", "blue"]), 20, recommendable)
    assert set(shown.rows) == set(range(len(colours)))  # nothing without a picture
    assert set(shown.rows[:2]) == {0, 1}
    assert (np.diff(shown.scores) <= 0).all()
    assert len(complements_of_photo(run, photo(["red"]), 1, recommendable).rows) == 1
