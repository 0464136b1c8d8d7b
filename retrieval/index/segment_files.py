"""A segment in a folder: files of one generation, and ``index.json`` that says which one holds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from retrieval.index.base import META_FILE, IndexFormatError, IndexMeta
from retrieval.index.files import replacing, sync
from retrieval.index.plan import CODED, IndexPlan, Kind
from retrieval.index.segment import Segment
from retrieval.index.structures import faiss, ivf_of
from retrieval.index.tuning import Effort, Efforts

KIND = "faiss"
_OURS = re.compile(r"(?:index|rows|vectors|template|changes)-(\d+)\.(?:faiss|npy|log)")


@dataclass(frozen=True, slots=True)
class SegmentFiles:
    """Where one generation lies."""

    folder: Path
    generation: int

    @property
    def index(self) -> Path:
        """What FAISS writes."""
        return self.folder / f"index-{self.generation}.faiss"

    @property
    def rows(self) -> Path:
        """int64 ``[n]``."""
        return self.folder / f"rows-{self.generation}.npy"

    @property
    def vectors(self) -> Path:
        """float32 ``[n, D]``: only beside codes."""
        return self.folder / f"vectors-{self.generation}.npy"

    @property
    def template(self) -> Path:
        """uint8: trained, empty lists; only where there are lists."""
        return self.folder / f"template-{self.generation}.npy"

    @property
    def changes(self) -> Path:
        """The log of changes since."""
        return self.folder / f"changes-{self.generation}.log"

    def next(self) -> SegmentFiles:
        """The generation after this one."""
        return SegmentFiles(self.folder, self.generation + 1)


def generation_in(folder: Path) -> int:
    """The generation that a folder holds, 0 if it holds none that can be read."""
    try:
        return IndexMeta.read(folder).generation
    except IndexFormatError:
        return 0


def write_segment(segment: Segment, files: SegmentFiles) -> None:
    """Write the files of a generation; :func:`publish` makes them the ones that hold."""
    with replacing(files.index) as path:
        faiss.write_index(segment.index, str(path))
    _write_array(files.rows, np.asarray(segment.rows))
    if segment.template is not None:
        _write_array(files.template, segment.template)
    if segment.beside is None:
        return
    if _is_file(segment.beside, files.vectors):
        segment.beside.flush()  # type: ignore[attr-defined]  # a memory map, as was just seen
        sync(files.vectors)
    else:
        _write_array(files.vectors, segment.beside)


def publish(segment: Segment, files: SegmentFiles) -> None:
    """Let ``index.json`` name a generation whose files are written, and delete the others."""
    _meta_of(segment, files).write(files.folder)
    for path in files.folder.iterdir():
        found = _OURS.fullmatch(path.name)
        if found and int(found[1]) != files.generation:
            path.unlink()


def mapped(segment: Segment, files: SegmentFiles) -> Segment:
    """The same segment, read through the files that it was just written to."""
    return read_segment(_meta_of(segment, files), files)


def read_segment(meta: IndexMeta, files: SegmentFiles) -> Segment:
    """Map a generation into memory.

    Raises:
        IndexFormatError: Its files are missing or contradict each other.
    """
    try:
        kind = Kind(meta.structure or "")
    except ValueError as error:
        raise IndexFormatError(
            f"{files.folder / META_FILE}: got structure {meta.structure!r}, expected one of "
            f"{', '.join(Kind)}; build the index again"
        ) from error
    index = _read_index(files.index)
    lists = ivf_of(index)
    plan = IndexPlan(kind, int(lists.nlist) if lists is not None else 0, meta.code)
    rows = _read_array(files.rows)
    beside = _read_array(files.vectors) if kind in CODED else None
    template = _read_array(files.template) if lists is not None else None
    got = (int(index.ntotal), int(index.d), len(rows), len(rows if beside is None else beside))
    if got != (meta.count, meta.dim, meta.count, meta.count):
        raise IndexFormatError(
            f"{files.folder}: got (vectors, width) {got[:2]} for {got[2]} rows, expected "
            f"{(meta.count, meta.dim)}; build the index again"
        )
    efforts = Efforts(tuple(Effort(*effort) for effort in meta.efforts), meta.recall)
    return Segment(plan, rows, index, efforts, beside, template)


def _meta_of(segment: Segment, files: SegmentFiles) -> IndexMeta:
    return IndexMeta(
        kind=KIND,
        dim=int(segment.index.d),
        count=len(segment),
        nprobe=segment.efforts.breadth,
        recall=segment.efforts.recall,
        generation=files.generation,
        structure=segment.plan.kind,
        code=segment.plan.code,
        efforts=segment.efforts.table,
    )


def _read_index(path: Path) -> faiss.Index:
    try:
        return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise IndexFormatError(f"{path}: FAISS cannot read it; build the index again") from error


def _write_array(path: Path, array: np.ndarray) -> None:
    with replacing(path) as draft, draft.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def _read_array(path: Path) -> np.ndarray:
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError) as error:
        raise IndexFormatError(f"{path}: {error}; build the index again") from error


def _is_file(array: np.ndarray, path: Path) -> bool:
    return isinstance(array, np.memmap) and str(array.filename) == str(path.resolve())
