"""Exact search by matrix products on one or several GPUs, where no FAISS for them is installed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from torch import Tensor

from retrieval.index.base import (
    Allowed,
    IndexFormatError,
    IndexMeta,
    IndexStats,
    Neighbours,
    Rows,
    Vectors,
    as_allowed,
    checked_addition,
    checked_k,
    checked_rows,
    checked_update,
    checked_vectors,
    nothing_found,
    replacing,
)
from retrieval.index.stats import SearchPath, SearchTally

KIND = "torch"
_CELLS = {"cpu": 1 << 24, "cuda": 1 << 28}
_ROWS_FILE, _VECTORS_FILE = "rows.npy", "vectors.npy"


@dataclass(frozen=True, slots=True, eq=False)
class _Shard:
    """Vectors on one device; what a search sees of them is never changed."""

    vectors: Tensor
    """float32 ``[room, D]``; the first ``n`` are in use."""
    rows: Rows
    """int64 ``[n]``, on the host."""
    alive: Tensor
    """bool ``[n]``."""


class TorchIndex:
    """Compares every query with every vector on the devices; a filter masks before the top-k.

    See :class:`retrieval.index.base.VectorIndex` for what each method promises; answers are
    exact, and ties go to the smaller row.
    """

    def __init__(self, dim: int, devices: Sequence[str] | None = None) -> None:
        """Begin empty.

        Args:
            dim: Width D of the vectors.
            devices: Such as ``["cuda:0", "cuda:1"]``: the vectors are spread over them. None
                takes every GPU, or the processor where there is none.

        Raises:
            RuntimeError: A device is not there.
        """
        names = list(devices) if devices else _every_gpu() or ["cpu"]
        absent = sorted(set(names) - {"cpu", "cuda", *_every_gpu()})
        if absent or ("cuda" in names and not torch.cuda.is_available()):
            raise RuntimeError(
                f"TorchIndex: got devices {names}, of which torch sees only "
                f"{['cpu', *_every_gpu()]}; leave devices out to take what is there"
            )
        self._dim = dim
        self._shards: tuple[_Shard, ...] = tuple(_empty(dim, name) for name in names)
        self._places: dict[int, tuple[int, int]] = {}
        self._writing = Lock()
        self._tally = SearchTally()

    @classmethod
    def open(cls, folder: Path, devices: Sequence[str] | None = None) -> TorchIndex:
        """Put what :meth:`save` wrote on the devices.

        Raises:
            IndexFormatError: The files are missing or contradict each other.
        """
        meta = IndexMeta.read(folder)
        index = cls(meta.dim, devices)
        try:
            rows = np.load(folder / _ROWS_FILE, allow_pickle=False)
            vectors = np.load(folder / _VECTORS_FILE, mmap_mode="r", allow_pickle=False)
            index.add(rows, vectors)
        except (OSError, ValueError) as error:
            raise IndexFormatError(f"{folder}: {error}; build the index again") from error
        if len(index) != meta.count:
            raise IndexFormatError(
                f"{folder}: got {len(index)} vectors, expected {meta.count}; build the index again"
            )
        return index

    @property
    def dim(self) -> int:
        """Width D of the vectors."""
        return self._dim

    def __len__(self) -> int:
        return len(self._places)

    def add(self, rows: Rows, vectors: Vectors) -> None:
        """Put vectors ``[n, D]`` in; a row that is there already gets the new vector."""
        rows, vectors = checked_addition(rows, vectors, self.dim)
        with self._writing:
            self._put(rows, vectors)

    def update(self, rows: Rows, vectors: Vectors) -> None:
        """Give rows that are there new vectors ``[n, D]``; a stranger is refused."""
        rows, vectors = checked_addition(rows, vectors, self.dim)
        with self._writing:
            known = (row in self._places for row in rows.tolist())
            checked_update(rows, np.fromiter(known, np.bool_, len(rows)))
            self._put(rows, vectors)

    def remove(self, rows: Rows) -> int:
        """Take rows ``[n]`` out and return how many were there."""
        with self._writing:
            shards = list(self._shards)
            taken = self._take(np.unique(checked_rows(rows)), shards)
            self._shards = tuple(shards)
        return taken

    def search(
        self, queries: Vectors, k: int, *, allowed: Rows | Allowed | None = None
    ) -> Neighbours:
        """The exact best ``k`` rows for queries ``[Q, D]``, of the allowed ones if given."""
        queries, k = checked_vectors(queries, self.dim, "queries"), checked_k(k)
        kept = None if allowed is None else as_allowed(allowed)
        self._tally.add(SearchPath.ALL if kept is None else SearchPath.SELECTOR, len(queries))
        found = nothing_found(len(queries), k)
        shards = self._shards
        most = max(1, *(len(shard.rows) for shard in shards))
        step = max(1, _CELLS[shards[0].vectors.device.type] // most)
        for start in range(0, len(queries), step):
            part = slice(start, start + step)
            parts = [_best(shard, queries[part], k, kept) for shard in shards]
            rows = np.concatenate([rows for rows, _ in parts], axis=1)
            scores = np.concatenate([scores for _, scores in parts], axis=1)
            order = np.lexsort((rows, -scores))[:, :k]
            width = order.shape[1]
            found.rows[part, :width] = np.take_along_axis(rows, order, axis=1)
            found.scores[part, :width] = np.take_along_axis(scores, order, axis=1)
        found.valid[:] = np.isfinite(found.scores)
        return found

    def stats(self) -> IndexStats:
        """Its size and how its searches went."""
        stored = sum(len(shard.rows) for shard in self._shards)
        room = sum(shard.vectors.shape[0] for shard in self._shards)
        return IndexStats(
            kind=KIND,
            count=len(self),
            dim=self.dim,
            bytes_per_item=room * (4 * self.dim + 9) / max(len(self), 1),
            deleted=stored - len(self),
            searches=self._tally.counts(),
        )

    def save(self, folder: Path) -> None:
        """Write ``rows.npy``, ``vectors.npy`` and ``index.json``."""
        shards = self._shards
        kept = [shard.alive.cpu().numpy() for shard in shards]
        rows = np.concatenate([shard.rows[at] for shard, at in zip(shards, kept, strict=True)])
        vectors = np.concatenate(
            [
                shard.vectors[: len(shard.rows)].cpu().numpy()[at]
                for shard, at in zip(shards, kept, strict=True)
            ]
        )
        for name, array in ((_ROWS_FILE, rows), (_VECTORS_FILE, vectors)):
            with replacing(folder / name) as path, path.open("wb") as file:
                np.save(file, array, allow_pickle=False)
        IndexMeta(KIND, self.dim, len(rows)).write(folder)

    def _put(self, rows: Rows, vectors: Vectors) -> None:
        shards = list(self._shards)
        self._take(rows, shards)
        for part in np.array_split(np.arange(len(rows)), len(shards)):
            at = int(np.argmin([len(shard.rows) for shard in shards]))  # the emptiest device
            if len(shards[at].rows) + len(part) > len(shards[at].vectors):
                shards[at] = _roomier(shards[at], len(part))
                self._register(at, shards[at].rows, 0)
            begin = len(shards[at].rows)
            shards[at] = _appended(shards[at], rows[part], vectors[part])
            self._register(at, rows[part], begin)
        self._shards = tuple(shards)

    def _register(self, shard: int, rows: Rows, begin: int) -> None:
        self._places.update((row, (shard, at)) for at, row in enumerate(rows.tolist(), begin))

    def _take(self, rows: Rows, shards: list[_Shard]) -> int:
        leaving = [place for row in rows.tolist() if (place := self._places.pop(row, None))]
        for number in {shard for shard, _ in leaving}:
            shard = shards[number]
            alive = shard.alive.clone()
            alive[torch.tensor([at for of, at in leaving if of == number])] = False
            shards[number] = _Shard(shard.vectors, shard.rows, alive)
        return len(leaving)


def _every_gpu() -> list[str]:
    return [f"cuda:{at}" for at in range(torch.cuda.device_count())]


def _empty(dim: int, device: str) -> _Shard:
    return _Shard(
        torch.zeros((0, dim), device=device),
        np.zeros(0, np.int64),
        torch.zeros(0, dtype=torch.bool, device=device),
    )


def _roomier(shard: _Shard, n: int) -> _Shard:
    """A copy with room for ``n`` more and as many again, without the dead."""
    alive = shard.alive.cpu().numpy()
    kept = shard.vectors[: len(alive)][shard.alive]
    room = torch.zeros((2 * (len(kept) + n), kept.shape[1]), device=kept.device)
    room[: len(kept)] = kept
    return _Shard(room, shard.rows[alive], shard.alive[shard.alive])


def _appended(shard: _Shard, rows: Rows, vectors: Vectors) -> _Shard:
    """A shard with more behind what searches see; it has the room."""
    n, device = len(shard.rows), shard.vectors.device
    shard.vectors[n : n + len(rows)] = torch.from_numpy(np.array(vectors)).to(device)
    more = torch.ones(len(rows), dtype=torch.bool, device=device)
    alive = torch.cat([shard.alive, more])
    return _Shard(shard.vectors, np.concatenate([shard.rows, rows]), alive)


@torch.inference_mode()
def _best(shard: _Shard, queries: Vectors, k: int, allowed: Allowed | None) -> tuple[Rows, Vectors]:
    """Rows and scores ``[Q, K]`` of a shard's best; -inf where there is nothing to answer."""
    n, device = len(shard.rows), shard.vectors.device
    kept = shard.alive
    if allowed is not None:
        kept = kept & torch.from_numpy(allowed.has(shard.rows)).to(device)
    scores = torch.from_numpy(queries).to(device) @ shard.vectors[:n].T  # [Q, n]
    scores.masked_fill_(~kept, -torch.inf)
    best, at = scores.topk(min(k, n), dim=1)
    rows, values = shard.rows[at.cpu().numpy()], best.cpu().numpy()
    if not n:
        return rows, values
    tied = ((scores >= best[:, -1:]) & torch.isfinite(scores)).sum(dim=1) > min(k, n)
    for line in torch.nonzero(tied).flatten().tolist():  # top-k keeps any of them
        rows[line], values[line] = _settled(scores[line], float(best[line, -1]), shard.rows, k)
    return rows, values


def _settled(scores: Tensor, floor: float, rows: Rows, k: int) -> tuple[Rows, Vectors]:
    reached = torch.nonzero(scores >= floor).flatten().cpu().numpy()
    values = scores.cpu().numpy()[reached]
    order = np.lexsort((rows[reached], -values))[:k]
    return rows[reached][order], values[order]
