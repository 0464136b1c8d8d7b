"""The server: a LitServe app that serves one run, or whichever run its family publishes.

One process speaks HTTP and checks every call; ``workers`` processes hold an engine each and
answer. The HTTP process holds no engine and no store: whatever worker stores an event, the
next request reads it from the store, whichever worker answers.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TypedDict, Unpack

from fastapi import Depends, FastAPI
from litserve.server import no_auth  # type: ignore[import-untyped]

from engine.artifacts import Checked, Manifest
from engine.drift_file import DRIFT_FILE
from engine.errors import RunError
from engine.llm.settings import settings_from_environment
from engine.publish import STATE_FOLDER, family_of, served_run, store_url_of
from engine.serve.addresses import HOSTS
from engine.serve.chat_routes import chat_routes
from engine.serve.desk import Desk
from engine.serve.door import Door
from engine.serve.gate import Gate
from engine.serve.item_routes import item_change_routes, item_routes, public_routes
from engine.serve.learning import Learner, Learning
from engine.serve.lifeline import die_with_parent
from engine.serve.limits import BodyLimits
from engine.serve.line_settings import LineSettings
from engine.serve.meters import Meters
from engine.serve.nursery import start_nursery
from engine.serve.openapi import install_openapi
from engine.serve.people_routes import people_routes
from engine.serve.policy_routes import policy_routes
from engine.serve.problems import install_problem_handlers
from engine.serve.ready import watch_routes
from engine.serve.recommend_api import RecommendAPI
from engine.serve.routes import engine_routes
from engine.serve.runs_api import runs_routes
from engine.serve.safety import Safety
from engine.serve.scribe import Scribe
from engine.serve.supervise import Server
from engine.serve.web_page import mount_page
from engine.serve.written_routes import recommend_routes


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """How a run is served."""

    store_url: str | None = None
    """SQLAlchemy URL of the event store; None means the SQLite file of the run or its family."""
    workers: int = 1
    """Processes that hold an engine."""
    threads: int = 1
    """Compute threads of each of them: together no more than the machine has cores."""
    line: LineSettings = field(default_factory=LineSettings)
    drain_s: float = 10.0
    """How long calls that were accepted may take after a SIGTERM."""
    connections: int = 1_000
    """Connections at most: each may hold a body in memory."""
    update_every_s: float | None = None
    """Learn from the store that often, and publish; None means never."""
    safety: Safety | None = None
    """Who may do what; None means as the environment says (``VITRINE_SAFETY``)."""
    gpus: tuple[int, ...] = ()
    """GPUs that the workers take in turn; without any named, each encodes on the first one that
    there is, or else on the CPU."""
    rules: Path | None = None
    """Folder of ``policy.yaml`` and ``experiments.yaml``; None means the state of the run or its
    family."""
    checked: Checked | None = None
    """Files of the run that the caller has hashed; None means that they are hashed here."""


class ServeOptions(TypedDict, total=False):
    """The fields of :class:`ServeSettings`, as keywords."""

    store_url: str | None
    workers: int
    threads: int
    line: LineSettings
    drain_s: float
    connections: int
    update_every_s: float | None
    safety: Safety | None
    gpus: tuple[int, ...]
    rules: Path | None
    checked: Checked | None


def create_server(run: Path, **options: Unpack[ServeOptions]) -> Server:
    """A server for one run or a family of runs; nothing is opened before it starts.

    Args:
        run: The run folder that training wrote, a family, or a family's link ``current``.
        options: Fields of :class:`ServeSettings`.

    Raises:
        RunError: There is no such folder, or nothing is published in it.
        DataError: The environment names settings that cannot be read.
    """
    settings = ServeSettings(**options)
    if not run.is_dir():
        raise RunError(f"got {str(run)!r}, expected a run folder: train one with `vitrine train`")
    api = RecommendAPI(
        served_run(run),
        store_url=settings.store_url or store_url_of(run),
        threads=settings.threads,
        batch=settings.line.batch,
        rules=None if settings.rules is None else settings.rules.resolve(),
    )
    server = Server(
        api,
        workers=settings.workers,
        family=family_of(run),
        settings=settings.line,
        drain_s=settings.drain_s,
        gpus=settings.gpus,
        middlewares=[BodyLimits],
    )
    safety = settings.safety or Safety.from_environment()
    scribe = Scribe(settings_from_environment())
    _add_routes(server, _meters(server, settings.workers, scribe), safety, scribe)
    if settings.update_every_s is not None:
        _learn(server, settings.update_every_s)
    return server


def serve(
    run: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    **options: Unpack[ServeOptions],
) -> None:
    """Serve a run over HTTP until the process is stopped.

    Args:
        run: A run, a family of runs, or a family's link ``current``.
        host: Address to listen on.
        port: Port to listen on.
        options: Fields of :class:`ServeSettings`.

    Raises:
        RunError: There is no such run folder.
        ManifestError: A file of the run is missing or altered.
        ValueError: The host or the port cannot be listened on.
    """
    if host not in HOSTS:
        raise ValueError(f"got host {host!r}, expected one of {', '.join(HOSTS)}")
    settings = ServeSettings(**options)
    start_nursery(settings.threads)
    server = create_server(run, **options)
    # While the nursery imports; no worker need do it again.
    server.api.checked = settings.checked or Manifest.check(server.api.run)
    (settings.safety or Safety.from_environment()).warn_of(host)
    os.register_at_fork(after_in_child=die_with_parent)
    for stop in (signal.SIGTERM, signal.SIGINT):  # the latter is ignored in a background job
        signal.signal(stop, _stop)
    server.run(
        host=HOSTS[host],
        port=port,
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
        limit_concurrency=settings.connections,
    )


def _add_routes(server: Server, meters: Meters, safety: Safety, scribe: Scribe) -> None:
    app: FastAPI = server.app
    app.title = "Vitrine"
    desk = Desk(server, server.api, safety.pseudonyms)
    # LitServe's stand-in for no key is no coroutine: each call would go to a thread for it.
    asks_for_key = server.setup_auth()
    key = [] if asks_for_key is no_auth else [Depends(asks_for_key)]
    ours = (watch_routes(server, desk, meters), runs_routes(server.family))
    # LitServe's own index, health, info and untyped recommend give way to ours.
    _drop(app, "/", "/health", "/info", server.api.api_path)
    app.include_router(ours[0])
    app.include_router(ours[1], dependencies=key)
    app.include_router(recommend_routes(desk, scribe), dependencies=key)
    for routes in (engine_routes, item_routes, people_routes, policy_routes, chat_routes):
        app.include_router(routes(desk), dependencies=key)
    app.include_router(item_change_routes(desk, safety.image_origins), dependencies=key)
    app.include_router(public_routes(desk))
    install_problem_handlers(app)
    install_openapi(app)
    mount_page(app)
    app.add_middleware(Gate, safety=safety)
    app.add_middleware(Door, line=server.line, meters=meters, draining=server.draining.is_set)


def _meters(server: Server, workers: int, scribe: Scribe) -> Meters:
    folder = server.family or server.api.run
    return Meters(server.line, workers, folder / STATE_FOLDER / DRIFT_FILE, scribe)


def _drop(app: FastAPI, *paths: str) -> None:
    app.router.routes[:] = [r for r in app.router.routes if getattr(r, "path", None) not in paths]


def _learn(server: Server, every_s: float) -> None:
    """Start the learning timer with the server.

    Raises:
        RunError: The server serves a plain run, beside which nothing can be published.
    """
    if server.family is None:
        raise RunError("got a plain run, expected a family to publish into: `vitrine publish RUN`")
    learner = Learner(Learning(server.family, server.api.store_url, every_s))
    server.at_start.append(learner.start)
    server.at_end.append(learner.stop)


def _stop(signum: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
