from io import BytesIO

import numpy as np
import polars as pl
import pytest
from PIL import Image

from encoders import Encoder, VectorCache
from engine.content import encode_items, words_of
from engine.dataset import Dataset, DatasetSettings, conform, write_dataset


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.open("bundled")


def table(**columns) -> pl.DataFrame:
    n = len(columns["title"])
    return conform("items", pl.DataFrame({"item_id": [f"i{r}" for r in range(n)]} | columns))


def png(colour: str) -> bytes:
    file = BytesIO()
    Image.new("RGB", (40, 40), colour).save(file, format="PNG")
    return file.getvalue()


def dataset(tmp_path, items: pl.DataFrame, pictures: dict[str, bytes]) -> Dataset:
    folder = tmp_path / "data"
    event = {"user_id": ["u"], "item_id": ["i0"], "kind": ["view"], "timestamp": ["2024-01-01"]}
    events = pl.DataFrame(event).with_columns(
        pl.col("timestamp").str.to_datetime("%Y-%m-%d", time_zone="UTC")
    )
    settings = DatasetSettings(name="small", pictures="pictures")
    made = write_dataset(folder, settings, items=items, events=events)
    (folder / "pictures").mkdir()
    for name, data in pictures.items():
        (folder / "pictures" / name).write_bytes(data)
    return made


def test_words_are_title_finest_category_maker_and_description():
    items = table(
        title=["Yogurt, 6 oz (variety 31)", "Mug", "(unnamed)", "Tea (green) bags"],
        categories=[["Food", "Dairy"], [], [], []],
        brand=["Acme", None, None, None],
        description=[None, "Blue, for coffee", None, None],
    )
    assert words_of(items) == [
        "Yogurt, 6 oz. Dairy. Acme",
        "Mug. Blue, for coffee",
        "(unnamed)",
        "Tea (green) bags",
    ]


def test_a_book_of_a_description_is_cut():
    (words,) = words_of(table(title=["Novel"], description=["word " * 100_000]))
    assert len(words) == 1000


def test_twins_are_encoded_alike_and_others_by_what_they_are(tmp_path, encoder):
    titles = ["Milk, 1 l (variety 1)", "Milk, 1 l (variety 2)", "Whole milk", "Claw hammer"]
    shop = dataset(tmp_path, table(title=titles), {})
    content = encode_items(shop, encoder, VectorCache(tmp_path / "cache"), image_weight=0.35)
    likeness = content.vectors @ content.vectors.T
    np.testing.assert_allclose(np.diag(likeness), 1, rtol=1e-5)
    assert likeness[0, 1] == pytest.approx(1, abs=1e-5)
    assert likeness[0, 2] > likeness[0, 3] + 0.2
    assert content.known.all()


def test_a_picture_moves_the_vector_and_a_bad_one_is_told_of_and_passed_over(tmp_path, encoder):
    items = table(
        title=["Cloth"] * 6,
        image=[
            None,
            "pictures/red.png",
            "pictures/blue.png",
            "pictures/broken.png",
            "pictures/missing.png",
            "https://example.org/red.png",
        ],
    )
    files = {"red.png": png("red"), "blue.png": png("blue"), "broken.png": b"\x89PNG no more"}
    notes: list[str] = []
    content = encode_items(
        dataset(tmp_path, items, files),
        encoder,
        VectorCache(tmp_path / "cache"),
        image_weight=0.5,
        on_note=notes.append,
    )
    plain, red, blue, *others = content.vectors
    for other in others:
        np.testing.assert_allclose(other, plain, atol=1e-6)
    assert red @ plain < 0.99
    assert red @ blue < 0.999
    (note,) = notes
    assert note.startswith("1 of 5 pictures not encoded; the first: pictures/broken.png: ")


def test_a_picture_outside_the_dataset_is_not_read(tmp_path, encoder):
    (tmp_path / "secret.png").write_bytes(png("red"))
    items = table(title=["Cloth", "Cloth"], image=[None, "../secret.png"])
    notes: list[str] = []
    content = encode_items(
        dataset(tmp_path, items, {}),
        encoder,
        VectorCache(tmp_path / "cache"),
        image_weight=0.5,
        on_note=notes.append,
    )
    np.testing.assert_allclose(content.vectors[1], content.vectors[0], atol=1e-6)
    assert "leads out of" in notes[0]
