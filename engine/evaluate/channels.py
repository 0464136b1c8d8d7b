"""What each retrieval channel finds of what was taken: alone, together, and missed without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table as RichTable

from engine.evaluate.protocol import EvaluationSet, flat_targets
from engine.interactions import Ints
from retrieval.candidates import Candidates

UNION = "all channels"


@dataclass(frozen=True, slots=True)
class ChannelRecall:
    """One channel; recalls are shares of all targets of all requests, which count alike."""

    channel: str
    size: float
    """Items that it proposes, mean over requests."""
    only: float
    """Candidates of a request that no other channel proposes, mean over requests."""
    recall: float
    """Targets that it proposes."""
    lost: float
    """Targets that nothing would propose without it."""
    recall_new: float | None
    """The same of targets that their user never took before; None where there are none."""
    lost_new: float | None


@dataclass(frozen=True, slots=True)
class ChannelReport:
    """Every channel, and the union of them all."""

    rows: tuple[ChannelRecall, ...]
    """Channels in their order; the union last, with what it proposes beside its recall."""
    n_requests: int
    n_targets: int
    n_targets_new: int

    def to_markdown(self) -> str:
        """A table for a page."""
        head = ["channel", *_HEADINGS]
        lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * len(_HEADINGS)]
        lines += ["| " + " | ".join((row.channel, *_cells(row))) + " |" for row in self.rows]
        return "\n".join([*lines, "", self._caption()])

    def to_rich(self) -> RichTable:
        """A table for the terminal."""
        table = RichTable(title="Candidates by channel", caption=self._caption(), padding=0)
        table.add_column("channel", min_width=8)
        for heading in _HEADINGS:
            table.add_column(heading, justify="right")
        for row in self.rows:
            table.add_row(row.channel, *_cells(row), end_section=row is self.rows[-2:][0])
        return table

    def _caption(self) -> str:
        return (
            f"{self.n_targets:,} targets of {self.n_requests:,} requests, {self.n_targets_new:,} "
            "of them new to their user; lost: what no channel would propose without this one"
        )


@dataclass(slots=True)
class _Count:
    """Sums over the requests seen so far."""

    size: int = 0
    only: int = 0
    found: int = 0
    lost: int = 0
    found_new: int = 0
    lost_new: int = 0


def channel_report(asked: EvaluationSet, proposed: Sequence[Candidates]) -> ChannelReport:
    """Count what candidates hold of the targets of the same requests.

    Args:
        asked: Requests and what their baskets held; candidates of all items.
        proposed: The candidates of each request, in the same order.

    Raises:
        ValueError: There are not as many as requests.
    """
    counts: dict[str, _Count] = {UNION: _Count()}
    n_targets = n_new = 0
    for targets, is_new, candidates in zip(
        asked.targets, _new_targets(asked), proposed, strict=True
    ):
        n_targets, n_new = n_targets + len(targets), n_new + int(is_new.sum())
        found_by = _bits_of(candidates, targets)
        _add(counts[UNION], found_by > 0, found_by > 0, is_new, len(candidates.rows), 0)
        for at, channel in enumerate(candidates.channels):
            bit = np.uint16(1 << at)
            has, alone = (found_by & bit) > 0, found_by == bit
            only = int(np.count_nonzero(candidates.found_by == bit))
            count = counts.setdefault(channel.name, _Count())
            _add(count, has, alone, is_new, len(channel.rows), only)
    counts[UNION] = counts.pop(UNION)  # last
    totals = (len(proposed), n_targets, n_new)
    return ChannelReport(tuple(_row(name, c, totals) for name, c in counts.items()), *totals)


def _new_targets(asked: EvaluationSet) -> list[np.ndarray]:
    """Which targets of each request are new to its user, bool."""
    owner, item = flat_targets(asked.targets)
    is_new = ~asked.had_by(owner, item)
    return np.split(is_new, np.cumsum([len(targets) for targets in asked.targets])[:-1])


def _bits_of(candidates: Candidates, items: Ints) -> np.ndarray:
    """The channels of some items, uint16 as :attr:`Candidates.found_by`; 0 for what none has."""
    bits = np.zeros(len(items), dtype=np.uint16)
    if len(candidates.rows):
        at = np.searchsorted(candidates.rows, items).clip(max=len(candidates.rows) - 1)
        bits = np.where(candidates.rows[at] == items, candidates.found_by[at], np.uint16(0))
    return bits


def _add(
    count: _Count, has: np.ndarray, alone: np.ndarray, is_new: np.ndarray, size: int, only: int
) -> None:
    count.size += size
    count.only += only
    count.found += int(has.sum())
    count.lost += int(alone.sum())
    count.found_new += int((has & is_new).sum())
    count.lost_new += int((alone & is_new).sum())


def _row(name: str, count: _Count, totals: tuple[int, int, int]) -> ChannelRecall:
    requests, targets, new = totals
    return ChannelRecall(
        name,
        count.size / requests,
        count.only / requests,
        count.found / targets,
        count.lost / targets,
        count.found_new / new if new else None,
        count.lost_new / new if new else None,
    )


_HEADINGS = ("items", "only here", "recall", "lost", "recall, new", "lost, new")


def _cells(row: ChannelRecall) -> tuple[str, ...]:
    counts = (f"{row.size:.0f}", "–" if row.channel == UNION else f"{row.only:.0f}")
    shares = (row.recall, row.lost, row.recall_new, row.lost_new)
    return (*counts, *("–" if share is None else f"{share:.4f}" for share in shares))
