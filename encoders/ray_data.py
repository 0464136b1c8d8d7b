"""Encoding on many machines, by Ray Data.

Each worker opens the encoder once and encodes shard after shard; see :mod:`encoders.shards`. A
worker that dies is restarted, and its shard is encoded again.
"""

from __future__ import annotations

import logging
import os
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import ModuleType
from typing import Any

from encoders.base import EncoderError, ItemEncoder
from encoders.cache import OnProgress, VectorCache
from encoders.shards import ReadPicture, Shard, encode_shard

ATTEMPTS = 4
"""How often a shard is begun in one call: Ray by itself would try for ever."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Which Ray cluster encodes, and how much of it."""

    address: str | None = None
    """As in ``ray.init``, such as ``"auto"``; by default this machine alone."""
    workers: int | None = None
    """Encoders at a time; by default as many as there are CPUs, or GPUs, for."""
    cpus_per_worker: float = 1.0
    gpus_per_worker: float = 0.0

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"workers is {self.workers}, expected at least 1")
        if self.cpus_per_worker <= 0 or self.gpus_per_worker < 0:
            raise ValueError(
                f"a worker has {self.cpus_per_worker} CPUs and {self.gpus_per_worker} GPUs, "
                "expected more than 0 CPUs and at least 0 GPUs"
            )


@dataclass(frozen=True, slots=True)
class Desk:
    """What every worker needs; it is sent to them, so that paths must hold on their machines."""

    open_encoder: Callable[[], ItemEncoder]
    fingerprint: str
    """What the encoder's must be: the same weights on every machine."""
    read: ReadPicture
    shards: Path
    """Folder of the shards' files."""
    known: Path
    """Folder of the cache whose vectors are not made again."""
    call: str = field(default_factory=lambda: uuid.uuid4().hex)
    """Tells the attempts of this call from those of others."""

    def path(self, shard: Shard) -> Path:
        """The file of a shard."""
        return self.shards / shard.file_name(self.fingerprint)


def encode_shards(
    shards: Sequence[Shard],
    desk: Desk,
    cluster: Cluster,
    *,
    on_progress: OnProgress | None = None,
) -> None:
    """Encode shards, in any order, on a cluster; each file is there when its shard is done.

    Ray that runs already is used as it is; otherwise it is started, and stopped in the end. Where
    nothing is missing, no cluster is asked.

    Args:
        shards: What to encode; those whose file is there are passed over.
        desk: What the workers need.
        cluster: Where.
        on_progress: Told ``(done, total)`` of the shards, first with what was found.

    Raises:
        ImportError: ``ray[data]`` is not installed.
        EncoderError: A shard killed its workers, an error stopped one, or what they wrote is not
            to be found here.
    """
    missing = [shard for shard in shards if not desk.path(shard).is_file()]
    found = len(shards) - len(missing)
    tell = on_progress or (lambda _done, _total: None)
    tell(found, len(shards))
    if not missing:
        return
    with _started(cluster) as ray:
        try:
            for done, _ in enumerate(_results(ray, missing, desk, cluster), start=found + 1):
                tell(done, len(shards))
        except ray.exceptions.RayError as error:
            raise EncoderError(
                f"encoding on Ray stopped, and what is finished is kept: {_last_line(error)}"
            ) from error
        finally:
            for attempts in desk.shards.glob(f".*.{desk.call}"):
                attempts.unlink(missing_ok=True)
    if lost := [shard.number for shard in missing if not desk.path(shard).is_file()]:
        raise EncoderError(
            f"shards {lost[:5]} are done but not in {desk.shards}: give a folder that all "
            "machines share"
        )


def _results(
    ray: ModuleType, shards: Sequence[Shard], desk: Desk, cluster: Cluster
) -> Iterator[object]:
    names = [each.name for each in fields(Shard)]
    rows = [{name: getattr(shard, name) for name in names} for shard in shards]
    n_workers = min(len(rows), cluster.workers or _room(ray, cluster))
    done = ray.data.from_items(rows, override_num_blocks=len(rows)).map_batches(
        _Worker,
        fn_constructor_args=(desk,),
        batch_size=1,
        batch_format="pyarrow",
        # All at once; the first that is there may begin.
        compute=ray.data.ActorPoolStrategy(min_size=1, initial_size=n_workers, max_size=n_workers),
        num_cpus=cluster.cpus_per_worker,
        num_gpus=cluster.gpus_per_worker or None,
    )
    done.context.enable_progress_bars = False
    done.context.print_on_execution_start = False
    rows_done: Iterator[object] = done.iter_rows()
    return rows_done


class _Worker:
    """One encoder in a process of its own."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._encoder = desk.open_encoder()
        self._known = VectorCache(desk.known)
        if self._encoder.fingerprint != desk.fingerprint:
            raise EncoderError(
                f"the encoder on this machine is {self._encoder.fingerprint}, expected "
                f"{desk.fingerprint}: install the same weights everywhere"
            )

    def __call__(self, batch: Any) -> dict[str, list[int]]:  # noqa: ANN401 - a pyarrow.Table
        shards = [
            Shard(row["number"], *(tuple(row[name]) for name in ("texts", "pictures", "stamps")))
            for row in batch.to_pylist()
        ]
        for shard in shards:
            self._encode(shard)
        return {"number": [shard.number for shard in shards]}

    def _encode(self, shard: Shard) -> None:
        desk = self._desk
        path = desk.path(shard)
        desk.shards.mkdir(parents=True, exist_ok=True)
        attempts = path.with_name(f".{path.name}.{desk.call}")
        with attempts.open("ab") as file:
            if file.tell() >= ATTEMPTS:
                raise EncoderError(
                    f"shard {shard.number} killed {ATTEMPTS} workers: one of its pictures, "
                    f"{', '.join(shard.pictures[:3])}, ..., or too little memory"
                )
            file.write(b"+")
        encode_shard(shard, desk.shards, self._encoder, desk.read, self._known)


@contextmanager
def _started(cluster: Cluster) -> Iterator[ModuleType]:
    ray = _import_ray(alone=cluster.address is None)
    if ray.is_initialized():
        yield ray
        return
    options: dict[str, Any] = {} if cluster.address else {"include_dashboard": False}
    try:
        ray.init(
            address=cluster.address or "local",
            log_to_driver=False,
            logging_level="ERROR",
            **options,
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise EncoderError(
            f"no Ray cluster at {cluster.address or 'this machine'} ({_last_line(error)}): "
            "start one with `ray start`, or give its address"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _import_ray(*, alone: bool) -> ModuleType:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if alone and "ray" not in sys.modules:
        # By this name, Ray listens on the loopback address only; it reads it when imported.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    try:
        import ray
        import ray.data
        import ray.exceptions
    except ImportError as error:
        raise ImportError("ray[data] is not installed: pip install 'vitrine-rec[scale]'") from error
    logging.getLogger("ray.data").setLevel(logging.ERROR)  # What is done, `on_progress` is told.
    return ray


def _room(ray: ModuleType, cluster: Cluster) -> int:
    has = ray.cluster_resources()
    room = has.get("CPU", 1.0) / cluster.cpus_per_worker
    if cluster.gpus_per_worker:
        room = min(room, has.get("GPU", 0.0) / cluster.gpus_per_worker)
    return max(1, int(room))


def _last_line(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[-1].strip() if lines else type(error).__name__
