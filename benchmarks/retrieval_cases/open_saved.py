"""From a folder to the first answer, in a process that has just begun."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

_SCRIPT = """
import sys, time
import numpy as np
from pathlib import Path
from retrieval.index import open_index
query = np.zeros((1, int(sys.argv[2])), np.float32)
query[0, 0] = 1
started = time.perf_counter()
index = open_index(Path(sys.argv[1]))
opened = time.perf_counter()
assert index.search(query, 100).valid.all()
print(opened - started, time.perf_counter() - started)
"""


@dataclass(frozen=True, slots=True)
class OpenFigures:
    """Seconds, imports not counted."""

    open_s: float
    first_answer_s: float


def measure_open(folder: Path, dim: int) -> OpenFigures:
    """Open a saved index in a process of its own and ask once for 100 answers."""
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, str(folder), str(dim)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    return OpenFigures(*map(float, done.stdout.split()))
