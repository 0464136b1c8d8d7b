"""The line by itself: who gets which call, and what becomes of one when its worker dies."""

from __future__ import annotations

import asyncio
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from fastapi import HTTPException, Response

from engine.serve.line import MOST_TRIES, Line
from engine.serve.line_end import LineEnd
from engine.serve.line_settings import LineSettings
from engine.serve.messages import FRAME, Answered, Hello, Spent, Written, framed, unframed
from engine.serve.repeat import repeatable
from engine.serve.schemas import (
    EventBody,
    HealthRequest,
    ItemRequest,
    ObserveRequest,
    PlacesAnswer,
)
from engine.types import EventKind


@dataclass
class Worker:
    """A worker that answers when the test says so."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def join(cls, line: Line, slot: int, pid: int = 0) -> Worker:
        (_, (address,)) = line.__reduce__()
        reader, writer = await asyncio.open_unix_connection(address)
        writer.write(framed(Hello(slot, pid, f"run-{slot}", 0.0)))
        await writer.drain()
        await settled()
        return cls(reader, writer)

    async def handful(self) -> list[str]:
        """The ids of the next calls."""
        (length,) = FRAME.unpack(await asyncio.wait_for(self.reader.readexactly(FRAME.size), 5))
        found = unframed(await self.reader.readexactly(length))
        assert isinstance(found, tuple)
        return [uid for uid, _ in found]

    async def answer(self, *uids: str) -> None:
        for uid in uids:
            written = Written(PlacesAnswer(places=(uid,)).model_dump_json().encode())
            self.writer.write(framed(Answered(uid, written, Spent())))
        await self.writer.drain()
        await settled()

    async def die(self) -> None:
        self.writer.close()
        await settled()


@dataclass
class Shop:
    """A line with its HTTP process's side awake."""

    line: Line
    forgotten: list[str] = field(default_factory=list)
    given: dict[str, tuple[object, object]] = field(default_factory=dict)

    def ask(self, *uids: str, ago_s: float = 0.0) -> None:
        for uid in uids:
            self.line.put((0, uid, time.monotonic() - ago_s, ItemRequest(item_id=uid)))


async def settled() -> None:
    """Let everything that can happen now happen."""
    for _ in range(5):
        await asyncio.sleep(0.01)


def in_a_shop(
    story: Callable[[Shop], Awaitable[None]], settings: LineSettings | None = None
) -> Shop:
    """Run a story on a fresh line; collects every answer by its id."""

    async def told() -> Shop:
        shop = Shop(Line(settings or LineSettings(), lambda uid: shop.forgotten.append(uid)))

        async def collect() -> None:
            while True:
                uid, (output, _, _, slot) = await shop.line.areceive(0)
                shop.given[uid] = (output, slot)

        collecting = asyncio.create_task(collect())
        await settled()
        await story(shop)
        collecting.cancel()
        shop.line.remove_folder()
        return shop

    return asyncio.run(told())


def test_a_free_worker_gets_what_waits_and_a_busy_one_nothing():
    async def story(shop: Shop) -> None:
        shop.ask("a", "b", "c")
        only = await Worker.join(shop.line, 0)
        assert await only.handful() == ["a", "b"]  # at most two at once
        shop.ask("d")
        assert shop.line.waiting == 2
        await only.answer("a")
        assert shop.line.waiting == 2  # b is still in hand
        await only.answer("b")
        assert await only.handful() == ["c", "d"]

    shop = in_a_shop(story, LineSettings(batch=2))
    response, slot = shop.given["a"]
    assert isinstance(response, Response)
    assert PlacesAnswer.model_validate_json(bytes(response.body)) == PlacesAnswer(places=("a",))
    assert slot == 0
    assert set(shop.given) == {"a", "b"}


def test_a_worker_is_refused_while_nobody_listens():
    """A connection that were taken for a process that is gone would never be looked at."""
    line = Line(LineSettings(), lambda uid: None)
    (_, (address,)) = line.__reduce__()
    with socket.socket(socket.AF_UNIX) as early, pytest.raises(OSError, match="No such file"):
        early.connect(address)
    line.remove_folder()


def test_free_workers_share_what_waits():
    async def story(shop: Shop) -> None:
        workers = [await Worker.join(shop.line, slot) for slot in range(2)]
        shop.ask("x", "y")  # one each: nobody holds two while the other is idle
        assert sorted(await workers[0].handful() + await workers[1].handful()) == ["x", "y"]
        shop.ask("a", "b", "c")
        await workers[0].answer(*(await in_hand(shop, 0)))
        assert await workers[0].handful() == ["a", "b", "c"]

    in_a_shop(story)


async def in_hand(shop: Shop, slot: int) -> list[str]:
    return [uid for w in shop.line.workers if w.hello.slot == slot for uid in w.in_hand]


def test_what_a_dead_worker_had_in_hand_goes_to_another_in_its_old_order():
    async def story(shop: Shop) -> None:
        first = await Worker.join(shop.line, 0)
        shop.ask("a")
        assert await first.handful() == ["a"]
        shop.ask("b", "c", "e")
        await first.answer("a")
        assert await first.handful() == ["b", "c", "e"]
        shop.ask("d")
        await first.answer("b")  # b was answered before the end: nobody answers it again
        await first.die()
        assert shop.line.workers == []
        second = await Worker.join(shop.line, 1)
        assert await second.handful() == ["c", "e", "d"]
        await second.answer("c", "e", "d")

    shop = in_a_shop(story)
    slots = {uid: slot for uid, (_, slot) in shop.given.items()}
    assert slots == {"a": 0, "b": 0, "c": 1, "e": 1, "d": 1}


def test_those_who_are_free_share_what_a_dead_worker_had():
    async def story(shop: Shop) -> None:
        first = await Worker.join(shop.line, 0)
        shop.ask("a", "b", "c")
        await first.handful()
        await first.answer("a")
        assert await first.handful() == ["b", "c"]
        others = [await Worker.join(shop.line, slot) for slot in (1, 2)]
        await first.die()
        assert sorted([await one.handful() for one in others]) == [["b"], ["c"]]

    in_a_shop(story)


def test_who_rested_longest_is_asked_first():
    asked: list[int] = []

    async def story(shop: Shop) -> None:
        workers = [await Worker.join(shop.line, slot) for slot in range(3)]
        for uid in "abcdef":
            shop.ask(uid)
            (slot,) = (w.hello.slot for w in shop.line.workers if w.in_hand)
            asked.append(slot)
            await workers[slot].answer(*await workers[slot].handful())

    in_a_shop(story)
    assert sorted(asked[:3]) == [0, 1, 2]
    assert asked[3:] == asked[:3]


def test_a_call_that_kills_every_worker_it_meets_is_given_up():
    async def story(shop: Shop) -> None:
        shop.ask("deadly")
        for slot in range(MOST_TRIES):
            worker = await Worker.join(shop.line, slot)
            assert await worker.handful() == ["deadly"]
            await worker.die()
        assert shop.line.waiting == 0

    output, _ = in_a_shop(story).given["deadly"]
    assert isinstance(output, HTTPException)
    assert output.status_code == 503


def test_the_line_has_an_end_and_health_passes_it():
    async def story(shop: Shop) -> None:
        shop.ask("a", "b")
        assert shop.line.full
        with pytest.raises(HTTPException) as refused:
            shop.ask("c")
        assert refused.value.status_code == 503
        assert refused.value.headers == {"Retry-After": "1"}
        shop.line.put((0, "health", time.monotonic(), HealthRequest()))
        worker = await Worker.join(shop.line, 0)
        assert await worker.handful() == ["health", "a", "b"]
        assert not shop.line.full

    in_a_shop(story, LineSettings(longest=2))


def test_a_call_that_waited_too_long_is_not_worked_on():
    async def story(shop: Shop) -> None:
        shop.ask("old", ago_s=31)
        shop.ask("young", ago_s=29)
        worker = await Worker.join(shop.line, 0)
        assert await worker.handful() == ["young"]

    output, _ = in_a_shop(story).given["old"]
    assert isinstance(output, HTTPException)
    assert output.status_code == 504


def test_a_stuck_worker_is_killed_though_another_had_ended_of_itself():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    stuck = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])

    async def story(shop: Shop) -> None:
        pids = enumerate((ended.pid, stuck.pid))
        silent = [await Worker.join(shop.line, slot, pid) for slot, pid in pids]
        shop.ask("a", "b")
        assert await asyncio.to_thread(stuck.wait, 20) == -signal.SIGKILL
        assert len(shop.line.workers) == len(silent)

    try:
        in_a_shop(story, LineSettings(stuck_s=0.2))
    finally:
        stuck.kill()


def test_answers_that_nobody_fetched_are_forgotten():
    async def story(shop: Shop) -> None:
        worker = await Worker.join(shop.line, 0)
        shop.ask("a")
        await worker.handful()
        await worker.answer("a")
        assert shop.forgotten == []
        await asyncio.sleep(1.1)

    assert in_a_shop(story).forgotten == ["a"]


def test_an_event_without_an_id_gets_one_that_survives_the_second_delivery():
    named = EventBody(user_id="u", item_id="i", kind=EventKind.VIEW, event_id="mine")
    loose = EventBody(user_id="u", item_id="i", kind=EventKind.VIEW)
    call = ObserveRequest(events=(named, loose, loose), listed=True)
    once = repeatable(call)
    assert isinstance(once, ObserveRequest)
    ids = [event.event_id for event in once.events]
    assert ids[0] == "mine"
    assert None not in ids
    assert len(set(ids)) == 3
    assert repeatable(once) == once


def test_a_worker_that_leaves_still_answers_what_had_arrived(tmp_path):
    address = str(tmp_path / "line")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    end = LineEnd(address)
    handfuls = end.calls(Hello(0, 0, "run", 0.0))
    calls = (("a", ItemRequest(item_id="a")),)
    end_connects = iter(handfuls)

    import threading

    def serve() -> None:
        connection, _ = listener.accept()
        connection.sendall(framed(calls))
        connection.sendall(framed(calls))
        connections.append(connection)

    connections: list[socket.socket] = []
    other = threading.Thread(target=serve)
    other.start()
    assert next(end_connects) == calls
    other.join()
    end.leave()
    assert next(end_connects) == calls  # it lay in the socket when the signal came
    assert list(end_connects) == []
    end.close()
    connections[0].close()
    listener.close()
