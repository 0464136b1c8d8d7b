"""The commands ``vitrine evaluate`` and ``vitrine compare``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from engine.cli_find import RunFolder
from engine.evaluate.asked_for import Protocol
from engine.progress import ConsoleReporter
from engine.terminal import complaints, console

DatasetFolder = Annotated[Path, typer.Argument(metavar="DATASET", help="Folder that ingest wrote.")]
Figures = Annotated[
    Path | None, typer.Option("--json", dir_okay=False, help="Write the figures here.")
]

EVALUATE_EPILOG = (
    "Example: vitrine evaluate data/shop runs/shop --json runs/shop.json\n\n"
    "Example: vitrine evaluate data/shop runs/shop --report runs/shop.html\n\n"
    "Example: vitrine evaluate data/shop runs/shop --protocol new-users"
)
COMPARE_EPILOG = "Example: vitrine compare runs/shop runs/shop-new --dataset data/shop"


def evaluate(
    dataset: DatasetFolder,
    run: RunFolder,
    out: Figures = None,
    report: Annotated[
        Path | None,
        typer.Option(dir_okay=False, metavar="FILE.html", help="Write a page to look at here."),
    ] = None,
    protocol: Annotated[Protocol, typer.Option(help="What is asked for.")] = Protocol.FIRST_BASKETS,
) -> None:
    """Measure a run, and the usual baselines, on what happened after its training ended.

    The run must have been trained with --as-of or --hold-out-weeks: each user's first basket
    from that moment on is the test, or what --protocol says. The page of --report is one file that
    needs nothing else: tables, plots, checks, lists, and how they were made.
    """
    from engine.evaluate.html_report import html_report
    from engine.evaluate.run import evaluate_run

    with ConsoleReporter(console) as reporter:
        compared = evaluate_run(
            dataset,
            run,
            reporter=reporter,
            out=out,
            command=_command(dataset, run, out, report, protocol),
            protocol=protocol,
        )
    console.print(compared.table.to_rich())
    console.print(compared.channels.to_rich())
    for leak in compared.checks.leaks:
        complaints.print(Text(f"leak: {leak}", style="red"), soft_wrap=True)
    if report is not None:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(html_report(compared), encoding="utf-8")
        console.print(Text(f"Report: {report}"), soft_wrap=True)


def compare(
    first: RunFolder,
    second: Annotated[Path, typer.Argument(metavar="RUN", help="The run to set beside it.")],
    dataset: Annotated[
        Path | None,
        typer.Option(
            metavar="DATASET",
            file_okay=False,
            help="What both were trained on; by default it is looked for in data/.",
        ),
    ] = None,
    out: Figures = None,
) -> None:
    """Ask two runs of one dataset and one cut the same requests, and tell them apart.

    Differences are the second less the first, paired by request.
    """
    from engine.evaluate.compare import compare_runs
    from engine.evaluate.figures_file import write_figures

    with ConsoleReporter(console) as reporter:
        compared = compare_runs(first, second, dataset, reporter=reporter)
    for table in compared.to_rich():
        console.print(table)
    if out is not None:
        write_figures(out, compared)


def _command(
    dataset: Path, run: Path, out: Path | None, report: Path | None, protocol: Protocol
) -> str:
    """The command as a person would type it again."""
    words = ["vitrine", "evaluate", str(dataset), str(run)]
    words += ["--json", str(out)] if out else []
    words += ["--report", str(report)] if report else []
    words += [] if protocol is Protocol.FIRST_BASKETS else ["--protocol", protocol]
    return shlex.join(words)
