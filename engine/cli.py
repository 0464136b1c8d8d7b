"""The command line: what every command takes, and which module answers it.

Every command imports what it needs when it runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markdown import Markdown
from rich.text import Text

from engine import (
    cli_chat,
    cli_encode,
    cli_experiment,
    cli_find,
    cli_graph,
    cli_policy,
    cli_serve,
    cli_tune,
    cli_tune_encoder,
    cli_update,
)
from engine.cli_find import AsJson, Count, Photo, RunFolder, StoreUrl, ask
from engine.cli_serve import Host
from engine.cli_training_end import training_end
from engine.progress import ConsoleReporter
from engine.terminal import Commands, checked, console, show

if TYPE_CHECKING:
    from engine.dataset import DatasetSettings
    from engine.scene import Scene

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    epilog="Example: vitrine demo",
)

DatasetFolder = Annotated[Path, typer.Argument(metavar="DATASET", help="Folder that ingest wrote.")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")]


app.command(epilog=cli_encode.EPILOG)(cli_encode.encode)
app.command("tune-encoder", epilog=cli_tune_encoder.EPILOG)(cli_tune_encoder.tune_encoder)
app.command(epilog=cli_update.EPILOG)(cli_update.update)
app.add_typer(cli_graph.app, name="graph", epilog=cli_graph.EPILOG)
app.add_typer(cli_policy.app, name="policy", epilog=cli_policy.EPILOG)
app.add_typer(cli_experiment.app, name="experiment", epilog=cli_experiment.EPILOG)
app.command(epilog=cli_tune.EPILOG)(cli_tune.tune)
app.command(epilog=cli_serve.SERVE_EPILOG)(cli_serve.serve)
app.command(epilog=cli_serve.PUBLISH_EPILOG)(cli_serve.publish)
app.command(epilog=cli_serve.ROLLBACK_EPILOG)(cli_serve.rollback)
app.command(epilog=cli_serve.RUNS_EPILOG)(cli_serve.runs)
app.command(epilog=cli_serve.DRIFT_EPILOG)(cli_serve.drift)
for commands in (cli_find.COMMANDS, cli_chat.COMMANDS):
    for command, epilog in commands.items():
        app.command(epilog=epilog)(command)


@app.callback()
def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """A recommendation engine that a shop can run by itself."""


@app.command(
    epilog="Example: vitrine ingest shop.yaml data/shop\n\n"
    "Example: vitrine ingest data/shop --items items.csv --events sales.csv --kind purchase "
    "--time-zone Europe/London"
)
def ingest(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="[MAPPING.yaml] OUT", help="Which columns fill what; the dataset."),
    ],
    items: Annotated[str | None, typer.Option(help="File or pattern of items.")] = None,
    events: Annotated[str | None, typer.Option(help="File or pattern of events.")] = None,
    users: Annotated[str | None, typer.Option(help="File or pattern of users.")] = None,
    triples: Annotated[str | None, typer.Option(help="File or pattern of facts.")] = None,
    offers: Annotated[str | None, typer.Option(help="File or pattern of offers.")] = None,
    kind: Annotated[str | None, typer.Option(help="Kind of all events, if no column says.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the shop.")] = None,
    time_zone: Annotated[str, typer.Option(help="Zone of the shop's times.")] = "UTC",
    country: Annotated[str | None, typer.Option(help="ISO code, for holidays.")] = None,
    currency: Annotated[str | None, typer.Option(help="ISO code of the prices.")] = None,
    pseudonymise: Annotated[
        Path | None,
        typer.Option(
            metavar="KEYFILE", exists=True, dir_okay=False, help="Hash user ids with this secret."
        ),
    ] = None,
) -> None:
    """Turn a shop's CSV, JSONL or Parquet files into a dataset.

    Every row is checked; those that cannot be kept go to rejects.parquet with file, line and
    reason, and are counted in the report. Without a mapping, columns are found by their names.
    """
    from engine.ingest import Mapping, render_report
    from engine.ingest import ingest as read
    from engine.pseudonyms import Pseudonyms

    given = {"items": items, "events": events, "users": users, "triples": triples, "offers": offers}
    files = {table: path for table, path in given.items() if path is not None}
    *mappings, out = paths
    if len(mappings) > 1:
        raise typer.BadParameter(f"got {len(paths)} paths, expected [MAPPING.yaml] OUT")
    if mappings:
        mapping, others = Mapping.open(mappings[0]), files
    else:
        settings = _settings(name or out.name, time_zone, country, currency)
        mapping, others = Mapping.from_flags(**files, kind=kind, settings=settings), {}
    with console.status("reading") as status:
        report = read(
            mapping,
            out,
            files=others,
            on_progress=lambda table, rows: status.update(f"{table}: {rows:,} rows"),
            pseudonyms=Pseudonyms.open(pseudonymise) if pseudonymise else None,
        )
    render_report(report, console)
    console.print(Text(f"Dataset: {out}"), soft_wrap=True)


@app.command(
    epilog="Example: vitrine train data/shop runs/shop\n\n"
    "Example: vitrine train data/shop runs/shop --config shop.yaml --hold-out-weeks 4"
)
def train(
    dataset: DatasetFolder,
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder to write.")],
    config: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="Settings, as YAML.")
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(
            help="Read nothing from this moment on: a date is its midnight in the shop's zone. "
            "By default everything is read."
        ),
    ] = None,
    hold_out_weeks: Annotated[
        int | None,
        typer.Option(min=1, help="Leave out the last so many weeks, for evaluate to test on."),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of every random choice.")] = None,
) -> None:
    """Train on a dataset and write a run.

    Finished stages are kept beside the run: a second training redoes only what changed, and a
    training that was interrupted resumes.
    """
    from engine.build import build
    from engine.config import EngineConfig
    from engine.dataset import Dataset

    settings = EngineConfig.read(config) if config else EngineConfig()
    if seed is not None:
        settings = settings.model_copy(update={"seed": seed})
    opened = Dataset.open(dataset)
    moment = training_end(opened, as_of, hold_out_weeks)
    with ConsoleReporter(console) as reporter:
        manifest = build(
            opened, settings, run, as_of_unix_s=int(moment.timestamp()), reporter=reporter
        )
    console.print(Text(f"Run {manifest.run_id}: {run}"), soft_wrap=True)


@app.command(epilog="Example: vitrine evaluate data/shop runs/shop --json runs/shop.json")
def evaluate(
    dataset: DatasetFolder,
    run: RunFolder,
    out: Annotated[
        Path | None, typer.Option("--json", dir_okay=False, help="Write the figures here.")
    ] = None,
) -> None:
    """Measure a run, and the usual baselines, on what happened after its training ended.

    The run must have been trained with --as-of or --hold-out-weeks: each user's first basket
    from that moment on is the test.
    """
    from engine.evaluate.run import evaluate_run

    with ConsoleReporter(console) as reporter:
        compared = evaluate_run(dataset, run, reporter=reporter, out=out)
    console.print(compared.table.to_rich())
    console.print(compared.channels.to_rich())


@app.command(
    epilog="Example: vitrine recommend runs/demo household-1228 --time 2017-12-22T18:30 "
    "--place store-406\n\n"
    'Example: vitrine recommend runs/demo someone-new --query "birthday cake" --json'
)
def recommend(
    run: RunFolder,
    user: Annotated[str, typer.Argument(metavar="USER", help="User id; unknown ones are new.")],
    time: Annotated[
        str | None, typer.Option(help="ISO 8601, in the shop's zone; by default now.")
    ] = None,
    place: Annotated[str | None, typer.Option(help="Store or site.")] = None,
    occasion: Annotated[str | None, typer.Option(help="What the visit is for.")] = None,
    query: Annotated[str | None, typer.Option(help="Words that the shopper typed.")] = None,
    image: Photo = None,
    k: Count = 10,
    new_only: Annotated[
        bool, typer.Option("--new-only", help="Only items that the user never took.")
    ] = False,
    as_json: AsJson = False,
    store_url: StoreUrl = None,
) -> None:
    """Recommend items to a user in a scene, each with its reason."""
    scene = _scene(
        time=time, place=place, occasion=occasion, query=query, image=image and image.read_bytes()
    )
    found = ask(
        run, store_url, lambda engine: engine.recommend(user, scene, k=k, new_only=new_only)
    )
    show(found, f"For {user}", as_json=as_json)


@app.command(epilog="Example: vitrine demo\n\nExample: vitrine demo --households 150 --no-serve")
def demo(
    folder: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("runs/demo"),
    data: Annotated[Path, typer.Option(help="Folder of the dataset.")] = Path(
        "data/complete-journey"
    ),
    households: Annotated[
        int | None, typer.Option(min=1, help="Take only so many households: a quick look.")
    ] = None,
    start: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Serve the run when it is ready.")
    ] = True,
    host: Host = "127.0.0.1",
    port: Port = 8000,
) -> None:
    """Train and serve a grocer's year: Complete Journey, by 84.51°.

    What is done is kept: interrupt it at any time, and run it again to resume.
    """
    from engine.demo import run as steps

    with ConsoleReporter(console) as reporter:
        dataset = steps.demo_dataset(data, reporter, households=households)
        manifest = steps.train_demo(dataset, folder, reporter)
        figures = steps.evaluate_demo(dataset, folder, manifest, reporter)
    steps.remember_seconds(folder, reporter.times)
    console.print(Markdown(figures.read_text(encoding="utf-8")))
    console.print(Text(f"Run {manifest.run_id}: {folder}"), soft_wrap=True)
    if start:
        cli_serve.start(folder, host, port)
    else:
        console.print(Text(f"To serve it: vitrine serve {folder}"), soft_wrap=True)


def _settings(
    name: str, time_zone: str, country: str | None, currency: str | None
) -> DatasetSettings:
    from engine.dataset import DatasetSettings

    with checked():
        return DatasetSettings(name=name, time_zone=time_zone, country=country, currency=currency)


def _scene(**given: object) -> Scene:
    from engine.scene import Scene

    with checked():
        return Scene.model_validate(given)
