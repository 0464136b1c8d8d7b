from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encoders import ImageError, Preprocessing, VectorCache, cached_images, cached_texts
from encoders.cache import content_key


class CountingEncoder:
    """Vectors from hashes; counts what it is asked, and can fail after so many."""

    dim = 5
    preprocessing = Preprocessing((1, 1), (0, 0, 0), (1, 1, 1))

    def __init__(self, fingerprint: str = "counting", fails_after: int = 10**9) -> None:
        self.fingerprint = fingerprint
        self.fails_after = fails_after
        self.asked: list[str | bytes] = []

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        if len(self.asked) + len(texts) > self.fails_after:
            raise KeyboardInterrupt
        self.asked += texts
        return np.array([vector(text) for text in texts], np.float32).reshape(-1, self.dim)

    def encode_images(self, images: Sequence[bytes]) -> np.ndarray:
        for position, image in enumerate(images):
            if image == b"bad":
                raise ImageError("no picture", position)
        self.asked += images
        return np.array([vector(image.decode()) for image in images], np.float32)


def vector(text: str) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    row = np.random.default_rng(seed).standard_normal(5)
    return (row / np.linalg.norm(row)).astype(np.float32)


def expected(texts: Sequence[str]) -> np.ndarray:
    return np.array([vector(text) for text in texts])


def the_file(folder: Path) -> Path:
    (file,) = folder.rglob("*.vectors")
    return file


def test_each_different_text_is_encoded_once_ever(tmp_path: Path) -> None:
    texts = ["a", "b", "a", "", "b"]
    first, second = CountingEncoder(), CountingEncoder()
    got = cached_texts(VectorCache(tmp_path), first, texts)
    np.testing.assert_array_equal(got, expected(texts))
    assert first.asked == ["a", "b", ""]
    again = cached_texts(VectorCache(tmp_path), second, [*texts, "c"])
    np.testing.assert_array_equal(again, expected([*texts, "c"]))
    assert second.asked == ["c"]


@settings(deadline=None)
@given(st.lists(st.lists(st.text(max_size=3), max_size=9), max_size=5), st.integers(1, 4))
def test_a_cache_changes_no_vector(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[str]], flush_every: int
) -> None:
    cache = VectorCache(tmp_path_factory.mktemp("cache"))
    encoder = CountingEncoder()
    for texts in batches:
        got = cached_texts(cache, encoder, texts, flush_every=flush_every)
        np.testing.assert_array_equal(got, expected(texts).reshape(-1, 5))
    assert len(encoder.asked) == len(set(encoder.asked))


def test_another_fingerprint_or_modality_shares_nothing(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path)
    cached_texts(cache, CountingEncoder("one"), ["a"])
    other = CountingEncoder("two")
    cached_texts(cache, other, ["a"])
    cached_images(cache, other, [b"a"])
    assert other.asked == ["a", b"a"]


def test_an_interrupted_run_resumes(tmp_path: Path) -> None:
    texts = [str(number) for number in range(10)]
    with pytest.raises(KeyboardInterrupt):
        cached_texts(VectorCache(tmp_path), CountingEncoder(fails_after=7), texts, flush_every=3)
    rest = CountingEncoder()
    told: list[tuple[int, int]] = []
    got = cached_texts(
        VectorCache(tmp_path),
        rest,
        texts,
        flush_every=3,
        on_progress=lambda done, total: told.append((done, total)),
    )
    np.testing.assert_array_equal(got, expected(texts))
    assert rest.asked == ["6", "7", "8", "9"]
    assert told == [(6, 10), (9, 10), (10, 10)]


@pytest.mark.parametrize("lost", [1, 4, 17, 39, 40, 41])
def test_a_torn_tail_costs_only_what_was_torn(tmp_path: Path, lost: int) -> None:
    texts = ["a", "b", "c", "d"]
    cached_texts(VectorCache(tmp_path), CountingEncoder(), texts)
    file = the_file(tmp_path)
    assert file.stat().st_size == 4 * 40  # 16 of key, 5 * 4 of vector, 4 of CRC
    os.truncate(file, 160 - lost)
    whole = (160 - lost) // 40
    for more in (texts, [*texts, "e"]):
        encoder = CountingEncoder()
        np.testing.assert_array_equal(
            cached_texts(VectorCache(tmp_path), encoder, more), expected(more)
        )
        assert encoder.asked == (texts[whole:] if more == texts else ["e"])


def test_a_flipped_bit_is_noticed_and_encoded_anew(tmp_path: Path) -> None:
    cached_texts(VectorCache(tmp_path), CountingEncoder(), ["a", "b", "c"])
    file = the_file(tmp_path)
    data = bytearray(file.read_bytes())
    data[40 + 20] ^= 1
    file.write_bytes(data)
    encoder = CountingEncoder()
    got = cached_texts(VectorCache(tmp_path), encoder, ["a", "b", "c"])
    np.testing.assert_array_equal(got, expected(["a", "b", "c"]))
    assert encoder.asked == ["b"]


def test_two_open_caches_see_each_other(tmp_path: Path) -> None:
    one, two = VectorCache(tmp_path), VectorCache(tmp_path)
    encoder = CountingEncoder()
    cached_texts(one, encoder, ["a"])
    cached_texts(two, encoder, ["a", "b"])
    cached_texts(one, encoder, ["b", "a"])
    assert encoder.asked == ["a", "b"]


def test_what_is_held_is_seen_across_caches_and_a_torn_record_is_not_held(tmp_path: Path) -> None:
    one, two = VectorCache(tmp_path), VectorCache(tmp_path)
    encoder = CountingEncoder()
    assert not one.holds(encoder, "texts", content_key("b"))
    cached_texts(two, encoder, ["a", "b"])
    assert one.holds(encoder, "texts", content_key("b"))
    assert not one.holds(encoder, "images", content_key("b"))
    os.truncate(the_file(tmp_path), 2 * 40 - 1)
    assert not VectorCache(tmp_path).holds(encoder, "texts", content_key("b"))


def test_a_bad_picture_is_named_by_its_place_in_the_whole(tmp_path: Path) -> None:
    images = [b"a", b"a", b"b", b"bad", b"c"]
    encoder = CountingEncoder()
    with pytest.raises(ImageError, match="image 3: no picture") as caught:
        cached_images(VectorCache(tmp_path), encoder, images, flush_every=1)
    assert caught.value.position == 3
    assert encoder.asked == [b"a", b"b"]


def test_wrong_arguments(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path)
    with pytest.raises(ValueError, match="flush_every is 0"):
        cached_texts(cache, CountingEncoder(), ["a"], flush_every=0)
    with pytest.raises(ValueError, match="cannot name a folder"):
        cached_texts(cache, CountingEncoder("../up"), ["a"])
    with pytest.raises(ValueError, match="expected \\(1, 5\\)"):
        cache.append(CountingEncoder(), "texts", [b"k" * 16], np.zeros((1, 4), np.float32))
