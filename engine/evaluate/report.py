"""The table of figures: every method, all items and new items, with intervals."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from rich.table import Table as RichTable

from engine.evaluate.bootstrap import Interval, Resampling, mean_interval
from engine.evaluate.rankers import Scores
from engine.evaluate.tune import Outcomes

_COLUMNS = ("Recall", "NDCG", "Hit")


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over users, with intervals."""

    recall: Interval
    ndcg: Interval
    hit: Interval
    n_users: int
    settings: str = ""
    """What the method was tuned to, for the reader."""

    @classmethod
    def of(
        cls, scores: Scores, settings: str = "", resampling: Resampling | None = None
    ) -> Figures:
        """Average the scores of one method."""
        return cls(
            recall=mean_interval(scores.recall, resampling, scores.user),
            ndcg=mean_interval(scores.ndcg, resampling, scores.user),
            hit=mean_interval(scores.hit, resampling, scores.user),
            n_users=len(np.unique(scores.user)),
            settings=settings,
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One method."""

    method: str
    all_items: Figures
    new_items: Figures | None
    """None where no user had a target that was new."""


@dataclass(frozen=True, slots=True)
class Table:
    """Methods side by side; they answered the same requests."""

    title: str
    k: int
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()
    """Lines below the table, such as the methods that were skipped."""
    level: float = 0.95
    """Of the intervals."""

    def to_markdown(self) -> str:
        """A table for a README; the best mean of each column is bold."""
        head = ("method", *_headings(self.k))
        lines = [f"**{self.title}**", "", _pipes(head), _pipes(["---"] + ["---:"] * 6)]
        lines += [_pipes([method, *cells]) for method, cells in self._cells("**{}**".format)]
        return "\n".join([*lines, "", self._users(), *(f"- {note}" for note in self.notes)])

    def to_json(self) -> str:
        """Everything, to full precision."""
        return json.dumps(asdict(self), indent=2)

    def to_rich(self) -> RichTable:
        """A table for the terminal."""
        caption = "\n".join([self._users(), *self.notes])
        table = RichTable(title=self.title, caption=caption, padding=0)
        table.add_column("method", min_width=9)  # a narrow terminal must not squeeze it away
        for heading in _headings(self.k):
            table.add_column(heading.replace(",", ""), justify="right")
        for method, cells in self._cells("[bold]{}[/bold]".format):
            # Rich takes a bare "[0.1, 0.2]" for text, as no style has such a name.
            table.add_row(method, *cells)
        return table

    def _cells(self, emphasise: Callable[[str], str]) -> Iterator[tuple[str, list[str]]]:
        table = [_intervals(row) for row in self.rows]
        best = [
            max((interval.estimate for interval in column if interval), default=0.0)
            for column in zip(*table, strict=True)
        ]
        for row, intervals in zip(self.rows, table, strict=True):
            cells = [
                _cell(interval, emphasise if interval and interval.estimate == top else str)
                for interval, top in zip(intervals, best, strict=True)
            ]
            yield row.method, cells

    def _users(self) -> str:
        if not self.rows:
            return "no method was measured"
        row = self.rows[0]
        n_new = row.new_items.n_users if row.new_items else 0
        return (
            f"{row.all_items.n_users:,} users for all items, {n_new:,} for new items; "
            f"{self.level:.0%} bootstrap intervals over users in brackets"
        )


def figures_if_any(
    scores: Scores, settings: str, resampling: Resampling | None = None
) -> Figures | None:
    """Figures of one method; None where no user was asked for anything."""
    return Figures.of(scores, settings, resampling) if len(scores.user) else None


def baseline_rows(outcomes: Outcomes, resampling: Resampling | None = None) -> tuple[Row, ...]:
    """The rows of tuned baselines; their settings are named in the figures."""
    return tuple(
        Row(
            method=outcome.method,
            all_items=Figures.of(outcome.all_items, str(outcome.for_all), resampling),
            new_items=figures_if_any(outcome.new_items, str(outcome.for_new), resampling),
        )
        for outcome in outcomes.outcomes
    )


def _headings(k: int) -> list[str]:
    return [f"{measure}@{k}, {items}" for items in ("all", "new") for measure in _COLUMNS]


def _intervals(row: Row) -> list[Interval | None]:
    intervals: list[Interval | None] = []
    for figures in (row.all_items, row.new_items):
        intervals += [figures.recall, figures.ndcg, figures.hit] if figures else [None] * 3
    return intervals


def _cell(interval: Interval | None, emphasise: Callable[[str], str]) -> str:
    if interval is None:
        return "–"
    mean = emphasise(f"{interval.estimate:.4f}")
    return f"{mean} [{interval.low:.3f}, {interval.high:.3f}]"


def _pipes(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
