"""A model's answer within a time: whatever a provider does, the caller waits no longer."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from langchain_core.messages import AIMessageChunk, BaseMessage
    from langchain_core.runnables import Runnable


class ModelTooSlowError(TimeoutError):
    """The time for a call is up."""


def stream_within(
    model: Runnable[Any, Any], messages: Sequence[BaseMessage], timeout_s: float
) -> Iterator[AIMessageChunk]:
    """The pieces of an answer as they come.

    The call runs in a thread of its own; once the time is up it is left behind, and what it still
    says is heard by nobody.

    Raises:
        ModelTooSlowError: The whole answer took longer than ``timeout_s``.
    """
    pieces: queue.Queue[AIMessageChunk | Exception | None] = queue.Queue()
    stop = threading.Event()

    def call() -> None:
        try:
            for piece in model.stream(list(messages)):
                if stop.is_set():
                    return
                pieces.put(piece)
            pieces.put(None)
        except Exception as error:  # whatever a provider raises is raised where the answer is read
            pieces.put(error)

    until = time.monotonic() + timeout_s
    threading.Thread(target=call, name="model-call", daemon=True).start()
    try:
        while (piece := _next(pieces, until, timeout_s)) is not None:
            yield piece
    finally:
        stop.set()


def _next(
    pieces: queue.Queue[AIMessageChunk | Exception | None], until: float, timeout_s: float
) -> AIMessageChunk | None:
    try:
        piece = pieces.get(timeout=max(until - time.monotonic(), 0.0))
    except queue.Empty as error:
        raise ModelTooSlowError(f"the model took longer than {timeout_s:g} s") from error
    if isinstance(piece, Exception):
        raise piece
    return piece
