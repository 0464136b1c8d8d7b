"""FAISS behind the index protocol: searched while it changes, and safe from crashes if asked."""

from __future__ import annotations

import logging
from pathlib import Path
from threading import Lock, Thread
from types import TracebackType
from typing import Self

import numpy as np

from retrieval.index.base import (
    Allowed,
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
    is_lone_query,
    nothing_found,
)
from retrieval.index.compaction import settled
from retrieval.index.gpu import GpuCopy
from retrieval.index.log import Change, ChangeKind, ChangeLog, read_changes
from retrieval.index.plan import IndexPlan, Kind
from retrieval.index.segment import Reply, Segment, search_filtered, search_segment
from retrieval.index.segment_files import (
    KIND,
    SegmentFiles,
    generation_in,
    mapped,
    publish,
    read_segment,
    write_segment,
)
from retrieval.index.snapshot import Snapshot, Writer, empty_change
from retrieval.index.stats import SearchPath, SearchTally
from retrieval.index.structures import threads, untrained
from retrieval.index.tuning import Efforts

__all__ = ["KIND", "FaissIndex"]

UNSETTLED_LEAST, UNSETTLED_MOST = 8192, 65_536
_FEW = 16
_log = logging.getLogger(__name__)


class FaissIndex:
    """Inner product search with FAISS; exact when flat, or when few rows are allowed.

    An immutable base answers together with the few vectors that came since; when these are many,
    a thread builds the next base aside. An empty index starts flat and stays flat however it
    grows; :func:`retrieval.index.build.build_index` chooses by size. See
    :class:`retrieval.index.base.VectorIndex` for what each method promises. Of rows whose scores
    tie at the last place, an unfiltered search may keep any.
    """

    _now: Snapshot
    _since: list[Change] | None
    """Changes while a compaction is under way, which it has yet to see."""
    _gpu: GpuCopy | None

    def __init__(self, dim: int) -> None:
        plan = IndexPlan(Kind.FLAT, recall=1.0)
        self._begin(Segment(plan, np.zeros(0, np.int64), untrained(plan, dim, 0), Efforts()))

    @classmethod
    def of(cls, base: Segment) -> Self:
        """An index that begins with a segment."""
        index = cls.__new__(cls)
        index._begin(base)
        return index

    @classmethod
    def open(cls, folder: Path, *, live: bool = False) -> Self:
        """Open a saved index through a memory map.

        Args:
            folder: Where it was saved; changes that were logged there are replayed.
            live: Log every change in the folder before it is acknowledged, and compact into the
                folder. One live index per folder at a time; it is closed with :meth:`close`.

        Raises:
            IndexFormatError: The files are missing or contradict each other.
            LogFailedError: Another live index has the folder open.
        """
        meta = IndexMeta.read(folder)
        files = SegmentFiles(folder, meta.generation)
        log: ChangeLog | None = None
        changes: list[Change] = []
        if live:
            log, changes = ChangeLog.open(files.changes, meta.dim)
        try:
            index = cls.of(read_segment(meta, files))
            if not live:
                changes, _ = read_changes(files.changes, meta.dim)
        except Exception:
            if log is not None:
                log.close()
            raise
        for change in changes:
            index._writer.apply(change)
        index._now = index._writer.snapshot()
        index._log, index._files = log, files if live else None
        return index

    @property
    def dim(self) -> int:
        """Width D of the vectors."""
        return self._dim

    @property
    def nprobe(self) -> int | None:
        """Inverted lists visited per search, or its breadth in a graph; None when flat."""
        return self._now.base.efforts.breadth

    @property
    def recall(self) -> float | None:
        """Recall on the sample that chose ``nprobe``; None when flat, hence exact."""
        return self._now.base.efforts.recall

    def __len__(self) -> int:
        return len(self._now)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def add(self, rows: Rows, vectors: Vectors) -> None:
        """Put vectors ``[n, D]`` in; a row that is there already gets the new vector."""
        rows, vectors = checked_addition(rows, vectors, self.dim)
        self._change(Change(ChangeKind.PUT, rows, vectors))

    def update(self, rows: Rows, vectors: Vectors) -> None:
        """Give rows that are there new vectors ``[n, D]``; a stranger is refused."""
        rows, vectors = checked_addition(rows, vectors, self.dim)
        self._change(Change(ChangeKind.PUT, rows, vectors), only_held=True)

    def remove(self, rows: Rows) -> int:
        """Take rows ``[n]`` out and return how many were there."""
        return self._change(empty_change(self.dim, np.unique(checked_rows(rows))))

    def search(
        self, queries: Vectors, k: int, *, allowed: Rows | Allowed | None = None
    ) -> Neighbours:
        """The best ``k`` rows for queries ``[Q, D]``, of the allowed ones if given."""
        now = self._now
        lone = now.lone
        if allowed is None and lone and self._gpu is None and is_lone_query(queries, self._dim):
            found = lone.search(queries, k)
            if found is not None:
                self._tally.add_lone()
                return _with_fresh(now, found, queries, k, None)
        queries, k = checked_vectors(queries, self.dim, "queries"), checked_k(k)
        kept = None if allowed is None else as_allowed(allowed)
        if not len(queries) or not len(now):
            return nothing_found(len(queries), k)
        with threads(len(queries)):
            reply = self._search_base(now, queries, k, kept)
        self._tally.add(reply.path, len(queries))
        if reply.completed:
            self._tally.add(SearchPath.EVERY_LIST, reply.completed)
        return _with_fresh(now, reply.found, queries, k, kept)

    def stats(self) -> IndexStats:
        """What the index is, what it costs, and how its searches were answered."""
        now = self._now
        return IndexStats(
            kind=now.base.plan.kind,
            count=len(now),
            dim=self.dim,
            bytes_per_item=now.bytes / max(len(now), 1),
            nprobe=self.nprobe,
            recall=self.recall,
            deleted=now.dead,
            log_records=self._log.records if self._log else 0,
            searches=self._tally.counts(),
        )

    def save(self, folder: Path) -> None:
        """Write the index into a folder, compacted; a live one's own folder takes a checkpoint."""
        if self._files is not None and folder.resolve() == self._files.folder.resolve():
            self.compact()
            return
        files = SegmentFiles(folder, generation_in(folder) + 1)
        base = settled(self._now, files.vectors)
        write_segment(base, files)
        publish(base, files)

    def compact(self) -> None:
        """Build a base of all that is here, and switch to it; searches go on meanwhile.

        Begins by itself in a thread once many vectors are fresh or dead.
        """
        with self._compacting:
            with self._writing:
                frozen, self._since = self._now, []
            try:
                if not frozen.is_base:
                    self._build_aside(frozen)
            finally:
                with self._writing:
                    self._since = None

    def wait(self) -> None:
        """Return once no compaction is under way."""
        thread = self._thread
        if thread is not None:
            thread.join()

    def close(self) -> None:
        """Wait for a compaction and let go of the log; the index can still be searched."""
        self.wait()
        with self._writing:
            if self._log is not None:
                self._log.close()

    def to_gpu(self) -> None:
        """Answer unfiltered searches on the first GPU from now on.

        Filtered searches stay on the processor, because a GPU passes over nothing; fresh vectors
        too. After a compaction the next search copies the base to the GPU again.

        Raises:
            RuntimeError: This FAISS sees no GPU, or has no GPU form of this kind.
        """
        self._gpu = GpuCopy(self._now.base)

    def _begin(self, base: Segment) -> None:
        self._dim = int(base.index.d)
        self._writer = Writer(base)
        self._now = self._writer.snapshot()
        self._tally = SearchTally()
        self._writing, self._compacting = Lock(), Lock()
        self._since = None
        self._thread: Thread | None = None
        self._compact_at = 0
        self._log: ChangeLog | None = None
        self._files: SegmentFiles | None = None
        self._gpu = None

    def _change(self, change: Change, *, only_held: bool = False) -> int:
        with self._writing:
            if only_held:
                checked_update(change.rows, self._writer.held(change.rows))
            log = self._log
            ticket = log.append(change) if log else 0
            touched = self._writer.apply(change)
            if self._since is not None:
                self._since.append(change)
            self._now = self._writer.snapshot()
            self._compact_if_due()
        if log is not None:
            log.wait(ticket)
        return touched

    def _compact_if_due(self) -> None:
        least = len(self._now.base) // 100
        limit = min(max(least, UNSETTLED_LEAST), UNSETTLED_MOST)
        if self._writer.unsettled < max(limit, self._compact_at):
            return
        if self._thread is None or not self._thread.is_alive():
            self._compact_at = self._writer.unsettled + limit  # if this one should fail
            self._thread = Thread(target=self._compact_quietly, name="compaction", daemon=True)
            self._thread.start()

    def _compact_quietly(self) -> None:
        try:
            self.compact()
        except Exception:
            _log.exception("compaction failed; the index stays as it is and tries again later")

    def _build_aside(self, frozen: Snapshot) -> None:
        files = self._files.next() if self._files else None
        log: ChangeLog | None = None
        base = settled(frozen, files.vectors if files else None)
        if files is not None:
            write_segment(base, files)
            base = mapped(base, files)
            files.changes.unlink(missing_ok=True)  # of a compaction that a crash cut short
            log, _ = ChangeLog.open(files.changes, self.dim)
        writer, since, done = Writer(base), self._since or [], 0
        while len(since) - done > _FEW:
            done = _replay(since, done, writer, log)
        with self._writing:
            _replay(since, done, writer, log)
            if files is not None:
                publish(base, files)
            old, self._log, self._files = self._log, log, files
            self._writer, self._now, self._since = writer, writer.snapshot(), None
            self._compact_at = 0
            if old is not None:
                old.close()

    def _search_base(self, now: Snapshot, queries: Vectors, k: int, kept: Allowed | None) -> Reply:
        base, living = now.base, now.living
        if kept is not None:
            return search_filtered(base, queries, k, living, kept.placed(base.rows))
        gpu = self._gpu
        device = gpu.of(base, k) if gpu else base.index
        return search_segment(base, device, queries, k, living)


def _replay(since: list[Change], done: int, writer: Writer, log: ChangeLog | None) -> int:
    """Apply what came after ``done`` changes; returns how many there are now."""
    upto = len(since)
    for change in since[done:upto]:
        writer.apply(change)
        if log is not None:
            log.append(change)
    if log is not None:
        log.wait(log.records)
    return upto


def _with_fresh(
    now: Snapshot, found: Neighbours, queries: Vectors, k: int, kept: Allowed | None
) -> Neighbours:
    return _better_of(found, now.fresh.search(queries, k, kept)) if now.fresh.count else found


def _better_of(one: Neighbours, two: Neighbours) -> Neighbours:
    """The best ``K`` of two answers ``[Q, K]`` that share no row."""
    k = one.rows.shape[1]
    rows = np.concatenate([one.rows, two.rows], axis=1)
    scores = np.concatenate([one.scores, two.scores], axis=1)
    valid = np.concatenate([one.valid, two.valid], axis=1)
    order = np.lexsort((rows, -scores))[:, :k]
    return Neighbours(*(np.take_along_axis(part, order, axis=1) for part in (rows, scores, valid)))
