from io import BytesIO

import numpy as np
import polars as pl
import pytest
from PIL import Image

from encoders import Encoder, VectorCache
from encoders.gates import Gates, agreements, shares_of
from engine.content import (
    MAX_PAIRS,
    PARTS,
    Parts,
    attributes_of,
    descriptions_of,
    encode_parts,
    learn_gates,
    set_gates,
    taken_together,
    words_of,
)
from engine.dataset import conform
from engine.interactions import Interactions


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


def encoded(tmp_path, encoder: Encoder, items: pl.DataFrame, pictures=(), **told) -> Parts:
    folder = tmp_path / "data"
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    for name, data in dict(pictures).items():
        (folder / "pictures" / name).write_bytes(data)
    return encode_parts(items, folder, encoder, VectorCache(tmp_path / "cache"), **told)


def visits(*baskets) -> Interactions:
    """Baskets of item rows, one session each."""
    session = np.repeat(np.arange(len(baskets)), [len(basket) for basket in baskets])
    item = np.concatenate([np.array(basket, dtype=np.int64) for basket in baskets])
    n = len(item)
    return Interactions(
        user=session,
        item=item,
        kind=np.zeros(n, np.int8),
        at_unix_s=np.arange(n),
        value=np.ones(n, np.float32),
        session=session * 10,
        place=np.zeros(n, np.int64),
        n_users=len(baskets),
        n_items=int(item.max()) + 1,
        n_places=1,
    )


def test_words_are_title_finest_category_and_maker():
    items = table(
        title=["Yogurt, 6 oz (variety 31)", "Mug", "(unnamed)", "Tea (green) bags"],
        categories=[["Food", "Dairy"], [], [], []],
        brand=["Acme", None, None, None],
        description=[None, "Blue, for coffee", "", None],
    )
    assert words_of(items) == [
        "Yogurt, 6 oz. Dairy. Acme",
        "Mug",
        "(unnamed)",
        "Tea (green) bags",
    ]
    assert descriptions_of(items) == [None, "Blue, for coffee", None, None]


def test_attributes_are_said_in_words():
    shirt = [{"key": "colour", "value": "blue"}, {"key": "sleeve_length", "value": "long"}]
    half = [{"key": "size", "value": None}, {"key": "fit", "value": "slim"}]
    items = table(title=["Shirt", "Trousers", "Mug"], attributes=[shirt, half, []])
    assert attributes_of(items) == ["colour: blue, sleeve length: long", "fit: slim", None]


def test_a_book_of_a_description_is_cut():
    (words,) = descriptions_of(table(title=["Novel"], description=["word " * 100_000]))
    assert len(words) == 1000


def test_twins_are_encoded_alike_and_others_by_what_they_are(tmp_path, encoder):
    titles = ["Milk, 1 l (variety 1)", "Milk, 1 l (variety 2)", "Whole milk", "Claw hammer"]
    content = encoded(tmp_path, encoder, table(title=titles)).fused(set_gates(0.35))
    likeness = content.vectors @ content.vectors.T
    np.testing.assert_allclose(np.diag(likeness), 1, rtol=1e-5)
    assert likeness[0, 1] == pytest.approx(1, abs=1e-5)
    assert likeness[0, 2] > likeness[0, 3] + 0.2
    assert content.known.all()


def test_parts_are_those_that_an_item_has(tmp_path, encoder):
    items = table(
        title=["Cloth", "Cloth", "Cloth"],
        image=["pictures/red.png", None, None],
        images=[[], ["pictures/red.png"], []],
        description=[None, "Soft and warm", None],
        attributes=[[], [], [{"key": "colour", "value": "red"}]],
    )
    parts = encoded(tmp_path, encoder, items, {"red.png": png("red")})
    assert [
        [name for name, there in zip(PARTS, row, strict=True) if there] for row in parts.present
    ] == [
        ["pictures", "title"],
        ["pictures", "title", "description"],
        ["title", "attributes"],
    ]
    picture = encoder.encode_images([png("red")])[0]
    description, attributes = encoder.encode_texts(["Soft and warm", "colour: red"])
    for row, part, expected in (
        (0, 0, picture),
        (1, 0, picture),
        (1, 2, description),
        (2, 3, attributes),
    ):
        np.testing.assert_allclose(parts.vectors[row, part], expected, atol=1e-5)


def test_a_picture_alone_beside_a_title_has_the_set_share():
    gates = set_gates(0.35)
    first, second = np.exp(gates.bias[:2].astype(float))
    assert first / (first + second) == pytest.approx(0.35)


def test_several_pictures_of_an_item_are_one_part(tmp_path, encoder):
    both = ["pictures/red.png", "pictures/blue.png"]
    items = table(
        title=["Cloth"] * 3,
        image=[both[0], both[0], None],
        # The shown picture may be listed again: it is no second one.
        images=[[both[1]], [both[0], both[1]], both[::-1]],
    )
    files = {"red.png": png("red"), "blue.png": png("blue")}
    parts = encoded(tmp_path, encoder, items, files)
    red, blue = encoder.encode_images([files["red.png"], files["blue.png"]])
    middle = (red + blue) / np.linalg.norm(red + blue)
    for row in range(3):
        np.testing.assert_allclose(parts.vectors[row, 0], middle, atol=1e-5)


def test_a_picture_moves_the_vector_and_a_bad_one_is_told_of_and_passed_over(tmp_path, encoder):
    names = ["red.png", "blue.png", "broken.png", "missing.png"]
    items = table(
        title=["Cloth"] * 7,
        image=[None, *(f"pictures/{name}" for name in names), "https://a.org/red.png", None],
        images=[[]] * 6 + [["pictures/broken.png", "pictures/red.png"]],
    )
    files = {"red.png": png("red"), "blue.png": png("blue"), "broken.png": b"\x89PNG no more"}
    notes: list[str] = []
    parts = encoded(tmp_path, encoder, items, files, on_note=notes.append)
    plain, red, blue, *others, second = parts.fused(set_gates(0.5)).vectors
    for other in others:
        np.testing.assert_allclose(other, plain, atol=1e-6)
    np.testing.assert_allclose(second, red, atol=1e-6)
    assert red @ plain < 0.99
    assert red @ blue < 0.999
    (note,) = notes
    assert note.startswith(
        "1 of 5 pictures not encoded; the first: pictures/broken.png of item i3: "
    )
    assert parts.rejects.select("item_id", "image").rows() == [
        ("i3", "pictures/broken.png"),
        ("i6", "pictures/broken.png"),
    ]
    assert all("not a readable picture" in reason for reason in parts.rejects["reason"])


def test_a_picture_outside_the_dataset_is_not_read(tmp_path, encoder):
    (tmp_path / "secret.png").write_bytes(png("red"))
    items = table(title=["Cloth", "Cloth"], image=[None, "../secret.png"])
    parts = encoded(tmp_path, encoder, items)
    assert not parts.present[:, 0].any()
    ((item_id, image, reason),) = parts.rejects.rows()
    assert (item_id, image) == ("i1", "../secret.png")
    assert "leads out of" in reason


def test_a_new_item_is_fused_as_if_it_had_been_there(tmp_path, encoder):
    items = table(
        title=["Cloth", "Mug", "Hammer"],
        image=["pictures/red.png", None, "pictures/blue.png"],
        description=["Soft", None, "Hard"],
        attributes=[[{"key": "colour", "value": "red"}], [], []],
    )
    files = {"red.png": png("red"), "blue.png": png("blue")}
    rng = np.random.default_rng(0)
    apart = 1 - np.eye(len(PARTS))
    numbers = rng.standard_normal(4), *(rng.standard_normal((2, 4, 4)) * apart)
    gates = Gates(*(part.astype(np.float32) for part in numbers))
    together = encoded(tmp_path, encoder, items, files).fused(gates)
    for row in range(3):
        alone = encoded(tmp_path, encoder, items[row : row + 1], files).fused(gates)
        np.testing.assert_allclose(alone.vectors[0], together.vectors[row], atol=1e-5)


def test_what_shares_visits_is_taken_together_and_what_everybody_takes_is_not():
    # Bread (0) lies in every basket; tea goes with milk (1, 2), nails with a hammer (3, 4).
    baskets = [[0, 1, 2], [0, 3, 4], [0, 1, 2], [0, 3, 4], [0, 5], [0, 1, 2], [0, 3, 4], [0, 6]]
    pairs = taken_together(visits(*baskets), seed=0)
    found = set(map(tuple, pairs.tolist()))
    assert {(1, 2), (2, 1), (3, 4), (4, 3)} <= found
    assert not {(1, 3), (3, 1), (2, 4), (4, 2)} & found
    assert all(one != other for one, other in found)


def test_pairs_are_capped_by_chance_and_alike_for_a_seed():
    events = visits(*(sorted({i % 40, i * 7 % 40, i * 11 % 40}) for i in range(200)))
    whole = taken_together(events, seed=0)
    some, again, other = (taken_together(events, seed=seed, most=50) for seed in (1, 1, 2))
    assert len(whole) <= MAX_PAIRS
    assert len(some) == 50
    assert set(map(tuple, some.tolist())) <= set(map(tuple, whole.tolist()))
    np.testing.assert_array_equal(some, again)
    assert not np.array_equal(some, other)


def kinds_of_cloth(n_items: int = 600) -> tuple[Parts, Interactions]:
    """Titles are noise, pictures show which of twenty kinds an item is; visits stay in a kind."""
    rng = np.random.default_rng(0)
    kind = rng.integers(20, size=n_items)
    seen = rng.standard_normal((20, 16))[kind] + 0.2 * rng.standard_normal((n_items, 16))
    vectors = np.zeros((n_items, len(PARTS), 16), dtype=np.float32)
    for part, rows in enumerate((seen, rng.standard_normal((n_items, 16)))):
        vectors[:, part] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    present = np.zeros((n_items, len(PARTS)), dtype=bool)
    present[:, :2] = True
    shelf = [np.flatnonzero(kind == k) for k in range(20)]
    baskets = [rng.choice(shelf[i % 20], 4, replace=False).tolist() for i in range(3_000)]
    return Parts(vectors, present, pl.DataFrame()), visits(*baskets, [n_items - 1])


def test_gates_are_learned_from_what_is_taken_together():
    parts, events = kinds_of_cloth()
    notes: list[str] = []
    gates = learn_gates(parts, events, image_weight=0.1, seed=0, on_note=notes.append)
    assert gates.trial is not None
    assert gates.trial.kept
    before, after = (
        shares_of(agreements(parts.vectors, parts.present), parts.present, g)[:, 0].mean()
        for g in (set_gates(0.1), gates)
    )
    assert before == pytest.approx(0.1)
    assert after > 0.5
    assert notes[0].startswith("learned gates kept: Recall@20 of what is taken together 0.")


def test_nothing_is_learned_where_there_is_nothing_to_choose_or_to_learn_from():
    parts, events = kinds_of_cloth()
    start = set_gates(0.2)
    nobody = events.where(np.zeros(len(events), dtype=bool))
    lone = Parts(parts.vectors, parts.present & [False, True, False, False], parts.rejects)
    for given, seen in (
        (parts, nobody),
        (parts, events.where(events.at_unix_s < 40)),
        (lone, events),
    ):
        gates = learn_gates(given, seen, image_weight=0.2, seed=0)
        np.testing.assert_array_equal(gates.bias, start.bias)
        assert gates.trial is None
