"""What was learned is put in place exactly, and earns it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from encoders import Encoder, EncoderError
from encoders.learned import LEARNED, add_low_rank

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"


def test_low_rank_updates_are_added_where_they_are_named() -> None:
    tower = nn.ModuleDict({"one": nn.Linear(3, 2), "two": nn.Linear(3, 2)})
    before = {name: value.clone() for name, value in tower.state_dict().items()}
    down, up = torch.tensor([[1.0, 2.0, 0.0]]), torch.tensor([[1.0], [10.0]])

    add_low_rank(tower, {"one.A": down, "one.B": up})

    expected = before["one.weight"] + torch.tensor([[1.0, 2.0, 0.0], [10.0, 20.0, 0.0]])
    torch.testing.assert_close(tower["one"].weight, expected)
    assert torch.equal(tower["two"].weight, before["two.weight"])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda tensors: {k: v for k, v in tensors.items() if not k.startswith("head.inner")},
        lambda tensors: tensors | {"projection.weight": torch.zeros(3, 3)},
        lambda tensors: tensors | {"lora.no.such.layer.A": torch.zeros(1, 1)},
        lambda tensors: tensors | {"tail.conv_head.weight": torch.zeros(2)},
    ],
    ids=["part-missing", "other-width", "other-layer", "other-shape"],
)
def test_a_file_for_another_model_is_refused(spoil, tmp_path: Path) -> None:
    file = tmp_path / "learned.safetensors"
    save_file(spoil(load_file(LEARNED)), file)

    with pytest.raises(EncoderError, match="does not hold what was learned"):
        Encoder.open(f"bundled:{file}", device="cpu")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="nowhere"):
        Encoder.open(f"bundled:{tmp_path / 'nowhere.safetensors'}", device="cpu")


def test_another_recipe_has_another_fingerprint(bundled: Encoder, tmp_path: Path) -> None:
    tensors = load_file(LEARNED)
    file = tmp_path / "other.safetensors"
    save_file(tensors | {"head.outer.bias": tensors["head.outer.bias"] + 0.01}, file)

    other = Encoder.open(f"bundled:{file}", device="cpu", precision="float32")

    assert other.fingerprint != bundled.fingerprint


def test_only_what_was_learned_is_shipped() -> None:
    assert LEARNED.stat().st_size < 20_000_000
    assert {name.partition(".")[0] for name in load_file(LEARNED)} == {
        "tail",
        "head",
        "projection",
        "lora",
    }


def test_photos_of_the_test_split_are_found_by_their_titles(
    bundled: Encoder, unlearned: Encoder
) -> None:
    file = DATA / "fashion.parquet"
    if not file.exists():
        pytest.skip("fashion.parquet is not in shared/data")
    rows = pl.read_parquet(file).filter(pl.col("split") == "test").unique("title", keep="first")
    rows = rows.sort("item_id").head(150)

    def recall(encoder: Encoder) -> float:
        cosines = (
            encoder.encode_texts(rows["title"].to_list())
            @ encoder.encode_images(rows["image"].to_list()).T
        )
        ranks = (cosines > np.diag(cosines)[:, None]).sum(axis=1)
        return float((ranks < 10).mean())

    # Ten of 150 are chance 0.07; what is learned finds several times what ImageNet's names do.
    assert recall(bundled) > 2 * recall(unlearned) > 0
