"""The command ``vitrine update``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer
from rich.table import Table
from rich.text import Text

from engine.errors import DataError
from engine.progress import ConsoleReporter
from engine.terminal import console

if TYPE_CHECKING:
    from engine.fresh_events import FreshEvents
    from engine.update import Measured, Parent, Updated

EPILOG = (
    "Example: vitrine update runs/shop --events sales-this-week.csv\n\n"
    "Example: vitrine update runs/shop --from-store postgresql://shop@db/vitrine "
    "--out runs/shop-monday --measure"
)

_SHOWN = 10


def update(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder that train or update wrote.")],
    events: Annotated[
        str | None, typer.Option(help="File or pattern of events: CSV, JSONL or Parquet.")
    ] = None,
    from_store: Annotated[
        str | None, typer.Option(help="SQLAlchemy URL of the event store to take events from.")
    ] = None,
    kind: Annotated[str | None, typer.Option(help="Kind of all events, if no column says.")] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            help="Read nothing from this moment on: a date is its midnight in the shop's zone. "
            "By default everything is read."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write; by default RUN with the new moment at its end."),
    ] = None,
    measure: Annotated[
        bool,
        typer.Option("--measure", help="Also train the graph in full, and compare its recall."),
    ] = False,
) -> None:
    """Refresh a run from the newest events, at a small share of a training's cost.

    Vectors, neighbours, trends and shoppers are brought up to date; what items look and read
    like, and the weights of the reranker, stay. The old run stays too: to roll back, serve it.
    Events that are older than the run are passed over and counted.
    """
    from engine.update import open_parent
    from engine.update import update as refresh

    if (events is None) == (from_store is None):
        raise typer.BadParameter("expected either --events or --from-store")
    parent = open_parent(run)
    with ConsoleReporter(console) as reporter:
        reporter.begin("events", cached=False)
        fresh = _read(parent, events, from_store, kind, as_of)
        _account(fresh, run.with_name(f"{run.name}-update-rejects.parquet"))
        target = out or run.with_name(f"{run.name}-{_stamp(parent, fresh, as_of)}")
        moment = _moment(parent, as_of)
        done = refresh(parent, fresh, target, as_of=moment, reporter=reporter, measure=measure)
    _report(done, target, from_store)


def _read(
    parent: Parent, events: str | None, store: str | None, kind: str | None, as_of: str | None
) -> FreshEvents:
    from engine.fresh_events import Span, events_of_files, events_of_store

    span = Span(parent.as_of, _moment(parent, as_of))
    items = parent.vocabulary.items
    if store is not None:
        return events_of_store(store, span, items=items)
    if events is None:
        raise DataError("got neither a file nor a store of events")
    return events_of_files(events, span, items=items, settings=parent.settings, kind=kind)


def _moment(parent: Parent, as_of: str | None) -> datetime | None:
    from engine.moments import read_moment

    return read_moment(as_of, ZoneInfo(parent.settings.time_zone)) if as_of else None


def _stamp(parent: Parent, fresh: FreshEvents, as_of: str | None) -> str:
    """The moment of the new run, as a folder's name can say it."""
    from engine.update import moment_of

    local = moment_of(fresh, _moment(parent, as_of))
    return f"{local.astimezone(ZoneInfo(parent.settings.time_zone)):%Y-%m-%d-%H%M}"


def _account(fresh: FreshEvents, rejects: Path) -> None:
    """Say what was read, and what was not used and why; all of that goes to a file."""
    lines = [f"  {len(fresh):,} new events"]
    if fresh.older:
        lines.append(f"  {fresh.older:,} skipped: older than the run, or already in it")
    if fresh.later:
        lines.append(f"  {fresh.later:,} skipped: from --as-of on")
    if fresh.waiting:
        lines.append(f"  {fresh.waiting:,} of items added since training: they go on counting live")
    for line in lines:
        console.print(Text(line, style="dim"), soft_wrap=True)
    if len(fresh.rejects):
        fresh.rejects.write_parquet(rejects)
        table = Table("file", "line", "reason", "value", title_justify="left")
        table.title = Text(f"{len(fresh.rejects):,} events cannot be used")
        for _, file, line, reason, value in fresh.rejects.head(_SHOWN).iter_rows():
            table.add_row(Text(str(file)), str(line), Text(reason), Text(value or ""))
        table.caption = Text(f"All of them: {rejects}")
        console.print(table)


def _report(done: Updated, out: Path, store: str | None) -> None:
    cost = f"{done.seconds:.1f} s"
    if done.share is not None:
        cost += f", {done.share:.1%} of the {done.training_seconds:.0f} s of a full training"
    learned = f"{done.n_events:,} events of them new, {done.n_new_users:,} new shoppers"
    console.print(Text(f"Learned: {learned}"), soft_wrap=True)
    console.print(Text(f"Cost: {cost}"), soft_wrap=True)
    if done.measured is not None:
        console.print(_table(done.measured))
    console.print(Text(f"Run {done.manifest.run_id}: {out}"), soft_wrap=True)
    if store is not None:
        console.print(Text("Serve it with the same --store-url."), soft_wrap=True)


def _table(measured: Measured) -> Table:
    found = measured.found
    table = Table("vectors", title_justify="left")
    table.title = Text(f"Recall@{found.k} of items that {found.n_users:,} shoppers newly turned to")
    table.add_column("recall", justify="right")
    table.add_column("seconds", justify="right")
    table.add_row("as they were", f"{found.stale:.4f}", "0.0")
    table.add_row("updated", f"{found.refreshed:.4f}", f"{measured.refresh_seconds:.1f}")
    table.add_row("trained in full", f"{found.retrained:.4f}", f"{measured.retrain_seconds:.1f}")
    return table
