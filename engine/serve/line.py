"""The line: calls wait here for an engine worker, and go to it several at a time.

LitServe's own queue lives in a manager process: every call crosses it six times, a worker that is
killed takes calls with it, and those who wait for them wait until their time is over. Here the
HTTP process keeps the line itself and hands each free worker what waits, over a Unix socket.
The socket closes with its worker, so that nobody has to ask who is alive, and what a dead worker
had in hand goes to another. To LitServe this is both the request queue and the transport.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
import signal
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import HTTPException
from litserve.transport.base import MessageTransport  # type: ignore[import-untyped]
from litserve.utils import LitAPIStatus, LoopResponseType  # type: ignore[import-untyped]
from starlette.responses import Response

from engine.serve.line_end import LineEnd
from engine.serve.line_settings import LineSettings
from engine.serve.messages import FRAME, Answered, Hello, Output, Written, framed, unframed
from engine.serve.problems import Problem
from engine.serve.repeat import repeatable
from engine.serve.schemas import Call, HealthRequest

LOG = logging.getLogger(__name__)
MOST_TRIES = 3
"""Workers that one call may meet: it may be the one that kills them."""
RETRY_AFTER_S = 1
TOO_BUSY = Problem(status=503, detail="more calls wait than can be answered soon: try again")
FORGET_AFTER_S = 1.0

Delivery = tuple[str, tuple[object, str, LoopResponseType, int]]


@dataclass(slots=True)
class Ticket:
    """A call in the line."""

    uid: str
    call: Call
    since_s: float
    tries: int = 0


@dataclass(slots=True, eq=False)
class Connected:
    """A worker at the other end of a socket."""

    hello: Hello
    writer: asyncio.StreamWriter
    in_hand: dict[str, Ticket] = field(default_factory=dict)
    busy_since_s: float = 0.0
    heard_s: float = 0.0
    answered: int = 0


class Line(MessageTransport):  # type: ignore[misc]
    """Calls that wait, and the workers that take them.

    Made before the processes part ways: the HTTP process waits at it, and what travels to an
    engine worker is the other end (:class:`engine.serve.line_end.LineEnd`).
    """

    def __init__(self, settings: LineSettings, forget: Callable[[str], object]) -> None:
        """Choose a place to listen at; the HTTP process does so when it first waits for an answer.

        Args:
            settings: How long the line may grow, and how it is handed out.
            forget: Called with a call's id when its answer has been there for a second: LitServe
                keeps the answers of callers who went away.
        """
        self.settings = settings
        self.workers: list[Connected] = []
        self.observers: list[Callable[[Ticket, Answered, float], None]] = []
        """Told of every answer: the call, the answer, and the seconds that the call waited."""
        self.on_refusal: Callable[[], object] = lambda: None
        self._forget = forget
        self._waiting: deque[Ticket] = deque()
        self._answers: asyncio.Queue[Delivery] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="vitrine-")  # nobody else may enter it
        self._address = str(Path(self._folder.name) / "line")
        self._listener: asyncio.AbstractServer | None = None

    def __reduce__(self) -> tuple[type[LineEnd], tuple[str]]:
        return LineEnd, (self._address,)

    @property
    def waiting(self) -> int:
        """Calls that wait for a worker."""
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether the next call would be refused."""
        return len(self._waiting) >= self.settings.longest

    def put(self, item: tuple[int, str, float, Call]) -> None:
        """Queue a call, as LitServe's handler hands it over.

        Raises:
            HTTPException: 503, the line is at its longest.
        """
        _, uid, since_s, call = item
        if isinstance(call, HealthRequest):  # the truth must not wait behind the shop's traffic
            self._waiting.appendleft(Ticket(uid, call, since_s))
        elif self.full:
            self.on_refusal()
            raise _too_busy()
        else:
            self._waiting.append(Ticket(uid, repeatable(call), since_s))
        self._deal()

    async def areceive(self, consumer_id: int, timeout: float | None = None) -> Delivery:
        """The next answer, for LitServe to give to whoever waits for it."""
        if self._answers is None:
            self._answers = asyncio.Queue()
            # A socket that outlived the process would take connections that nobody looks at: a
            # worker that is refused comes again.
            self._listener = await asyncio.start_unix_server(self._serve, self._address)
            self._watch = asyncio.create_task(self._kill_stuck())
        return await self._answers.get()

    def send(self, item: Delivery, consumer_id: int) -> None:
        """Deliver an answer from within this process."""
        if self._answers is not None:
            self._answers.put_nowait(item)

    def close(self, **_: object) -> None:
        """Let no worker come any more; the folder goes with the process that made it."""
        if self._listener is not None:
            self._listener.close()

    def remove_folder(self) -> None:
        """Take the socket off the disk, when all processes are gone."""
        self._folder.cleanup()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One worker, from its hello to its end."""
        worker: Connected | None = None
        try:
            while True:
                match await _read(reader):
                    case Hello() as hello:
                        worker = Connected(hello, writer)
                        self.workers.append(worker)
                        self._deal()
                    case Answered() as answered if worker is not None:
                        self._answered(worker, answered)
        except (asyncio.IncompleteReadError, ConnectionError):
            LOG.info("a worker left: %s", None if worker is None else worker.hello)
        finally:
            writer.close()
            if worker is not None:
                self.workers.remove(worker)
                self._again(list(worker.in_hand.values()))

    async def _kill_stuck(self) -> None:
        while True:
            await asyncio.sleep(self.settings.stuck_s / 4)
            for worker in self.workers:
                silent_s = time.monotonic() - worker.heard_s
                if worker.in_hand and silent_s > self.settings.stuck_s:
                    LOG.error("worker %d is stuck: killed", worker.hello.slot)
                    with suppress(ProcessLookupError):  # it may just have ended of itself
                        os.kill(worker.hello.pid, signal.SIGKILL)

    def _answered(self, worker: Connected, answered: Answered) -> None:
        ticket = worker.in_hand.pop(answered.uid)
        worker.answered += 1
        worker.heard_s = time.monotonic()
        waited_s = worker.busy_since_s - ticket.since_s
        for tell in self.observers:
            tell(ticket, answered, waited_s)
        self._deliver(answered.uid, answered.output, worker.hello.slot)
        if not worker.in_hand:
            self._deal()

    def _deliver(self, uid: str, output: Output, slot: int = 0) -> None:
        failed = isinstance(output, HTTPException)
        status = LitAPIStatus.ERROR if failed else LitAPIStatus.OK
        ready = _response(output) if isinstance(output, Written) else output
        self.send((uid, (ready, status, LoopResponseType.REGULAR, slot)), 0)
        asyncio.get_running_loop().call_later(FORGET_AFTER_S, self._forget, uid)

    def _again(self, tickets: Sequence[Ticket]) -> None:
        """Put back what a dead worker had in hand, in front."""
        for ticket in reversed(tickets):
            if ticket.tries < MOST_TRIES:
                self._waiting.appendleft(ticket)
            else:
                self._deliver(ticket.uid, _dead().as_exception())
        self._deal()

    def _deal(self) -> None:
        """Give every free worker its share of those who wait; who rested longest comes first."""
        free = [worker for worker in self.workers if not worker.in_hand]
        free.sort(key=lambda worker: worker.busy_since_s, reverse=True)
        while free and self._waiting:
            share = math.ceil(len(self._waiting) / len(free))
            self._hand(free.pop(), min(share, self.settings.batch))

    def _hand(self, worker: Connected, n: int) -> None:
        now_s = time.monotonic()
        while self._waiting and len(worker.in_hand) < n:
            ticket = self._waiting.popleft()
            if now_s - ticket.since_s > self.settings.timeout_s:
                self._deliver(ticket.uid, _late(self.settings.timeout_s).as_exception())
                continue
            ticket.tries += 1
            worker.in_hand[ticket.uid] = ticket
        if worker.in_hand:
            worker.busy_since_s = worker.heard_s = now_s
            calls = tuple((t.uid, t.call) for t in worker.in_hand.values())
            worker.writer.write(framed(calls))


def _too_busy() -> HTTPException:
    """What a caller is told when the line is at its longest."""
    refused = TOO_BUSY.as_exception()
    refused.headers = {"Retry-After": str(RETRY_AFTER_S)}
    return refused


def _response(written: Written) -> Response:
    return Response(written.json, media_type="application/json")


def _late(timeout_s: float) -> Problem:
    return Problem(status=504, detail=f"no engine worker was free within {timeout_s:g} s")


def _dead() -> Problem:
    return Problem(status=503, detail="the engine worker that had this call died: try again")


async def _read(reader: asyncio.StreamReader) -> object:
    (length,) = FRAME.unpack(await reader.readexactly(FRAME.size))
    return unframed(await reader.readexactly(length))
