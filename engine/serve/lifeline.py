"""No process of the server outlives its main process.

LitServe starts a queue manager, an HTTP process and engine workers. When the main process is
killed they would live on, and the manager would keep the port bound: the restart would fail.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time

POLL_S = 0.25


def die_with_parent() -> None:
    """Watch the parent from a daemon thread, and end this process soon after it is gone.

    Ctrl-C reaches every process of a terminal; only the main one acts on it, and stops the rest.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # not the handler of the process it came from
    parent = os.getppid()
    starter = multiprocessing.parent_process()  # another one where a fork server stands between

    def watch() -> None:
        while os.getppid() == parent and (starter is None or starter.is_alive()):
            time.sleep(POLL_S)
        os._exit(1)

    threading.Thread(target=watch, name="lifeline", daemon=True).start()
