"""Encoding a dataset ahead of training."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

import engine.encode
from encoders import Encoder, EncoderError, Float32, VectorCache
from encoders.ray_data import Cluster, Desk
from encoders.shards import Shard, encode_shard
from engine.cli_encode import EPILOG, encode
from engine.content import encode_parts
from engine.dataset import Dataset, DatasetSettings, write_dataset
from engine.encode import REJECTS_FILE, EncodeEngine, encode_dataset, shards_of
from engine.errors import DataError, MissingExtraError, VitrineError
from engine.stages import Silent

N_ITEMS = 20


@pytest.fixture
def shop(tmp_path: Path) -> Dataset:
    """Twenty items: most with two pictures, one of which all share; some broken or absent."""
    folder = tmp_path / "shop"
    rng = np.random.default_rng(0)
    items = pl.DataFrame(
        {
            "item_id": [f"i{n}" for n in range(N_ITEMS)],
            "title": [f"Shirt no. {n // 2}" for n in range(N_ITEMS)],
            "description": [f"Of linen, {n} buttons" if n % 3 else None for n in range(N_ITEMS)],
            "image": [f"pictures/{n}.png" if n else None for n in range(N_ITEMS)],
            "images": [["pictures/label.png"] if n % 2 else [] for n in range(N_ITEMS)],
            "attributes": [[{"key": "size", "value": "SML"[n % 3]}] for n in range(N_ITEMS)],
        }
    )
    items = items.with_columns(
        image=pl.when(pl.col("item_id") == "i5")
        .then(pl.lit("https://example.com/5.png"))
        .otherwise("image")
    )
    events = pl.DataFrame(schema={"user_id": pl.String, "item_id": pl.String, "kind": pl.String})
    events = events.with_columns(timestamp=pl.lit(None, dtype=pl.Datetime("us", "UTC")))
    settings = DatasetSettings(name="shirts", pictures="pictures")
    dataset = write_dataset(folder, settings, items=items, events=events)
    (folder / "pictures").mkdir()
    for name in [*map(str, range(1, N_ITEMS)), "label"]:
        pixels = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        picture = Image.fromarray(pixels).resize((40, 40))
        picture.save(folder / "pictures" / f"{name}.png")
    (folder / "pictures" / "6.png").unlink()
    (folder / "pictures" / "7.png").write_bytes(b"%PDF-1.7")
    whole = (folder / "pictures" / "8.png").read_bytes()
    (folder / "pictures" / "8.png").write_bytes(whole[: len(whole) // 2])
    return dataset


class Exhausted:
    """The encoder of a cache that has everything."""

    def __init__(self, encoder: Encoder) -> None:
        self.dim, self.fingerprint = encoder.dim, encoder.fingerprint
        self.preprocessing = encoder.preprocessing

    def encode_texts(self, texts: Sequence[str]) -> Float32:
        raise AssertionError(f"{len(texts)} texts are not in the cache: {texts[:3]}")

    def encode_images(self, images: Sequence[bytes]) -> Float32:
        raise AssertionError(f"{len(images)} pictures are not in the cache")


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.open("bundled")


def test_training_would_miss_what_is_not_there(
    shop: Dataset, tmp_path: Path, encoder: Encoder
) -> None:
    with pytest.raises(AssertionError, match="texts are not in the cache"):
        check_training_finds_all(shop, tmp_path / "empty", encoder)


def check_training_finds_all(shop: Dataset, out: Path, encoder: Encoder) -> np.ndarray:
    """What training encodes is all there: it gets by with an encoder that cannot encode."""
    sound = shop.items.filter(~pl.col("item_id").is_in(["i7", "i8"]))
    parts = encode_parts(sound, Path(shop.folder), Exhausted(encoder), VectorCache(out))
    assert parts.present[:, 0].sum() == 16  # Not i0, which has none, nor i6, whose file is gone.
    return parts.vectors


def test_training_encodes_nothing_again(shop: Dataset, tmp_path: Path, encoder: Encoder) -> None:
    out = tmp_path / "runs" / ".stages" / "vectors"
    encoded = encode_dataset(shop, out, reporter=Silent())
    assert (encoded.items, encoded.texts, encoded.pictures) == (N_ITEMS, 10 + 13 + 3, 20)
    check_training_finds_all(shop, out, encoder)


def test_rejects_name_the_item_and_the_reason(shop: Dataset, tmp_path: Path) -> None:
    encoded = encode_dataset(shop, tmp_path / "out", reporter=Silent())
    found = pl.read_parquet(tmp_path / "out" / REJECTS_FILE)
    assert found.equals(encoded.rejects)
    assert found["item_id"].to_list() == ["i7", "i8"]
    assert found["image"].to_list() == ["pictures/7.png", "pictures/8.png"]
    assert "PDF document" in found["reason"][0]
    assert "cut off" in found["reason"][1]


def in_this_process(shards: Sequence[Shard], desk: Desk, _: Cluster, **told: object) -> None:
    """What the workers of a cluster do, one after the other."""
    for shard in reversed(shards):
        encode_shard(shard, desk.shards, desk.open_encoder(), desk.read, VectorCache(desk.known))


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.encode, "SHARD_ITEMS", 7)


def test_shards_give_what_one_process_gives(
    shop: Dataset,
    tmp_path: Path,
    encoder: Encoder,
    small_shards: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine.encode, "encode_shards", in_this_process)
    here = encode_dataset(shop, tmp_path / "here", reporter=Silent())
    there = encode_dataset(shop, tmp_path / "there", reporter=Silent(), engine=EncodeEngine.RAY)
    assert there.rejects.equals(here.rejects)
    one = check_training_finds_all(shop, tmp_path / "here", encoder)
    other = check_training_finds_all(shop, tmp_path / "there", encoder)
    assert close(one, other)


def close(one: np.ndarray, other: np.ndarray) -> bool:
    """Rows agree to a cosine of 0.9999, and are absent together."""
    absent = ~one.any(axis=-1)
    assert np.array_equal(absent, ~other.any(axis=-1))
    return bool(((one * other).sum(axis=-1)[~absent] >= 0.9999).all())


@pytest.mark.skipif(find_spec("ray") is None, reason="ray is not installed: pip install ray[data]")
def test_ray_gives_what_one_process_gives(
    shop: Dataset, tmp_path: Path, encoder: Encoder, small_shards: None
) -> None:
    pytest.importorskip("ray.data", reason="ray[data] is not installed")
    there = tmp_path / "there"
    cluster = Cluster(workers=1)
    encoded = encode_dataset(
        shop, there, reporter=Silent(), engine=EncodeEngine.RAY, cluster=cluster
    )
    assert encoded.rejects["item_id"].to_list() == ["i7", "i8"]
    encode_dataset(shop, tmp_path / "here", reporter=Silent())
    one = check_training_finds_all(shop, tmp_path / "here", encoder)
    assert close(one, check_training_finds_all(shop, there, encoder))
    assert not sys.modules["ray"].is_initialized()


def test_a_changed_picture_is_another_shard(shop: Dataset) -> None:
    def names() -> Iterator[str]:
        for shard in shards_of(shop.items, Path(shop.folder), 7):
            yield shard.file_name("f")

    before = list(names())
    assert before == list(names())
    Image.new("RGB", (9, 9)).save(Path(shop.folder) / "pictures" / "15.png")
    assert [old == new for old, new in zip(before, names(), strict=True)] == [True, True, False]


def test_shards_hold_each_text_and_picture_of_their_items_once(shop: Dataset) -> None:
    first, *_, last = shards_of(shop.items, Path(shop.folder), 7)
    assert first.pictures[:3] == ("pictures/1.png", "pictures/label.png", "pictures/2.png")
    assert len(set(first.pictures)) == len(first.pictures) == 7
    assert first.texts.count("Shirt no. 0") == 1
    assert last.number == 2
    assert len(last.pictures) == 6 + 1


def test_an_unknown_encoder_is_an_error_of_the_data(shop: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="encoder 'nonsense'"):
        encode_dataset(shop, tmp_path, reporter=Silent(), encoder="nonsense")


@pytest.mark.parametrize(
    ("raised", "expected", "message"),
    [
        (ImportError("no ray"), MissingExtraError, r"vitrine-rec\[scale\]"),
        (EncoderError("shard 3 killed 4 workers"), VitrineError, "shard 3"),
    ],
)
def test_what_ray_cannot_do_is_said_by_the_family(
    shop: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    raised: Exception,
    expected: type[Exception],
    message: str,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(engine.encode, "encode_shards", fail)
    with pytest.raises(expected, match=message):
        encode_dataset(shop, tmp_path, reporter=Silent(), engine=EncodeEngine.RAY)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from encoders.ray_data import encode_shards

    monkeypatch.setitem(sys.modules, "ray", None)
    desk = Desk(Encoder.open, "f", lambda _: None, tmp_path, tmp_path)
    with pytest.raises(ImportError, match=r"pip install 'vitrine-rec\[scale\]'"):
        encode_shards([Shard(0, ("a",), (), ())], desk, Cluster())


def test_the_command_says_what_it_did(shop: Dataset, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command(epilog=EPILOG)(encode)
    out = tmp_path / "out"
    done = CliRunner().invoke(app, [str(shop.folder), "--out", str(out)])
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "2 pictures could not be encoded" in said
    assert "PDF" in said
    assert re.search(r"20 items: 26 texts, 20 pictures", said)
    assert (out / REJECTS_FILE).is_file()
