"""What ingest read, kept and turned away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl
from rich.console import Console
from rich.table import Table

from engine.ingest.advice import advice_on


@dataclass(frozen=True, slots=True)
class RejectCount:
    """How many rows were turned away for one reason, and where the first stands."""

    reason: str
    rows: int
    file: str
    line: int | None
    """From 1; None of a picture, which is a file of its own."""
    value: str | None


@dataclass(frozen=True, slots=True)
class TableReport:
    """The account of one table: ``read = kept + rejected``."""

    table: str
    read: int
    kept: int
    reasons: tuple[RejectCount, ...] = ()
    """Most frequent first."""
    gathered: bool = False
    """Whether the rows were gathered from the events instead of read from a file."""

    @property
    def rejected(self) -> int:
        """Rows turned away, for any reason."""
        return sum(count.rows for count in self.reasons)


@dataclass(frozen=True, slots=True)
class IngestReport:
    """The account of every table."""

    tables: tuple[TableReport, ...]

    def table(self, name: str) -> TableReport:
        """The account of one table.

        Raises:
            KeyError: The table was not ingested.
        """
        for report in self.tables:
            if report.table == name:
                return report
        raise KeyError(name)


def count_reasons(rejects: pl.DataFrame) -> tuple[RejectCount, ...]:
    """Rejects of one table, counted by reason, the most frequent first."""
    counted = (
        rejects.group_by("reason", maintain_order=True)
        .agg(pl.len(), pl.first("file"), pl.first("line"), pl.first("value"))
        .sort("len", descending=True, maintain_order=True)
    )
    return tuple(RejectCount(*row) for row in counted.iter_rows())


def render_report(report: IngestReport, console: Console) -> None:
    """Print the account as a table, with the first row that each reason met, and what to do."""
    grid = Table(title="Ingest", title_justify="left")
    grid.add_column("table")
    for name in ("read", "kept", "rejected"):
        grid.add_column(name, justify="right")
    grid.add_column("reason")
    grid.add_column("first seen")
    for table in report.tables:
        read = "from events" if table.gathered else f"{table.read:,}"
        grid.add_row(table.table, read, f"{table.kept:,}", f"{table.rejected:,}", "", "")
        for count in table.reasons:
            grid.add_row("", "", "", f"{count.rows:,}", _plain(count.reason), _first_seen(count))
        grid.add_section()
    console.print(grid)
    for advice in _advice(count for table in report.tables for count in table.reasons):
        console.print(_plain(advice), soft_wrap=True)


def _first_seen(count: RejectCount) -> str:
    name = count.file.replace("\\", "/").rsplit("/", 1)[-1]
    line = "" if count.line is None else f":{count.line}"
    shown = f" {count.value[:40]!r}" if count.value else ""
    return _plain(f"{name}{line}{shown}")


def _plain(text: str) -> str:
    """Text in which Rich finds no markup."""
    return text.replace("[", r"\[")


def first_reasons(reasons: Sequence[RejectCount], most: int = 3) -> str:
    """The most frequent reasons as one sentence part, for an error, and what to do about them."""
    told = "; ".join(
        f"{count.rows:,} × {count.reason} (first: {_place(count)})" for count in reasons[:most]
    )
    return ". ".join((told, *_advice(reasons[:most])))


def _advice(reasons: Iterable[RejectCount]) -> list[str]:
    """Each piece of advice once."""
    every = (advice_on(count.reason) for count in reasons)
    return list(dict.fromkeys(advice for advice in every if advice is not None))


def _place(count: RejectCount) -> str:
    line = "" if count.line is None else f", line {count.line}"
    shown = f": {count.value[:40]!r}" if count.value else ""
    return f"{count.file}{line}{shown}"
