"""The command ``vitrine tune``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from engine.cli_training_end import training_end
from engine.progress import ConsoleReporter
from engine.terminal import console

EPILOG = (
    "Example: vitrine tune data/shop --out runs/shop-search --trials 40\n\n"
    "Example: vitrine tune data/shop --out runs/shop-search --config shop.yaml --hold-out-weeks 4 "
    "--stages runs/.stages"
)


def tune(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder that ingest wrote.")],
    out: Annotated[Path, typer.Option(help="Folder of the search; one that is there goes on.")],
    trials: Annotated[
        int, typer.Option(min=1, help="Trainings in all, those of earlier calls included.")
    ] = 30,
    config: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Settings to start from, as YAML."),
    ] = None,
    as_of: Annotated[
        str | None, typer.Option(help="Read no event from this moment on, as train does.")
    ] = None,
    hold_out_weeks: Annotated[
        int | None, typer.Option(min=1, help="Leave out the events of the last so many weeks.")
    ] = None,
    stages: Annotated[
        Path | None,
        typer.Option(help="Stages of a training to start from: the .stages beside its run."),
    ] = None,
) -> None:
    """Search the reranker's settings on a shop's own requests.

    The best are written as YAML for train --config. The same command resumes a search that was
    interrupted, and more --trials continue one.
    """
    from engine.config import EngineConfig
    from engine.dataset import Dataset
    from engine.tune import tune as search

    settings = EngineConfig.read(config) if config else EngineConfig()
    opened = Dataset.open(dataset)
    moment = training_end(opened, as_of, hold_out_weeks)
    with ConsoleReporter(console) as reporter:
        found = search(
            opened,
            settings,
            out,
            as_of_unix_s=int(moment.timestamp()),
            trials=trials,
            stages=stages,
            reporter=reporter,
        )
    console.print(
        Text(
            f"{found.trials} trials: score {found.score:.4f}, of the settings as given "
            f"{found.given_score:.4f}"
        )
    )
    console.print(Text(f"To train with the best: --config {found.file}"), soft_wrap=True)
