"""What the two ends of the line say to each other, as JSON: nothing is unpickled.

A call is the name of its schema and its fields as they were given; an answer is what the caller
will read, written by the worker that made it.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Any

from fastapi import HTTPException

from engine.serve.fields import Request
from engine.serve.schemas import Call

FRAME = struct.Struct("!Q")
"""In front of every message: its length in bytes."""
_HELLO, _CALLS, _ANSWERED = b"H", b"C", b"A"
"""First byte of a message."""
_SCHEMAS = "engine.serve."


@dataclass(frozen=True, slots=True)
class Hello:
    """What a worker says of itself when it is ready."""

    slot: int
    """Which of the workers it is, from 0."""
    pid: int
    run_id: str
    since_unix_s: float
    """When it became ready."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What an answer took, and what it was made from."""

    stages: tuple[tuple[str, float], ...] = ()
    """Stage and seconds."""
    channels: tuple[tuple[str, int], ...] = ()
    """Channel, and how many of the slots it had proposed."""
    together: int = 1
    """Calls that the worker was handed with this one, itself included."""


@dataclass(frozen=True, slots=True)
class Written:
    """An answer as JSON: sent as it is."""

    json: bytes


Output = HTTPException | Written


@dataclass(frozen=True, slots=True)
class Answered:
    """A worker's answer to one call."""

    uid: str
    output: Output
    spent: Spent


Calls = tuple[tuple[str, Call], ...]
"""A handful of calls with their ids."""


def framed(message: Hello | Calls | Answered) -> bytes:
    """A message as it goes over the socket: its length, then itself."""
    match message:
        case Hello():
            body = _HELLO + json.dumps(asdict(message)).encode()
        case Answered():
            body = _ANSWERED + _of_answer(message)
        case _:
            body = _CALLS + json.dumps([_of_call(uid, call) for uid, call in message]).encode()
    return FRAME.pack(len(body)) + body


def unframed(body: bytes) -> Hello | Calls | Answered:
    """A message of the other end.

    Raises:
        ValueError: It is none.
    """
    kind, rest = body[:1], body[1:]
    if kind == _HELLO:
        return Hello(**json.loads(rest))
    if kind == _CALLS:
        return tuple(_call(*told) for told in json.loads(rest))
    if kind == _ANSWERED:
        return _answer(rest)
    raise ValueError(f"got a message of kind {kind!r}, expected one of this server's")


def _of_call(uid: str, call: Call) -> tuple[str, str, str, str]:
    kind = type(call)
    # What was left out stays left out: a change of an item names what it changes.
    return uid, kind.__module__, kind.__qualname__, call.model_dump_json(exclude_unset=True)


def _call(uid: str, module: str, name: str, fields: str) -> tuple[str, Call]:
    schema = getattr(import_module(module), name) if module.startswith(_SCHEMAS) else None
    if not (isinstance(schema, type) and issubclass(schema, Request)):
        raise ValueError(f"got a call of {module}.{name}, expected a schema of this server's")
    return uid, schema.model_validate_json(fields)


def _of_answer(answered: Answered) -> bytes:
    head: dict[str, Any] = {"uid": answered.uid, "spent": asdict(answered.spent)}
    if isinstance(answered.output, Written):
        return json.dumps(head).encode() + b"\n" + answered.output.json
    error = answered.output
    head |= {"status": error.status_code, "headers": error.headers}
    return json.dumps(head).encode() + b"\n" + json.dumps(error.detail).encode()


def _answer(body: bytes) -> Answered:
    head, _, rest = body.partition(b"\n")
    told = json.loads(head)
    spent: dict[str, Any] = {name: _frozen(value) for name, value in told["spent"].items()}
    if "status" not in told:
        return Answered(told["uid"], Written(rest), Spent(**spent))
    error = HTTPException(told["status"], json.loads(rest), told["headers"])
    return Answered(told["uid"], error, Spent(**spent))


def _frozen(value: object) -> object:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
