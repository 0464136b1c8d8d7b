"""Encoding on a cluster of two nodes, which are two sets of processes of this machine."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from encoders import EncoderError, Preprocessing, VectorCache, cached_texts, decode_image
from encoders.bulk import encode_pictures
from encoders.cache import content_key
from encoders.ray_data import ATTEMPTS, Cluster, Desk, _Worker, encode_shards
from encoders.shards import Shard, encode_shard, merge_shard

# Ray reads both when it is imported: no statistics are sent, and nobody else is let in.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
ray = pytest.importorskip("ray", reason="ray is not installed: pip install -e '.[scale]'")
pytest.importorskip("ray.data", reason="ray[data] is not installed: pip install -e '.[scale]'")

N_SHARDS, PER_SHARD = 8, 5


class Colours:
    """Pictures and words by their first bytes and colours: no model, but the same contract."""

    dim = 8
    preprocessing = Preprocessing((8, 8), (0.0,) * 3, (1.0,) * 3)

    def __init__(self, fingerprint: str = "colours-1") -> None:
        self.fingerprint = fingerprint

    def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
        seeds = [hashlib.sha256(text.encode()).digest()[:8] for text in texts]
        return unit(np.array([list(seed) for seed in seeds], dtype=np.float32).reshape(-1, 8))

    def encode_images(self, images: Sequence[bytes]) -> np.ndarray:
        rows = [np.asarray(decode_image(data).resize((2, 2)), np.float32) for data in images]
        return unit(np.array([row.ravel()[:8] + 1 for row in rows]).reshape(-1, 8))


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def read(folder: Path, log: Path, name: str) -> bytes | None:
    """A picture's bytes; says in a folder what was read, and on which node."""
    node = ray.get_runtime_context().get_node_id() if ray.is_initialized() else "here"
    (log / f"{name}@{node}").touch()
    path = folder / name
    return path.read_bytes() if path.is_file() else None


def read_and_die(folder: Path, log: Path, deadly: str, once: bool, name: str) -> bytes | None:
    """The same, but one picture kills the process that reads it: once, or always."""
    if name == deadly and not (once and (log / "died").exists()):
        (log / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return read(folder, log, name)


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[None]:
    from ray.cluster_utils import Cluster as LocalCluster

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    node = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
    cluster = LocalCluster(initialize_head=True, head_node_args=node)
    try:
        cluster.add_node(num_cpus=1, object_store_memory=80 << 20)
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        yield
    finally:
        ray.shutdown()
        cluster.shutdown()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(N_SHARDS * PER_SHARD):
        pixels = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    (folder / "7.png").write_bytes(b"<html>not found</html>")
    (folder / "8.png").unlink()
    return folder


@pytest.fixture
def log(tmp_path: Path) -> Path:
    (tmp_path / "log").mkdir()
    return tmp_path / "log"


def shards() -> list[Shard]:
    rows = [range(n * PER_SHARD, (n + 1) * PER_SHARD) for n in range(N_SHARDS)]
    return [
        Shard(
            n,
            tuple(f"item {i // 2}" for i in some),
            tuple(f"{i}.png" for i in some),
            ("",) * PER_SHARD,
        )
        for n, some in enumerate(rows)
    ]


def desk(tmp_path: Path, read: Callable[[str], bytes | None], **changes: object) -> Desk:
    given = {"open_encoder": Colours, "fingerprint": "colours-1", "read": read}
    paths = {"shards": tmp_path / "out" / "shards", "known": tmp_path / "out"}
    return Desk(**{**given, **paths, **changes})


def encoded_here(folder: Path, cache: Path) -> tuple[np.ndarray, np.ndarray]:
    """What one process makes of the same, without shards."""
    every = shards()
    texts = [text for shard in every for text in shard.texts]
    names = [name for shard in every for name in shard.pictures]

    def read(name: str) -> bytes | None:
        return (folder / name).read_bytes() if (folder / name).is_file() else None

    kept = VectorCache(cache)
    return cached_texts(kept, Colours(), texts), encode_pictures(
        kept, Colours(), names, read
    ).vectors


def merged(tmp_path: Path) -> tuple[VectorCache, list[tuple[str, str]]]:
    cache = VectorCache(tmp_path / "out")
    rejected = []
    for shard in shards():
        path = tmp_path / "out" / "shards" / shard.file_name("colours-1")
        rejected += [(one.name, one.reason) for one in merge_shard(path, cache, Colours())]
    return cache, rejected


def check_all_is_there(tmp_path: Path, folder: Path) -> None:
    """Every vector, bit for bit: a picture's colours do not depend on its batch."""
    cache, rejected = merged(tmp_path)
    texts, vectors = encoded_here(folder, tmp_path / "here")
    keys = [content_key(text) for shard in shards() for text in shard.texts]
    got, known = cache.read(Colours(), "texts", keys)
    assert known.all()
    assert np.array_equal(got, texts)
    names = [name for shard in shards() for name in shard.pictures]
    there = [i for i, name in enumerate(names) if name not in ("7.png", "8.png")]
    keys = [content_key((folder / names[i]).read_bytes()) for i in there]
    got, known = cache.read(Colours(), "images", keys)
    assert known.all()
    assert np.array_equal(got, vectors[there])
    assert [name for name, _ in rejected] == ["7.png"]
    assert "HTML page" in rejected[0][1]


def test_two_nodes_share_the_work_and_a_worker_that_dies_loses_nothing(
    tmp_path: Path, pictures: Path, log: Path, two_nodes: None
) -> None:
    at = desk(tmp_path, partial(read_and_die, pictures, log, "22.png", True))
    for shard in shards()[:2]:  # An earlier call was interrupted.
        encode_shard(shard, at.shards, Colours(), at.read, VectorCache(at.known))
    before = {path: path.stat().st_mtime_ns for path in at.shards.iterdir()}
    for path in log.iterdir():
        path.unlink()
    told: list[tuple[int, int]] = []
    encode_shards(
        shards(), at, Cluster(), on_progress=lambda done, total: told.append((done, total))
    )
    assert told == [(n, N_SHARDS) for n in range(2, N_SHARDS + 1)]
    assert (log / "died").exists()
    names, nodes = zip(*(path.name.split("@") for path in log.glob("*@*")), strict=True)
    assert set(names) == {f"{i}.png" for i in range(10, 40)}  # Nothing of the finished shards.
    assert len(set(nodes)) == 2
    assert "here" not in nodes
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(list(at.shards.iterdir())) == N_SHARDS
    check_all_is_there(tmp_path, pictures)
    encode_shards(shards(), at, Cluster(address="nowhere:1"))  # All there: none is asked.


def batch_of(shard: Shard) -> pa.Table:
    return pa.Table.from_pylist(
        [{name: getattr(shard, name) for name in ("number", "texts", "pictures", "stamps")}]
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_shard_that_kills_every_worker_is_named(
    tmp_path: Path, pictures: Path, log: Path
) -> None:
    at = desk(tmp_path, partial(read_and_die, pictures, log, "12.png", False))
    worker = _Worker(at)
    for _ in range(ATTEMPTS):
        child = os.fork()
        if child == 0:
            worker(batch_of(shards()[2]))
            os._exit(0)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    with pytest.raises(
        EncoderError, match=r"shard 2 killed 4 workers: one of its pictures, 10.png"
    ):
        worker(batch_of(shards()[2]))
    assert worker(batch_of(shards()[3])) == {"number": [3]}
    again = desk(tmp_path, partial(read, pictures, log))
    assert _Worker(again)(batch_of(shards()[2])) == {"number": [2]}  # Another call, a clean sheet.


def test_other_weights_on_a_worker_are_refused(tmp_path: Path) -> None:
    other = partial(Colours, "colours-2")
    with pytest.raises(EncoderError, match=r"colours-2, expected colours-1.*same weights"):
        _Worker(desk(tmp_path, lambda _: None, open_encoder=other))


# Shards, without a cluster


def test_a_shard_is_named_by_what_it_holds() -> None:
    shard = Shard(3, ("a",), ("p.png",), ("1",))
    name = shard.file_name("f")
    assert name.startswith("shard-000003-")
    assert Shard(3, ("a",), ("p.png",), ("1",)).file_name("f") == name
    others = [
        Shard(3, ("b",), ("p.png",), ("1",)).file_name("f"),
        Shard(3, ("a",), ("q.png",), ("1",)).file_name("f"),
        Shard(3, ("a",), ("p.png",), ("2",)).file_name("f"),
        Shard(3, ("a", "p.png"), (), ()).file_name("f"),
        shard.file_name("g"),
    ]
    assert len({name, *others}) == 6


def test_what_the_cache_knows_is_not_encoded_again(tmp_path: Path, pictures: Path) -> None:
    shard = shards()[0]
    cache = VectorCache(tmp_path / "out")
    folder = tmp_path / "out" / "shards"

    def read(name: str) -> bytes:
        return (pictures / name).read_bytes()

    merge_shard(encode_shard(shard, folder, Colours(), read, cache), cache, Colours())

    class Idle(Colours):
        def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
            assert not texts
            return super().encode_texts(texts)

        def encode_images(self, images: Sequence[bytes]) -> np.ndarray:
            assert not images
            return super().encode_images(images)

    moved = Shard(9, shard.texts, shard.pictures, shard.stamps)
    path = encode_shard(moved, folder, Idle(), read, cache)
    size = sum(path.stat().st_size for path in (tmp_path / "out" / "colours-1").iterdir())
    assert merge_shard(path, cache, Idle()) == ()
    assert sum(path.stat().st_size for path in (tmp_path / "out" / "colours-1").iterdir()) == size


def test_an_encoding_that_fails_leaves_no_file(tmp_path: Path) -> None:
    class Broken(Colours):
        def encode_texts(self, texts: Sequence[str]) -> np.ndarray:
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        encode_shard(shards()[0], tmp_path, Broken(), lambda _: None, VectorCache(tmp_path))
    assert not list(tmp_path.rglob("*.safetensors*"))


def test_a_damaged_shard_says_how_to_go_on(tmp_path: Path) -> None:
    shard = Shard(0, ("a",), (), ())
    cache = VectorCache(tmp_path)
    path = encode_shard(shard, tmp_path, Colours(), lambda _: None, cache)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ValueError, match="delete it, and run again"):
        merge_shard(path, cache, Colours())


def test_a_shard_of_nothing_is_a_shard(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path)
    path = encode_shard(Shard(0, (), (), ()), tmp_path, Colours(), lambda _: None, cache)
    assert merge_shard(path, cache, Colours()) == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"workers": 0}, "workers is 0"), ({"cpus_per_worker": 0.0}, "more than 0 CPUs")],
)
def test_a_cluster_of_nothing_is_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Cluster(**changes)


def test_a_picture_has_a_stamp() -> None:
    with pytest.raises(ValueError, match="1 pictures and 0 stamps"):
        Shard(0, (), ("p.png",), ())


def test_no_work_needs_no_cluster(tmp_path: Path) -> None:
    encode_shards([], desk(tmp_path, lambda _: None), Cluster(address="nowhere:1"))
