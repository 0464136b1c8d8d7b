"""The reranker: what it knows of the moment, against the best that is known, and what it costs.

    python -m benchmarks.rerank [SECTION ...]

Without a section all are measured, one after the other; figures of sections that were measured
before stay. Needs the real data (``--data``); ``journey``, ``ablations`` and ``speed`` need the
demo's data and run.
"""

from __future__ import annotations

import argparse
from functools import partial
from importlib import import_module
from pathlib import Path

from benchmarks import pages
from benchmarks.rerank_cases.asked import Asked
from benchmarks.sections import Found, Section, run

SECTIONS = {
    "journey": "Complete Journey: quality and calibration",
    "ablations": "What each part is worth, on Complete Journey",
    "context": "With the scene and without it, on three sets",
    "options": "Training options: task weights and adversarial shifts",
    "beauty": "Amazon Beauty, sequences",
    "movielens": "MovieLens, sequences",
    "speed": "The forward pass",
}
"""Modules of :mod:`benchmarks.rerank_cases`, in the order of the page, and their titles."""


def main() -> None:
    """Measure and write ``benchmarks/results/rerank*`` and ``rerank.md``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rerank", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--demo", type=Path, default=Path("data/complete-journey"))
    parser.add_argument("--run", type=Path, default=Path("runs/demo"))
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    asked = Asked(given.data, given.demo, given.run, tuple(range(given.seeds)))
    sections = [Section(n, title, partial(_measured, n, asked)) for n, title in SECTIONS.items()]
    run("rerank", sections, given.sections)
    pages.main()


def _measured(section: str, asked: Asked) -> Found:
    """Import a section when it is asked for: most need packages that the others do not."""
    found: Found = import_module(f"benchmarks.rerank_cases.{section}").run(asked)
    return found


if __name__ == "__main__":
    main()
