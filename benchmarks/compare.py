"""One table: ours and everyone else on four data sets, and how fast the evaluation is.

    python -m benchmarks.compare [SECTION ...]

Without a section all are measured, one after the other; figures of sections that were measured
before stay, and so does every method of a section that was interrupted. Needs the real data
(``--data``); ``journey`` needs the demo's data and run.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from benchmarks import pages
from benchmarks.compare_cases import figures, shops
from benchmarks.compare_cases.contest import contest
from benchmarks.compare_cases.shops import Shop
from benchmarks.sections import Found, Section, run
from engine.artifacts import read_json
from engine.dataset import Dataset
from engine.evaluate.baselines.families import FAMILIES, LEARNED
from engine.evaluate.peers.families import PEERS

FOLDER = Path("runs/compare")
SUMMARY = "summary"
TITLES = {
    SUMMARY: "All sets",
    "journey": "Complete Journey",
    "retail": "UCI Online Retail",
    "beauty": "Amazon Beauty",
    "movielens": "MovieLens",
    "speed": "Seconds to evaluate",
    "stranger": "A stranger's two files",
}
"""Sections in the order of the page."""
SETS = ("retail", "beauty", "movielens", "journey")
"""In the order in which they are measured: the quicker ones first."""


def main() -> None:
    """Measure and write ``benchmarks/results/compare*`` and ``compare.md``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--demo", type=Path, default=Path("data/complete-journey"))
    parser.add_argument("--run", type=Path, default=Path("runs/demo"))
    given = parser.parse_args()
    measures = {
        SUMMARY: partial(figures.summary, SETS),
        "journey": partial(_journey, given.demo, given.run),
        "retail": partial(_shop, "retail", given.data),
        "beauty": partial(_shop, "beauty", given.data),
        "movielens": partial(_shop, "movielens", given.data),
        "speed": figures.speed,
        "stranger": partial(figures.stranger, FOLDER / "stranger"),
    }
    sections = [Section(name, title, measures[name]) for name, title in TITLES.items()]
    chosen = given.sections or [*SETS, "speed", "stranger"]
    run("compare", sections, [*(name for name in chosen if name != SUMMARY), SUMMARY])
    pages.main()


def _shop(name: str, data: Path) -> Found:
    make = {"retail": shops.retail, "beauty": shops.beauty, "movielens": shops.movielens}[name]
    return _against_all(name, make(data, FOLDER / name / "data"))


def _journey(demo: Path, trained: Path) -> Found:
    cut = int(read_json(trained / "manifest.json")["as_of_unix_s"])
    return _against_all("journey", shops.journey(Dataset.open(demo), cut), trained)


def _against_all(name: str, shop: Shop, trained: Path | None = None) -> Found:
    families = (*FAMILIES, *LEARNED, *PEERS)
    return figures.of_contest(name, contest(shop, families, FOLDER / name, run=trained))


if __name__ == "__main__":
    main()
