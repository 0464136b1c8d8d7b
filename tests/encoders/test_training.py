"""The parts of the recipe that the bundled weights come from."""

from __future__ import annotations

import math
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from encoders.base import Preprocessing
from encoders.bundled import open_bundled, open_unlearned
from encoders.training.augment import NOTHING, Augmentation, random_views
from encoders.training.blend import Shares, blend
from encoders.training.captions import fashion_captions, grocery_captions
from encoders.training.features import Views, front_features
from encoders.training.glosses import glosses
from encoders.training.losses import contrast, forgetting, name_loss
from encoders.training.model import learned_tensors, set_free
from encoders.training.sets import PairSet, read_fashion
from encoders.training.train import Lesson, Settings, Step, train
from encoders.tuning.catalogue import word_groups
from encoders.tuning.losses import drift

SEEN_AS_IT_IS = Preprocessing(size=(16, 16), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
WILD = Augmentation(zoom=0.5, shrink=1.5, degrees=30, stretch=1.3, jitter=0.3, ground=1)


def picture(colour: tuple[int, int, int], side: int = 16) -> bytes:
    file = BytesIO()
    Image.new("RGB", (side, side), colour).save(file, "PNG")
    return file.getvalue()


def test_contrast_by_hand() -> None:
    rows = torch.eye(2)
    # Each picture scores 3 with its own words and 0 with the other's.
    own = 3 - math.log(math.exp(3) + 1)
    found = contrast(rows, rows, torch.tensor([0, 1]), torch.tensor(3.0))
    assert float(found) == pytest.approx(-own)


def test_equal_words_are_no_rivals() -> None:
    rows = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    apart = contrast(rows, rows, torch.tensor([0, 1]), torch.tensor(50.0))
    equal = contrast(rows, rows, torch.from_numpy(word_groups(["mug", "mug"])), torch.tensor(50.0))
    # Either way a half for each: as one label that is right, as two it cannot be told apart.
    assert float(equal) == pytest.approx(math.log(2))
    assert float(apart) == pytest.approx(math.log(2))
    turned = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert (
        float(
            contrast(
                turned, turned, torch.from_numpy(word_groups(["mug", "mug"])), torch.tensor(9.0)
            )
        )
        > 4
    )


def test_a_picture_at_its_name_costs_little() -> None:
    names = torch.eye(3)
    right = name_loss(names, names, torch.arange(3), torch.tensor(20.0))
    wrong = name_loss(names, names, torch.tensor([1, 2, 0]), torch.tensor(20.0))
    assert float(right) < 1 < 10 < float(wrong)


def test_nothing_forgotten_and_nothing_moved_cost_nothing() -> None:
    logits = torch.randn(4, 7, generator=torch.Generator().manual_seed(0))
    rows = torch.nn.functional.normalize(logits, dim=1)
    assert float(forgetting(logits, logits)) == pytest.approx(0, abs=1e-6)
    assert float(forgetting(logits, logits.flip(1))) > 0.1
    assert float(drift(rows, rows)) == pytest.approx(0, abs=1e-6)
    assert float(drift(rows, -rows)) == pytest.approx(2, abs=1e-6)


def test_a_view_of_nothing_is_the_picture() -> None:
    generator = torch.Generator().manual_seed(0)
    source = torch.randint(0, 256, (3, 3, 24, 24), dtype=torch.uint8, generator=generator)
    seen = random_views(source, 24, NOTHING, generator)
    torch.testing.assert_close(seen, source.float() / 255, atol=1e-5, rtol=0)


def test_views_repeat_by_seed_and_differ_within_a_batch() -> None:
    source = torch.arange(3 * 20 * 20, dtype=torch.uint8).reshape(1, 3, 20, 20).repeat(4, 1, 1, 1)
    one, two = (
        random_views(source, 16, WILD, torch.Generator().manual_seed(5), source) for _ in range(2)
    )
    assert torch.equal(one, two)
    assert (one[0] - one[1]).abs().mean() > 0.01
    assert one.min() >= 0
    assert one.max() <= 1


def test_only_a_white_ground_is_replaced() -> None:
    generator = torch.Generator().manual_seed(0)
    white = torch.full((8, 3, 60, 60), 255, dtype=torch.uint8)
    white[:, :, 20:40, 20:40] = torch.tensor([200, 0, 0], dtype=torch.uint8)[:, None, None]
    black = torch.zeros(2, 3, 30, 30, dtype=torch.uint8)
    still = Augmentation(zoom=1, shrink=1, degrees=0, stretch=1, jitter=0, ground=1)

    seen = random_views(white, 60, still, generator, black)

    thing = seen[:, :, 25:35, 25:35]
    torch.testing.assert_close(
        thing, torch.tensor([200 / 255, 0, 0])[:, None, None].expand_as(thing), atol=0.02, rtol=0
    )
    corners = seen[:, :, :5, :5].mean(dim=(1, 2, 3))
    assert (corners < 0.93).all()
    assert corners.std() > 0.05


def test_captions_say_what_the_columns_say() -> None:
    row = {
        "title": "Nike Women Red Jacket",
        "article_type": "Jackets",
        "base_colour": "Red",
        "gender": "Women",
        "usage": "Sports",
        "season": None,
    }
    first, *rest = fashion_captions(row)
    assert first == "Nike Women Red Jacket"
    assert "red sports jackets for women" in rest
    assert "red jackets" in rest
    assert not any("None" in sentence or "  " in sentence for sentence in rest)
    said = grocery_captions(
        {"class_name": "Pink-Lady", "coarse_name": "Apple"}, "Sweet. Crisp and pink!"
    )
    assert said[:2] == ("pink lady", "pink lady apple")
    assert "pink lady: Crisp and pink!" in said


def test_blending_goes_from_the_start_to_what_was_learned() -> None:
    learned = {
        "tail.conv.weight": torch.tensor([2.0]),
        "head.outer.weight": torch.tensor([4.0]),
        "head.norm.weight": torch.tensor([7.0]),
        "projection.weight": torch.tensor([[3.0, 0.0], [0.0, 3.0]]),
        "lora.layer.A": torch.tensor([[5.0]]),
        "lora.layer.B": torch.tensor([[6.0]]),
    }
    before = {"conv.weight": torch.tensor([1.0])}

    def blended(*shares: float) -> dict[str, float]:
        found = blend(learned.items(), before, Shares(*shares))
        return {name: float(tensor.flatten()[0]) for name, tensor in found.items()}

    assert list(blended(1, 1, 1).values()) == [2, 4, 7, 3, 5, 6]
    assert list(blended(0, 0, 0).values()) == [1, 0, 7, 1, 5, 0]
    assert list(blended(0.5, 0.25, 0.5).values()) == [1.5, 1, 7, 2, 5, 3]


def test_only_the_asked_split_is_read(tmp_path: Path) -> None:
    row = {
        "article_type": "Hats",
        "base_colour": "Blue",
        "gender": "Men",
        "usage": "Casual",
        "season": "Summer",
        "image": picture((0, 0, 255)),
    }
    rows = [row | {"title": split, "split": split} for split in ("train", "val", "test")]
    pl.DataFrame(rows).write_parquet(tmp_path / "fashion.parquet")

    assert [group[0] for group in read_fashion(tmp_path, "train").captions] == ["train"]
    assert [group[0] for group in read_fashion(tmp_path, "val").captions] == ["val"]
    with pytest.raises(FileNotFoundError, match="name the folder"):
        read_fashion(tmp_path / "elsewhere", "train")


def test_an_interrupted_front_goes_on_where_it_was(tmp_path: Path) -> None:
    files = [picture((5 * n, 255 - 5 * n, n)) for n in range(30)]
    views = Views((NOTHING, WILD), size=16, source_side=0, seed=3)
    asked: list[int] = []

    def front(batch: torch.Tensor) -> torch.Tensor:
        asked.append(len(batch))
        return batch.mean(dim=(2, 3), keepdim=True)

    whole = np.array(front_features(files, views, front, SEEN_AS_IT_IS, tmp_path / "a"))
    assert whole.shape == (30, 2, 3, 1, 1)
    np.testing.assert_allclose(whole[7, 0, :, 0, 0], [35 / 255, 220 / 255, 7 / 255], atol=1e-3)
    asked.clear()
    again = front_features(files, views, front, SEEN_AS_IT_IS, tmp_path / "a")
    assert asked == [1]  # Only to learn the shape.
    np.testing.assert_array_equal(again, whole)


def test_the_words_of_the_world_are_many_and_repeat() -> None:
    words = glosses()
    assert len(words) > 10_000
    assert len(set(words)) == len(words)
    assert words == glosses()
    assert max(map(len, words)) <= 60


@pytest.fixture(scope="module")
def lesson() -> Lesson:
    rng = np.random.default_rng(0)
    base = rng.random((2, 1, 112, 4, 4)).astype(np.float16) * 3
    kinds = [n % 2 for n in range(16)]
    views = base[kinds] + rng.random((16, 1, 112, 4, 4)).astype(np.float16) * 0.3
    words = (("zorp thing", "a zorp"), ("blick thing", "a blick"))
    pairs = PairSet(
        name="made up",
        pictures=(b"",) * 16,
        captions=tuple(words[kind] for kind in kinds),
        classes=tuple(("zorp", "blick")[kind] for kind in kinds),
    )
    return Lesson(pairs, views, batch=8)


def test_training_learns_and_what_it_writes_is_what_it_learned(
    lesson: Lesson, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    trainee = set_free(open_unlearned(), rank=4)
    others = [f"thing number {n}" for n in range(24)]
    with torch.no_grad():
        before = trainee.words(others)
    steps: list[Step] = []

    train(
        trainee,
        [lesson],
        others,
        before,
        Settings(steps=20, warmup=2, head_rate=3e-3),
        on_step=steps.append,
    )

    assert [step.number for step in steps] == list(range(1, 21))
    assert np.mean([step.titles for step in steps[-3:]]) < steps[0].titles - 0.05
    front = torch.from_numpy(lesson.views[:4, 0]).float()
    with torch.no_grad():
        expected, _ = trainee.pictures(front)
        expected_words = trainee.words(["a zorp", "rain"])
    file = tmp_path / "learned.safetensors"
    tensors = learned_tensors(trainee)
    save_file({name: tensor.detach().half().contiguous() for name, tensor in tensors}, file)
    again = set_free(open_bundled(file), rank=4)
    with torch.no_grad():
        got, _ = again.pictures(front)
        got_words = again.words(["a zorp", "rain"])
    assert (got * expected).sum(dim=1).min() > 0.999
    assert (got_words * expected_words).sum(dim=1).min() > 0.999
