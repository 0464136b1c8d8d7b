"""The command ``vitrine tune-encoder``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from engine.cli_training_end import training_end
from engine.errors import DataError
from engine.progress import ConsoleReporter
from engine.terminal import FAILED, complaints, console

if TYPE_CHECKING:
    from encoders.tuning import TuningSettings
    from engine.tune_encoder import TuningReport

EPILOG = (
    "Example: vitrine tune-encoder data/shop --out models/shop\n\n"
    "Example: vitrine tune-encoder data/shop --encoder ViT-B-32:laion2b_s34b_b79k --depth 0.5 "
    "--out models/shop"
)

TITLES = (
    ("text to image, Recall@1", "text_to_image_r1"),
    ("text to image, Recall@10", "text_to_image_r10"),
    ("image to text, Recall@1", "image_to_text_r1"),
    ("image to text, Recall@10", "image_to_text_r10"),
    ("bought together, Recall@10", "together_r10"),
)


def tune_encoder(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder that ingest wrote.")],
    out: Annotated[Path, typer.Option(help="Folder to write; an encoder's name from then on.")],
    encoder: Annotated[
        str,
        typer.Option(
            help="What to tune: bundled, ARCHITECTURE:tag, ARCHITECTURE:/path/to/checkpoint, or "
            "the folder of a tuned one."
        ),
    ] = "bundled",
    tower: Annotated[str, typer.Option(help="What learns: both, image or text.")] = "both",
    depth: Annotated[
        float, typer.Option(help="Share of each tower's layers that learn, from the output on.")
    ] = 1.0,
    rank: Annotated[int, typer.Option(help="Rank of the update of each weight.")] = 8,
    epochs: Annotated[int, typer.Option(help="Passes over the catalogue at most.")] = 12,
    batch_size: Annotated[int, typer.Option(help="Pictures per step.")] = 64,
    learning_rate: Annotated[float, typer.Option(help="At its highest.")] = 1e-3,
    as_of: Annotated[
        str | None, typer.Option(help="Read no event from this moment on, as train does.")
    ] = None,
    hold_out_weeks: Annotated[
        int | None, typer.Option(min=1, help="Leave out the events of the last so many weeks.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of every random choice.")] = 0,
    figures: Annotated[
        Path | None, typer.Option("--json", dir_okay=False, help="Write the figures here.")
    ] = None,
) -> None:
    """Adapt an encoder to a shop's own pictures and words, and to what is bought together.

    One item in ten is held out to measure on. Nothing is written if the tuned encoder finds no
    more among them than before; the exit code is 1 then. The same command resumes a tuning that
    was interrupted.
    """
    from encoders.tuning import TuningSettings
    from engine.dataset import Dataset
    from engine.tune_encoder import record
    from engine.tune_encoder import tune_encoder as tune

    try:
        settings = TuningSettings(
            rank=rank,
            alpha=2.0 * rank,
            tower=tower,  # type: ignore[arg-type]  # checked when it is made
            depth=depth,
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            seed=seed,
        )
    except ValueError as error:
        raise DataError(str(error)) from error
    opened = Dataset.open(dataset)
    # Pictures and words alone are enough to tune on.
    until = 0
    if len(opened.events) or as_of is not None or hold_out_weeks is not None:
        until = int(training_end(opened, as_of, hold_out_weeks).timestamp())
    with ConsoleReporter(console) as reporter:
        report = tune(opened, encoder, out, settings, as_of_unix_s=until, reporter=reporter)
    console.print(_table(report))
    if figures is not None:
        text = json.dumps(record(report, settings), indent=2) + "\n"
        figures.write_text(text, encoding="utf-8")
    _conclude(report, settings)


def _conclude(report: TuningReport, settings: TuningSettings) -> None:
    if report.folder is None:
        line = (
            f"Nothing written: {len(report.tuned.epochs)} of {settings.epochs} epochs, and none "
            "finds more of the held-out items than the encoder as it was. More items, another "
            "--learning-rate or --tower may help."
        )
        complaints.print(Text(line, style="yellow"), soft_wrap=True)
        raise typer.Exit(FAILED)
    console.print(Text(f"Encoder: {report.folder}"), soft_wrap=True)
    console.print(Text(f"To train with it, set  encoder: {report.folder}"), soft_wrap=True)


def _table(report: TuningReport) -> Table:
    tuned = report.tuned
    table = Table(
        title=Text(f"{tuned.n_held_out:,} held-out items of {report.n_items:,}"),
        title_justify="left",
        caption=f"epoch {tuned.best} of {len(tuned.epochs)}, {report.seconds:,.0f} s; general "
        f"words kept to a cosine of {tuned.general_cosine:.3f}",
        caption_justify="left",
    )
    table.add_column("")
    table.add_column("before", justify="right")
    table.add_column("after", justify="right")
    for title, name in TITLES:
        before, after = getattr(tuned.before, name), getattr(tuned.after, name)
        if before is not None:
            table.add_row(title, f"{before:.3f}", f"{after:.3f}")
    return table
