"""A worker's end of the line: it takes the calls that it is given, and answers each.

Both ends are processes of one server, and the socket lies in a folder that only its user may enter.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator

from engine.serve.messages import FRAME, Answered, Calls, Hello, framed, unframed

AGAIN_S = 0.05


class LineEnd:
    """Connects to the line, and again when the HTTP process was replaced."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self._leaving = False

    def calls(self, hello: Hello) -> Iterator[Calls]:
        """Handfuls of calls with their ids, until :meth:`leave`."""
        while not self._leaving:
            try:
                self._connect(hello)
                while (message := self._read()) is not None:
                    yield message
            except OSError:
                time.sleep(AGAIN_S)  # the HTTP process is being replaced

    def answer(self, answered: Answered) -> None:
        """Give an answer; it is lost, as its caller is, if the HTTP process is gone."""
        if self._socket is not None:
            try:
                self._socket.sendall(framed(answered))
            except OSError:
                self._socket.close()

    def leave(self) -> None:
        """Take no further calls; what has arrived is still answered. For a signal's handler."""
        self._leaving = True
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RD)
            except OSError:
                self._socket = None

    def close(self) -> None:
        """Hang up."""
        if self._socket is not None:
            self._socket.close()

    def _connect(self, hello: Hello) -> None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(self._address)
        connection.sendall(framed(hello))
        self._socket = connection
        if self._leaving:
            self.leave()

    def _read(self) -> Calls | None:
        head = self._exactly(FRAME.size)
        if head is None:
            return None
        body = self._exactly(FRAME.unpack(head)[0])
        found = None if body is None else unframed(body)
        return found if isinstance(found, tuple) else None

    def _exactly(self, n: int) -> bytes | None:
        taken = bytearray()
        while len(taken) < n:
            part = b"" if self._socket is None else self._socket.recv(n - len(taken))
            if not part:
                return None
            taken += part
        return bytes(taken)


def hello(slot: int, run_id: str) -> Hello:
    """The greeting of this process."""
    return Hello(slot, os.getpid(), run_id, time.time())
