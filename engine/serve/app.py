"""The server: a LitServe app that serves one run.

One process speaks HTTP and checks every call; ``workers`` processes hold an engine each and
answer. The HTTP process holds no engine and no store: whatever worker stores an event, the
next request reads it from the store, whichever worker answers.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import FrameType

from fastapi import Depends
from litserve import LitServer  # type: ignore[import-untyped]

from engine.errors import RunError
from engine.serve.desk import Desk
from engine.serve.lifeline import die_with_parent
from engine.serve.limits import BodyLimits
from engine.serve.problems import install_problem_handlers
from engine.serve.recommend_api import RecommendAPI
from engine.serve.routes import engine_routes, item_routes, public_routes
from engine.serve.web_page import mount_page

HOSTS = {"localhost": "127.0.0.1", "127.0.0.1": "127.0.0.1", "0.0.0.0": "0.0.0.0", "::": "::"}  # noqa: S104
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def create_server(
    run: Path, *, store_url: str | None = None, workers: int = 1, threads: int = 1
) -> LitServer:
    """A server for one run; nothing is opened before it starts.

    Args:
        run: The run folder that training wrote.
        store_url: SQLAlchemy URL of the event store; None means the run's own SQLite file.
        workers: Processes that hold an engine.
        threads: Compute threads of each of them.

    Raises:
        RunError: There is no such folder.
    """
    if not run.is_dir():
        raise RunError(f"got {str(run)!r}, expected a run folder: train one with `vitrine train`")
    api = RecommendAPI(run.resolve(), store_url=store_url, threads=threads)
    server = LitServer(
        api,
        accelerator="cpu",  # the engine places its own tensors; `workers` is then a plain count
        workers_per_device=workers,
        restart_workers=True,
        middlewares=[BodyLimits],
    )
    app = server.app
    app.title = "Vitrine"
    # LitServe's own index, health and untyped recommend give way to ours.
    ours = {"/", "/health", api.api_path}
    app.router.routes[:] = [r for r in app.router.routes if getattr(r, "path", None) not in ours]
    desk = Desk(server, api)
    for routes in (engine_routes, item_routes):
        app.include_router(routes(desk), dependencies=[Depends(server.setup_auth())])
    app.include_router(public_routes(desk))
    install_problem_handlers(app)
    mount_page(app)
    return server


def serve(
    run: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    store_url: str | None = None,
    workers: int = 1,
    threads: int = 1,
) -> None:
    """Serve a run over HTTP until the process is stopped.

    Raises:
        RunError: There is no such run folder.
        ValueError: The host or the port cannot be listened on.
    """
    if host not in HOSTS:
        raise ValueError(f"got host {host!r}, expected one of {', '.join(HOSTS)}")
    server = create_server(run, store_url=store_url, workers=workers, threads=threads)
    for variable in THREAD_VARIABLES:
        os.environ.setdefault(variable, str(threads))
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # waiting threads must not burn a core
    os.register_at_fork(after_in_child=die_with_parent)
    for stop in (signal.SIGTERM, signal.SIGINT):  # the latter is ignored in a background job
        signal.signal(stop, _stop)
    server.run(
        host=HOSTS[host],
        port=port,
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
    )


def _stop(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
