"""Serve a run over HTTP: the REST interface and the web page.

Names are loaded when they are first used: a client needs the wire's schemas, not a server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import engine.lazy as _lazy

if TYPE_CHECKING:
    from engine.serve.app import create_server, serve

__all__ = ["create_server", "serve"]

__getattr__ = _lazy.names_from(__name__, dict.fromkeys(__all__, "engine.serve.app"))
