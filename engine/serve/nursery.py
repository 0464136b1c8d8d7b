"""Where workers come from: a process that has imported what they need, and forks them.

Importing takes twice as long as opening a run, so a worker that died would be missed for longer,
and each would hold the code once more. The fork server opens no run and computes nothing, so that
no lock of a library is held when it forks; it ends with the processes that may ask it for a worker.
"""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext

PRELOAD = "engine.serve.preload"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def nursery() -> ForkServerContext:
    """Starts processes that find :data:`PRELOAD` imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOAD])
    return context


def start_nursery(threads: int) -> None:
    """Let it import while this process does so too: the sooner, the sooner a server is ready.

    Args:
        threads: Compute threads of each worker, unless the environment says otherwise.
    """
    for variable in THREAD_VARIABLES:
        os.environ.setdefault(variable, str(threads))
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # waiting threads must not burn a core
    nursery()
    forkserver.ensure_running()
