"""The commands ``vitrine experiment report``, ``assign`` and ``check``."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from engine.cli_find import RunFolder, StoreUrl
from engine.errors import UnknownIdError
from engine.terminal import Commands, console

if TYPE_CHECKING:
    from engine.evaluate.bootstrap import Interval
    from engine.experiments.plan import Plan
    from engine.experiments.report import Report

EPILOG = (
    "Example: vitrine experiment report runs/shop\n\n"
    "Example: vitrine experiment report runs/shop spring --json"
)
ASSIGN_EPILOG = "Example: vitrine experiment assign runs/shop/state/experiments.yaml user-17"
CHECK_EPILOG = "Example: vitrine experiment check runs/shop/state/experiments.yaml"

app = typer.Typer(cls=Commands, no_args_is_help=True, rich_markup_mode="markdown")

PlanPath = Annotated[
    Path,
    typer.Argument(metavar="EXPERIMENTS.yaml", exists=True, dir_okay=False, help="The plan."),
]


@app.callback()
def _options() -> None:
    """Compare policies and runs on the users of a shop."""


@app.command(epilog=EPILOG)
def report(
    run: RunFolder,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Experiment; by default all.")
    ] = None,
    plan: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Plan; by default experiments.yaml of the run's state.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    store_url: StoreUrl = None,
) -> None:
    """Say what came of an experiment, from the lists that were shown and what users then did.

    The intervals of the uplift may be looked at as often as one likes.
    """
    from engine.experiments.report import report_of
    from engine.policy.house import EXPERIMENTS_FILE, read_plan, rules_folder
    from engine.publish import store_url_of
    from engine.store import EventStore

    found = read_plan(plan or rules_folder(run.resolve()) / EXPERIMENTS_FILE)
    experiments = found.experiments
    if name is not None:
        known = found.experiment(name)
        if known is None:
            raise UnknownIdError("experiment", name)
        experiments = (known,)
    with EventStore.open(store_url or store_url_of(run)) as store:
        reports = [report_of(store, experiment) for experiment in experiments]
    if as_json:
        typer.echo(json.dumps([_record(one) for one in reports], indent=2))
        return
    for one in reports:
        _show(one)


@app.command(epilog=ASSIGN_EPILOG)
def assign(
    plan: PlanPath,
    user: Annotated[str, typer.Argument(metavar="USER", help="User id.")],
) -> None:
    """Say which variants a user is in now."""
    found = _read(plan).assigned(user, datetime.now(UTC))
    if not found:
        console.print(Text("In no experiment."))
    for experiment, variant in found.items():
        console.print(Text(f"{experiment}: {variant}"), soft_wrap=True)


@app.command(epilog=CHECK_EPILOG)
def check(plan: PlanPath) -> None:
    """Read a plan and the policies that it names, and say what is wrong with them."""
    names = ", ".join(experiment.name for experiment in _read(plan).experiments)
    console.print(Text(f"Good: {names or 'no experiment'}"), soft_wrap=True)


def _read(path: Path) -> Plan:
    from engine.policy.house import read_plan

    return read_plan(path)


def _record(report: Report) -> dict[str, object]:
    record = asdict(report) | {"mismatch": report.mismatch}
    record["experiment"] = report.experiment.model_dump(mode="json")
    return record


def _show(report: Report) -> None:
    experiment = report.experiment
    what = f"{experiment.metric.kind}s per user in {experiment.metric.outcome_days:g} days"
    table = Table(title=Text(f"{experiment.name}: {what}"), title_justify="left")
    table.add_column("variant")
    for heading in ("users", "counted", "mean", "uplift", "relative", "p, at any look"):
        table.add_column(heading, justify="right")
    uplifts = {uplift.name: uplift for uplift in report.uplifts}
    for arm in report.arms:
        mean = "" if arm.mean is None else f"{arm.mean:.4f}"
        cells = [arm.name, f"{arm.exposed:,}", f"{arm.counted:,}", mean]
        found = uplifts.get(arm.name)
        if found is not None:
            relative = "" if found.relative is None else _span(found.relative, percent=True)
            cells += [_span(found.absolute), relative, f"{found.p_value:.4f}"]
        table.add_row(*map(Text, cells))
    console.print(table)
    if report.mismatch:
        line = (
            f"The users do not share out as the weights say (p = {report.sample_ratio_p:.1e}): "
            "trust no figure above before you know why."
        )
        console.print(Text(line, style="red"), soft_wrap=True)
    if report.moved:
        line = f"{report.moved:,} users met two variants and are left out."
        console.print(Text(line, style="dim"), soft_wrap=True)


def _span(interval: Interval, *, percent: bool = False) -> str:
    scale, form = (100.0, "+.1f") if percent else (1.0, "+.4f")
    parts = (interval.estimate, interval.low, interval.high)
    value, low, high = (format(scale * part, form) for part in parts)
    return f"{value}{'%' if percent else ''} ({low} to {high})"
