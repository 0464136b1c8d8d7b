"""kill -9 in the middle of changes: is everything there that was acknowledged?"""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from retrieval.index import FaissIndex, build_index

DIM = 16
_HELD = 400
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class CrashFigures:
    """Over all rounds."""

    rounds: int
    acknowledged: int
    """Changes that were acknowledged before a kill."""
    lost: int
    """Of these, not there afterwards."""
    unopened: int
    """Rounds after which the index did not open."""
    compactions: int
    """Rounds in which the index was compacted at least once before the kill."""


def measure_crashes(rounds: int = 50, changes: int = 1000, seed: int = 0) -> CrashFigures:
    """Kill a process that changes an index, at a random moment, again and again.

    Args:
        rounds: How often.
        changes: Random additions and removals that a process would make if it were let.
        seed: Of the changes and the moments.
    """
    rng = np.random.default_rng(seed)
    acknowledged = lost = unopened = compactions = 0
    for at in range(rounds):
        with TemporaryDirectory() as name:
            folder = Path(name) / "index"
            rows = np.arange(_HELD)
            vectors = np.stack([vector_of(row, 0) for row in rows.tolist()])
            build_index(rows, vectors, flat_below=0 if at % 2 else 10**9).save(folder)
            seen = _killed(folder, changes, seed + at, float(rng.uniform(0.0, 1.0)))
            acknowledged += seen
            try:
                index = FaissIndex.open(folder, live=True)
            except (ValueError, OSError):
                unopened += 1
                lost += seen
                continue
            lost += _missing(index, changes, seed + at, seen)
            index.close()
            compactions += int(any(not p.name.endswith("-1.faiss") for p in folder.glob("*.faiss")))
    return CrashFigures(rounds, acknowledged, lost, unopened, compactions)


def vector_of(row: int, version: int) -> np.ndarray:
    """The vector that a row has in a version: float32 ``[D]``, of length 1."""
    vector = np.random.default_rng((row, version)).standard_normal(DIM)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def change_at(seed: int, step: int) -> tuple[bool, list[int]]:
    """Whether the step adds, and the rows that it touches."""
    rng = np.random.default_rng((seed, step))
    return bool(rng.random() < 0.6), rng.choice(2 * _HELD, rng.integers(1, 6), False).tolist()


def change_until_killed(folder: Path, changes: int, seed: int) -> None:
    """Make the changes one after another, and say so after each; compact now and then."""
    index = FaissIndex.open(folder, live=True)
    for step in range(changes):
        adds, rows = change_at(seed, step)
        if adds:
            index.add(np.array(rows), np.stack([vector_of(row, step + 1) for row in rows]))
        else:
            index.remove(np.array(rows))
        print(step, flush=True)
        if step % 50 == 49:
            index.compact()


def _killed(folder: Path, changes: int, seed: int, share: float) -> int:
    """Run the changes in a process, kill it, and count what it acknowledged."""
    script = (
        "import sys; from pathlib import Path; "
        "from benchmarks.retrieval_cases.crash import change_until_killed as run; "
        "run(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))"
    )
    command = [sys.executable, "-c", script, str(folder), str(changes), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT) as process:
        if process.stdout is None:
            raise RuntimeError("got no pipe from the process, expected its acknowledgements")
        told = 0
        for told, _ in enumerate(process.stdout, 1):
            if told >= share * changes:
                break
        time.sleep(share * 0.003)  # anywhere within a change or a compaction
        process.kill()
        return told + sum(1 for line in process.stdout if line.endswith("\n"))


def _missing(index: FaissIndex, changes: int, seed: int, seen: int) -> int:
    """Acknowledged changes whose outcome is not there; the one in flight may or may not be."""
    state = dict.fromkeys(range(_HELD), 0)
    last: dict[int, int] = dict.fromkeys(range(2 * _HELD), -1)
    for step in range(min(seen, changes)):
        adds, rows = change_at(seed, step)
        for row in rows:
            last[row] = step
            state.pop(row, None)
            if adds:
                state[row] = step + 1
    in_flight = set(change_at(seed, seen)[1]) if seen < changes else set()
    wrong = set()
    for row, step in last.items():
        if row not in in_flight and not _as_expected(index, row, state.get(row)):
            wrong.add(step)
    return len(wrong)


def _as_expected(index: FaissIndex, row: int, version: int | None) -> bool:
    query = vector_of(row, version or 0)[None]
    found = index.search(query, 1, allowed=np.array([row]))
    if version is None:
        return not found.valid.any()
    return bool(found.valid.all() and found.scores[0, 0] > 0.9999)
