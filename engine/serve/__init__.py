"""Serve a run over HTTP: the REST interface and the web page.

Names are loaded when they are first used: a client needs the wire's schemas, not a server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.serve.app import create_server, serve

__all__ = ["create_server", "serve"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from engine.serve import app

    return getattr(app, name)
