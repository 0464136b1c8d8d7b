"""Where workers come from: a process that has imported what they need, and forks them.

Importing takes twice as long as opening a run, so a worker that died would be missed for longer,
and each would hold the code once more. The fork server opens no run and computes nothing, so that
no lock of a library is held when it forks; it ends with the processes that may ask it for a worker.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing.context import ForkServerContext

PRELOAD = "engine.serve.preload"


def nursery() -> ForkServerContext:
    """Starts processes that find :data:`PRELOAD` imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOAD])
    return context
