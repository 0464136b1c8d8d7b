"""Serve a run over HTTP: the REST interface and the web page."""

from engine.serve.app import create_server, serve

__all__ = ["create_server", "serve"]
