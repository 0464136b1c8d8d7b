from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from encoders import Encoder, ImageError, ItemEncoder, Preprocessing, VectorCache
from encoders.base import StagedEncoder
from encoders.bulk import Rejected, encode_pictures
from encoders.lookahead import Room, map_ahead, threads

DIM = 5


def vector(data: bytes) -> np.ndarray:
    seed = int.from_bytes(hashlib.sha256(data).digest()[:8], "big")
    row = np.random.default_rng(seed).standard_normal(DIM)
    return (row / np.linalg.norm(row)).astype(np.float32)


class PlainEncoder:
    """Has no stages: it is asked for whole pictures. Bytes that begin with ``bad`` are bad."""

    dim = DIM
    fingerprint = "plain"
    preprocessing = Preprocessing((1, 1), (0, 0, 0), (1, 1, 1))

    def __init__(self, *, says_which: bool = True) -> None:
        self.says_which = says_which
        self.asked: list[bytes] = []

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        raise AssertionError(texts)

    def encode_images(self, images: Sequence[bytes]) -> np.ndarray:
        for position, image in enumerate(images):
            if image.startswith(b"bad"):
                raise ImageError("no picture", position if self.says_which else None)
        self.asked += images
        return np.array([vector(image) for image in images], np.float32).reshape(-1, DIM)


class TwoStageEncoder(PlainEncoder):
    """A prepared picture is its first 3 bytes; notes every batch."""

    fingerprint = "staged"
    image_batch = 4

    def __init__(self, delay_s: float = 0.0, seed: int = 0) -> None:
        super().__init__()
        self.batches: list[list[bytes]] = []
        self._delay_s, self._rng, self._lock = (
            delay_s,
            np.random.default_rng(seed),
            threading.Lock(),
        )

    def prepare_image(self, data: bytes) -> np.ndarray:
        if data.startswith(b"bad"):
            raise ImageError("no picture")
        with self._lock:
            delay_s = self._delay_s * self._rng.random()
        time.sleep(delay_s)
        return np.frombuffer(data[:3].ljust(3), np.uint8).reshape(1, 1, 3)

    def encode_prepared(self, pictures: np.ndarray) -> np.ndarray:
        files = [picture.tobytes() for picture in pictures]
        self.batches.append(files)
        return np.array([vector(file) for file in files], np.float32)


def three(number: int) -> bytes:
    return f"{number:03}".encode()


ENCODERS = [PlainEncoder, lambda: PlainEncoder(says_which=False), TwoStageEncoder]
files = st.lists(
    st.sampled_from([b"aaa", b"bbb", b"ccc", b"ddd", b"bad", b"bad2", None]), max_size=25
)


def test_the_kinds_of_encoder_are_told_apart(bundled: Encoder) -> None:
    assert isinstance(bundled, StagedEncoder)
    assert isinstance(TwoStageEncoder(), StagedEncoder)
    assert not isinstance(PlainEncoder(), StagedEncoder)


@pytest.mark.parametrize("make", ENCODERS)
@settings(max_examples=30, deadline=None)
@given(contents=files, flush_every=st.integers(1, 6), memory=st.sampled_from([1, 40, 1 << 20]))
def test_each_name_gets_its_picture_s_vector_or_its_reason(
    tmp_path_factory: pytest.TempPathFactory,
    make: type[PlainEncoder],
    contents: list[bytes | None],
    flush_every: int,
    memory: int,
) -> None:
    names = [f"item {position}" for position in range(len(contents))]
    by_name = dict(zip(names, contents, strict=True))
    cache = VectorCache(tmp_path_factory.mktemp("cache"))
    for _ in range(2):
        told: list[tuple[int, int]] = []
        got = encode_pictures(
            cache,
            make(),
            names,
            by_name.__getitem__,
            on_progress=lambda done, total, told=told: told.append((done, total)),
            flush_every=flush_every,
            memory_bytes=memory,
        )
        good = [data is not None and not data.startswith(b"bad") for data in contents]
        assert got.known.tolist() == good
        for row, data in zip(got.vectors, contents, strict=True):
            sound = data is not None and not data.startswith(b"bad")
            np.testing.assert_array_equal(row, vector(data) if sound else np.zeros(DIM))
        assert got.rejected == tuple(
            Rejected(name, "no picture")
            for name, data in by_name.items()
            if data is not None and data.startswith(b"bad")
        )
        assert told == sorted(told)
        assert told[0] == (0, len(names))
        assert told[-1] == (len(names), len(names))


def test_identical_files_are_encoded_once_ever(tmp_path: Path) -> None:
    first, second = PlainEncoder(), PlainEncoder()
    data = {"a": b"one", "b": b"two", "c": b"one", "d": b"three"}
    encode_pictures(VectorCache(tmp_path), first, ["a", "b", "c"], data.__getitem__)
    assert first.asked == [b"one", b"two"]
    got = encode_pictures(VectorCache(tmp_path), second, ["d", "c", "a"], data.__getitem__)
    assert second.asked == [b"three"]
    np.testing.assert_array_equal(got.vectors, [vector(data[name]) for name in ("d", "c", "a")])


def test_what_cannot_be_read_is_rejected_and_the_rest_is_not(tmp_path: Path) -> None:
    def read(name: str) -> bytes | None:
        match name:
            case "gone":
                raise FileNotFoundError("no such file: gone")
            case "large":
                raise ImageError("9 bytes, at most 8 are read")
            case "odd":
                raise ValueError
            case "absent":
                return None
        return name.encode()

    names = ["gone", "a", "large", "absent", "odd", "b"]
    got = encode_pictures(VectorCache(tmp_path), PlainEncoder(), names, read)
    assert got.known.tolist() == [False, True, False, False, False, True]
    assert got.rejected == (
        Rejected("gone", "no such file: gone"),
        Rejected("large", "9 bytes, at most 8 are read"),
        Rejected("odd", "ValueError"),
    )


def test_an_error_of_the_program_is_no_rejection(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="b"):
        encode_pictures(VectorCache(tmp_path), PlainEncoder(), ["a", "b"], {"a": b"1"}.__getitem__)


def test_batches_depend_on_no_thread(tmp_path: Path) -> None:
    names = [str(number) for number in range(31)]

    def read(name: str) -> bytes:
        return three(int(name) % 23)

    seen = []
    for seed in range(3):
        encoder = TwoStageEncoder(delay_s=0.004, seed=seed)
        encode_pictures(VectorCache(tmp_path / str(seed)), encoder, names, read)
        seen.append(encoder.batches)
    distinct = [three(number) for number in range(23)]
    assert seen[0] == [distinct[start : start + 4] for start in range(0, 23, 4)]
    assert seen[0] == seen[1] == seen[2]


def test_pictures_are_prepared_while_the_model_runs(tmp_path: Path) -> None:
    running, prepared = threading.Event(), threading.Event()
    waited = []

    class Meeting(TwoStageEncoder):
        def prepare_image(self, data: bytes) -> np.ndarray:
            if data == three(4):  # The first of the second batch.
                waited.append(running.wait(timeout=30))
                prepared.set()
            return super().prepare_image(data)

        def encode_prepared(self, pictures: np.ndarray) -> np.ndarray:
            running.set()
            waited.append(prepared.wait(timeout=30))
            return super().encode_prepared(pictures)

    names = [str(number) for number in range(8)]
    encode_pictures(VectorCache(tmp_path), Meeting(), names, lambda name: three(int(name)))
    assert waited == [True, True, True]


@pytest.mark.parametrize("make", [PlainEncoder, TwoStageEncoder])
def test_files_wait_within_the_memory(tmp_path: Path, make: type[PlainEncoder]) -> None:
    read_bytes, encoded_bytes, worst = 0, 0, 0
    lock = threading.Lock()

    class Counting(make):
        def encode_images(self, images: Sequence[bytes]) -> np.ndarray:
            nonlocal encoded_bytes
            encoded_bytes += 10_000 * len(images)
            return super().encode_images(images)

        def encode_prepared(self, pictures: np.ndarray) -> np.ndarray:
            nonlocal encoded_bytes
            encoded_bytes += 10_000 * len(pictures)
            return super().encode_prepared(pictures)

    def read(name: str) -> bytes:
        nonlocal read_bytes, worst
        with lock:
            read_bytes += 10_000
            worst = max(worst, read_bytes - encoded_bytes)
        return three(int(name)).ljust(10_000)

    names = [str(number) for number in range(500)]
    memory = 1_000_000
    got = encode_pictures(VectorCache(tmp_path), Counting(), names, read, memory_bytes=memory)
    assert got.known.all()
    assert worst <= memory
    assert read_bytes == encoded_bytes == 5_000_000


def test_an_interruption_keeps_what_was_encoded(tmp_path: Path) -> None:
    class Impatient(TwoStageEncoder):
        def encode_prepared(self, pictures: np.ndarray) -> np.ndarray:
            if len(self.batches) == 3:
                raise KeyboardInterrupt
            return super().encode_prepared(pictures)

    names = [str(number) for number in range(20)]
    with pytest.raises(KeyboardInterrupt):
        encode_pictures(VectorCache(tmp_path), Impatient(), names, lambda name: three(int(name)))
    rest = TwoStageEncoder()
    encode_pictures(VectorCache(tmp_path), rest, names, lambda name: three(int(name)))
    assert [file for batch in rest.batches for file in batch] == [
        three(number) for number in range(12, 20)
    ]


KILLED = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_bulk import TwoStageEncoder, three
from encoders import VectorCache
from encoders.bulk import encode_pictures

class Slow(TwoStageEncoder):
    def encode_prepared(self, pictures):
        time.sleep(0.02)
        rows = super().encode_prepared(pictures)
        print("encoded", len(rows), flush=True)
        return rows

names = [str(number) for number in range(400)]
cache = VectorCache(Path({folder!r}))
encode_pictures(cache, Slow(), names, lambda name: three(int(name)), flush_every=8)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_a_killed_run_loses_no_more_than_it_may(tmp_path: Path) -> None:
    script = KILLED.format(tests=str(Path(__file__).parent), folder=str(tmp_path))
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=root, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    encoded = 0
    for line in process.stdout:
        encoded += int(line.split()[1])
        if encoded == 80:
            process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert 80 <= encoded < 400

    (file,) = tmp_path.rglob("*.vectors")
    record = 16 + 4 * DIM + 4
    saved = file.stat().st_size // record
    assert saved >= encoded - 8
    os.truncate(file, (saved - 1) * record + 7)  # As if the disk had torn the last one.

    rest = TwoStageEncoder()
    names = [str(number) for number in range(400)]
    got = encode_pictures(VectorCache(tmp_path), rest, names, lambda name: three(int(name)))
    np.testing.assert_array_equal(got.vectors, [vector(three(number)) for number in range(400)])
    again = [file for batch in rest.batches for file in batch]
    assert again == [three(number) for number in range(saved - 1, 400)]


def picture(seed: int, kind: str = "PNG", size: tuple[int, int] = (60, 40)) -> bytes:
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (4, 5, 3), dtype=np.uint8))
    file = BytesIO()
    small.resize(size).save(file, kind)
    return file.getvalue()


def test_the_bundled_model_and_one_bad_picture(bundled: Encoder, tmp_path: Path) -> None:
    encoder: ItemEncoder = bundled
    pictures = {str(seed): picture(seed, kind) for seed, kind in enumerate(["PNG", "JPEG"] * 3)}
    names = ["0", "1", "torn", "2", "3", "4", "5"]
    read = {**pictures, "torn": picture(9)[:60]}.__getitem__
    got = encode_pictures(VectorCache(tmp_path), encoder, names, read)
    good = [0, 1, 3, 4, 5, 6]
    np.testing.assert_array_equal(
        got.vectors[good], encoder.encode_images([read(names[row]) for row in good])
    )
    assert got.known.tolist() == [True, True, False, True, True, True, True]
    assert [reject.name for reject in got.rejected] == ["torn"]
    assert "cut off" in got.rejected[0].reason


def test_nothing_asked_nothing_done(tmp_path: Path) -> None:
    got = encode_pictures(VectorCache(tmp_path), PlainEncoder(), [], lambda _: None)
    assert got.vectors.shape == (0, DIM)
    assert got.rejected == ()
    with pytest.raises(ValueError, match="flush_every is 0"):
        encode_pictures(VectorCache(tmp_path), PlainEncoder(), [], lambda _: None, flush_every=0)


@settings(deadline=None)
@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 6), st.integers(1, 20))
def test_work_ahead_keeps_the_order_and_stays_within_its_room(
    costs: list[int], most: int, room_bytes: int
) -> None:
    taken: list[int] = []

    def source() -> Iterator[int]:
        for cost in costs:
            taken.append(cost)
            yield cost

    room = Room(most, room_bytes, lambda cost: cost)
    with threads(2) as pool:
        done = 0
        for done, result in enumerate(map_ahead(pool, lambda cost: -cost, source(), room), 1):
            assert result == -costs[done - 1]
            ahead = taken[done - 1 :]
            assert len(ahead) <= most
            assert sum(ahead[:-1]) < room_bytes or len(ahead) == 1
        assert done == len(costs)
