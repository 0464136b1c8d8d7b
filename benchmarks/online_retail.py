"""The second shop: UCI Online Retail, by the commands that its owner would type.

    python -m benchmarks.online_retail [FILE]

FILE is ``online_retail.parquet`` (or the original as CSV); by default it is looked for in
``../shared/data``. The last four weeks are the test.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import pages
from benchmarks.cases import RESULTS, Case, markdown, measured, write

COMMAND = "make bench-online-retail"
DATA = Path("data/online-retail")
RUN = Path("runs/online-retail")
FIGURES = Path("runs/online-retail.json")


def main() -> None:
    """Ingest, train, evaluate; write ``results/online_retail.json``; print the table."""
    source = Path(sys.argv[1] if len(sys.argv) > 1 else "../shared/data/online_retail.parquet")
    if not source.is_file():
        print(f"{source} is not there: give the path of the Online Retail file")
        return
    started = time.perf_counter()
    _vitrine("ingest", "examples/online_retail.yaml", str(DATA), "--events", str(source))
    config = "examples/online_retail_config.yaml"
    _vitrine("train", str(DATA), str(RUN), "--config", config, "--hold-out-weeks", "4")
    _vitrine("evaluate", str(DATA), str(RUN), "--json", str(FIGURES))
    minutes = (time.perf_counter() - started) / 60
    write("online_retail", [*_quality(), measured("minutes", minutes, "min", command=COMMAND)])
    pages.main()
    print(markdown("online_retail"))


def _vitrine(*words: str) -> None:
    subprocess.run([str(Path(sys.executable).with_name("vitrine")), *words], check=True)


def _quality() -> Iterator[Case]:
    table = FIGURES.with_suffix(".md").read_text("utf-8")
    RESULTS.joinpath("online_retail_table.md").write_text(table, "utf-8")
    figures = json.loads(FIGURES.read_text("utf-8"))
    for case, key in (("ndcg10_all_ratio", "all_ratio"), ("ndcg10_new_ratio", "new_ratio")):
        yield measured(case, figures[key]["estimate"], "x", command=COMMAND)
        yield measured(f"{case}_low", figures[key]["low"], "x", command=COMMAND)


if __name__ == "__main__":
    main()
