"""The commands of an operator: ``serve``, ``publish``, ``rollback``, ``runs``, ``drift``."""

from __future__ import annotations

import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from engine.cli_find import RunFolder, StoreUrl
from engine.errors import RunError
from engine.terminal import console, must_be_free

if TYPE_CHECKING:
    from engine.artifacts import Checked
    from engine.drift_file import Drift
    from engine.serve.safety import Safety

Host = Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 is every one.")]
Port = Annotated[
    int, typer.Option(min=0, max=65535, help="Port to listen on; 0 is any that is free.")
]
Family = Annotated[
    Path, typer.Argument(metavar="FAMILY", help="Folder of runs, one of them published.")
]
UNITS_S = {"m": 60, "h": 3_600, "d": 86_400}

SERVE_EPILOG = (
    "Example: vitrine serve runs/demo --port 8000\n\n"
    "Example: vitrine serve runs/shop/current --workers 2 --update-every 24h "
    "--store-url postgresql://shop@db/vitrine"
)
PUBLISH_EPILOG = "Example: vitrine publish runs/shop/2026-11-21"
ROLLBACK_EPILOG = "Example: vitrine rollback runs/shop"
RUNS_EPILOG = "Example: vitrine runs runs/shop"
DRIFT_EPILOG = "Example: vitrine drift runs/shop/current --days 7"


def serve(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run, or a folder of runs with one published.")
    ],
    host: Host = "127.0.0.1",
    port: Port = 8000,
    workers: Annotated[int, typer.Option(min=1, help="Processes that hold an engine.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Compute threads of each worker.")] = 1,
    batch: Annotated[
        int, typer.Option(min=1, help="Calls that a worker gets at once, at most.")
    ] = 4,
    queue: Annotated[int, typer.Option(min=1, help="Calls that may wait; more get a 503.")] = 64,
    drain: Annotated[
        float, typer.Option(min=0, help="Seconds for accepted calls at the end.")
    ] = 10,
    update_every: Annotated[
        str | None, typer.Option(help="Learn from the store and publish: 90m, 24h, 7d.")
    ] = None,
    safety: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="API keys, rates and origins; by default the file of VITRINE_SAFETY.",
        ),
    ] = None,
    rules: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            help="Folder of policy.yaml and experiments.yaml; by default the run's state.",
        ),
    ] = None,
    gpus: Annotated[
        str | None, typer.Option(help="GPUs that the workers take in turn: 0,1.")
    ] = None,
    store_url: StoreUrl = None,
) -> None:
    """Serve a run over HTTP: the REST interface, and the web page at /.

    Of a folder of runs the published one is served, and whichever is published next. The users
    of an experiment between runs are answered by the run of their variant.
    """
    from engine.artifacts import Manifest
    from engine.publish import served_run
    from engine.serve.safety import Safety

    every_s = None if update_every is None else seconds_of(update_every)
    checked = Manifest.check(served_run(run))
    start(
        run,
        host,
        port,
        workers=workers,
        threads=threads,
        batch=batch,
        queue=queue,
        drain_s=drain,
        update_every_s=every_s,
        safety=None if safety is None else Safety.from_environment(settings=safety),
        rules=rules,
        gpus=() if gpus is None else numbers_of(gpus),
        store_url=store_url,
        checked=checked,
    )


def start(
    run: Path,
    host: str,
    port: int,
    *,
    workers: int = 1,
    threads: int = 1,
    batch: int = 4,
    queue: int = 64,
    drain_s: float = 10,
    update_every_s: float | None = None,
    safety: Safety | None = None,
    rules: Path | None = None,
    gpus: tuple[int, ...] = (),
    store_url: str | None = None,
    checked: Checked | None = None,
) -> None:
    """Listen until stopped."""
    from engine.serve.addresses import HOSTS
    from engine.serve.line_settings import LineSettings
    from engine.serve.nursery import start_nursery

    if host not in HOSTS:
        raise typer.BadParameter(f"got {host!r}, expected one of {', '.join(HOSTS)}")
    port = port or free_port(HOSTS[host])
    must_be_free(HOSTS[host], port)
    start_nursery(threads)
    from engine.serve.app import serve as listen

    console.print(Text(f"Open http://{host}:{port}  (Ctrl-C stops)"), soft_wrap=True)
    listen(
        run,
        host=host,
        port=port,
        workers=workers,
        threads=threads,
        line=LineSettings(longest=queue, batch=batch),
        drain_s=drain_s,
        update_every_s=update_every_s,
        safety=safety,
        rules=rules,
        gpus=gpus,
        store_url=store_url,
        checked=checked,
    )


def publish(run: RunFolder) -> None:
    """Make a run the one that is served, after checking every file of it.

    The link "current" beside it points to it from then on; servers of that folder take it over
    without failing a request.
    """
    from engine.publish import publish as make_current

    done = make_current(run)
    console.print(Text(f"Published {done.run} ({done.run_id})"), soft_wrap=True)


def rollback(family: Family) -> None:
    """Serve again what was served before the last publication."""
    from engine.publish import rollback as take_back

    done = take_back(_family(family))
    console.print(Text(f"Back to {done.run} ({done.run_id})"), soft_wrap=True)


def runs(family: Family) -> None:
    """List the runs of a folder, the newest first, and which one is served."""
    from engine.publish import runs_of

    table = Table("", "run", "id", "learned until", "made")
    for run in runs_of(_family(family)):
        until = datetime.fromtimestamp(run.as_of_unix_s, UTC).isoformat(" ", "minutes")
        mark = "served" if run.current else ""
        table.add_row(*map(Text, (mark, run.name, run.run_id, until, run.created_at)))
    console.print(table)


def drift(
    run: RunFolder,
    days: Annotated[float, typer.Option(min=0.01, help="How far back to look.")] = 7,
    store_url: StoreUrl = None,
) -> None:
    """Compare what is asked and shown of late with what the run was trained on.

    PSI below 0.1 is steady, above 0.25 a reason to train again; the hit rate is that of the
    lists which were shown.
    """
    from engine.drift import drift_of_store
    from engine.drift_file import write_drift
    from engine.publish import STATE_FOLDER, family_of, store_url_of

    found = drift_of_store(run, store_url or store_url_of(run), days=days)
    folder = (family_of(run) or run) / STATE_FOLDER
    folder.mkdir(exist_ok=True)
    write_drift(found, folder)  # a server shows it among its metrics
    _print_drift(found)


def _print_drift(found: Drift) -> None:
    table = Table("watched", title_justify="left")
    table.title = Text(f"{found.lists:,} lists in {found.days:g} days")
    for column in ("PSI", "told by"):
        table.add_column(column, justify="right")
    for one in found.shifts:
        told = "too few" if one.psi is None else f"{one.psi:.3f}"
        table.add_row(Text(one.what), told, f"{one.n:,}")
    console.print(table)
    for rate in found.hit_rates:
        told = f"{rate.name}: {rate.hits:,} of {rate.lists:,} lists led to an event"
        console.print(Text(f"{told} ({rate.rate:.1%})"), soft_wrap=True)


def seconds_of(told: str) -> float:
    """Seconds of a span such as ``90m``, ``24h`` or ``7d``.

    Raises:
        BadParameter: It is not a positive number and one of the units.
    """
    number, unit = told[:-1], told[-1:]
    if unit not in UNITS_S or not number.replace(".", "", 1).isdecimal() or float(number) <= 0:
        raise typer.BadParameter(f"got {told!r}, expected a span such as 90m, 24h or 7d")
    return float(number) * UNITS_S[unit]


def numbers_of(told: str) -> tuple[int, ...]:
    """Numbers such as ``0,1``.

    Raises:
        BadParameter: They are no numbers, or one comes twice.
    """
    parts = told.split(",")
    if not all(part.isdecimal() for part in parts) or len(set(parts)) < len(parts):
        raise typer.BadParameter(f"got {told!r}, expected numbers such as 0,1")
    return tuple(map(int, parts))


def free_port(address: str) -> int:
    """A port of an address that nobody listens on."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def _family(path: Path) -> Path:
    from engine.publish import CURRENT

    family = path.parent if path.name == CURRENT else path
    if not family.is_dir():
        raise RunError(f"got {str(path)!r}, expected a folder of runs")
    return family
