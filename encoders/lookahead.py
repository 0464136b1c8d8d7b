"""Doing work ahead of its consumer, in order, within bounds."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

_In = TypeVar("_In")
_Out = TypeVar("_Out")


@dataclass(frozen=True, slots=True)
class Room(Generic[_In]):
    """How much may be under way or waiting."""

    items: int
    bytes: int
    """One item may be under way even where it takes more."""
    cost: Callable[[_In], int]
    """Bytes that an item takes until its result is handed out."""


@contextmanager
def threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """A pool that, when it is left, drops what was not begun."""
    pool = ThreadPoolExecutor(count)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def map_ahead(
    pool: ThreadPoolExecutor, work: Callable[[_In], _Out], items: Iterable[_In], room: Room[_In]
) -> Iterator[_Out]:
    """Yield the results in the order of the items, with later ones computed meanwhile.

    Items are taken from their source in the consumer's thread, so the source need not be safe to
    share.
    """
    source = iter(items)
    waiting: deque[tuple[Future[_Out], int]] = deque()
    held = 0
    while True:
        while len(waiting) < room.items and (held < room.bytes or not waiting):
            item = next(source, None)
            if item is None:
                break
            cost = room.cost(item)
            waiting.append((pool.submit(work, item), cost))
            held += cost
        if not waiting:
            return
        future, cost = waiting.popleft()
        yield future.result()
        held -= cost
