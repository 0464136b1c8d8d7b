"""The command ``vitrine encode``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from engine.errors import DataError
from engine.progress import ConsoleReporter
from engine.terminal import console

if TYPE_CHECKING:
    from engine.encode import Encoded

EPILOG = (
    "Example: vitrine encode data/shop\n\n"
    "Example: vitrine encode data/shop --engine ray --address auto --gpus-per-worker 1 "
    "--out /mnt/shared/runs/.stages/vectors"
)

_SHOWN = 10


def encode(
    dataset: Annotated[Path, typer.Argument(metavar="DATASET", help="Folder that ingest wrote.")],
    out: Annotated[
        Path,
        typer.Option(
            help="Folder of the vectors. By default the one that train reads for runs/NAME; for "
            "a run elsewhere, .stages/vectors beside it."
        ),
    ] = Path("runs/.stages/vectors"),
    encoder: Annotated[
        str, typer.Option(help="As in the settings of train; vectors of another are not used.")
    ] = "bundled",
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="This process, or workers of a Ray cluster.")
    ] = "local",
    address: Annotated[
        str | None,
        typer.Option(help="Of the Ray cluster, such as auto; by default this machine alone."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Encoders at a time; by default as many as fit.")
    ] = None,
    cpus_per_worker: Annotated[float, typer.Option(min=0.01, help="CPUs of each encoder.")] = 1.0,
    gpus_per_worker: Annotated[float, typer.Option(min=0.0, help="GPUs of each encoder.")] = 0.0,
) -> None:
    """Encode the pictures and words of a dataset ahead of training, on one machine or on many.

    Training then finds every vector there. What is done is kept: the same command, with either
    engine, resumes. With Ray, the dataset and --out must be in folders that all machines share.
    Pictures that cannot be read go to rejects.parquet in --out, with item id and reason.
    """
    from encoders.ray_data import Cluster
    from engine.dataset import Dataset
    from engine.encode import EncodeEngine, encode_dataset

    try:
        cluster = Cluster(address, workers, cpus_per_worker, gpus_per_worker)
    except ValueError as error:
        raise DataError(str(error)) from error
    opened = Dataset.open(dataset)
    with ConsoleReporter(console) as reporter:
        encoded = encode_dataset(
            opened,
            out,
            reporter=reporter,
            encoder=encoder,
            engine=EncodeEngine(engine),
            cluster=cluster,
        )
    _show(encoded, out)


def _show(encoded: Encoded, out: Path) -> None:
    if len(encoded.rejects):
        table = Table("item", "picture", "reason", title_justify="left")
        table.title = Text(f"{len(encoded.rejects):,} pictures could not be encoded")
        for row in encoded.rejects.head(_SHOWN).iter_rows():
            table.add_row(*map(Text, row))
        if len(encoded.rejects) > _SHOWN:
            table.caption = Text("and more in rejects.parquet")
        console.print(table)
    line = f"{encoded.items:,} items: {encoded.texts:,} texts, {encoded.pictures:,} pictures: {out}"
    console.print(Text(line), soft_wrap=True)
