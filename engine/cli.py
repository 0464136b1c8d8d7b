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
    cli_evaluate,
    cli_experiment,
    cli_find,
    cli_graph,
    cli_ingest,
    cli_policy,
    cli_serve,
    cli_tune,
    cli_tune_encoder,
    cli_update,
)
from engine.cli_evaluate import DatasetFolder
from engine.cli_find import AsJson, Count, Photo, RunFolder, StoreUrl, ask
from engine.cli_serve import Host
from engine.cli_training_end import training_end
from engine.progress import ConsoleReporter
from engine.terminal import Commands, checked, console, show

if TYPE_CHECKING:
    from engine.scene import Scene

app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    epilog="Example: vitrine demo",
)

Port = Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")]


app.command(epilog=cli_ingest.EPILOG)(cli_ingest.ingest)
app.command(epilog=cli_encode.EPILOG)(cli_encode.encode)
app.command("tune-encoder", epilog=cli_tune_encoder.EPILOG)(cli_tune_encoder.tune_encoder)
app.command(epilog=cli_update.EPILOG)(cli_update.update)
app.add_typer(cli_graph.app, name="graph", epilog=cli_graph.EPILOG)
app.add_typer(cli_policy.app, name="policy", epilog=cli_policy.EPILOG)
app.add_typer(cli_experiment.app, name="experiment", epilog=cli_experiment.EPILOG)
app.command(epilog=cli_tune.EPILOG)(cli_tune.tune)
app.command(epilog=cli_evaluate.EVALUATE_EPILOG)(cli_evaluate.evaluate)
app.command(epilog=cli_evaluate.COMPARE_EPILOG)(cli_evaluate.compare)
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


def _scene(**given: object) -> Scene:
    from engine.scene import Scene

    with checked():
        return Scene.model_validate(given)
