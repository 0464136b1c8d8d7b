"""The command that turns files into a dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from engine.terminal import checked, console

if TYPE_CHECKING:
    from engine.dataset import DatasetSettings
    from engine.ingest import IngestReport, Mapping
    from engine.ingest.ingest import OnProgress
    from engine.pseudonyms import Pseudonyms

EPILOG = (
    "Example: vitrine ingest shop.yaml data/shop\n\n"
    "Example: vitrine ingest data/shop --items items.csv --events sales.csv --kind purchase "
    "--time-zone Europe/London\n\n"
    "Example: vitrine ingest --preset movielens ml-latest-small data/movielens"
)


def _list_presets(asked: bool) -> None:
    if not asked:
        return
    from engine.ingest.presets import PRESETS

    for preset in PRESETS:
        settings = preset.settings
        heading = f"{preset.name}: {settings.name}, from {preset.origin}"
        console.print(Text(heading, style="bold"), soft_wrap=True)
        for form in preset.forms:
            console.print(Text(f"  {form.told}: {', '.join(form.files())}"), soft_wrap=True)
        console.print(Text(f"  Terms: {settings.terms}"), soft_wrap=True)
    raise typer.Exit


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
    preset: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A known data set; the paths are then SOURCE OUT."),
    ] = None,
    list_presets: Annotated[
        bool,
        typer.Option(
            "--list-presets", is_eager=True, callback=_list_presets, help="List the presets."
        ),
    ] = False,
) -> None:
    """Turn a shop's CSV, JSONL or Parquet files into a dataset.

    Every row is checked; those that cannot be kept go to rejects.parquet with file, line and
    reason, and are counted in the report. Without a mapping, columns are found by their names;
    with a preset, the files of a known data set are read as they were downloaded.
    """
    from engine.ingest import render_report
    from engine.pseudonyms import Pseudonyms

    given = {"items": items, "events": events, "users": users, "triples": triples, "offers": offers}
    files = {table: path for table, path in given.items() if path is not None}
    names = Pseudonyms.open(pseudonymise) if pseudonymise else None
    *before, out = paths
    if preset is not None:
        report = _by_preset(preset, before, out, files, names)
    elif len(before) > 1:
        raise typer.BadParameter(f"got {len(paths)} paths, expected [MAPPING.yaml] OUT")
    elif not before and out.suffix.lower() in (".yaml", ".yml"):
        raise typer.BadParameter(f"got the mapping {out} alone, expected MAPPING.yaml OUT")
    else:
        from engine.ingest import Mapping

        if before:
            mapping = Mapping.open(before[0]).with_files(files)
        else:
            settings = _settings(name or out.name, time_zone, country, currency)
            mapping = Mapping.from_flags(**files, kind=kind, settings=settings)
        report = _by_mapping(mapping, out, names)
    render_report(report, console)
    console.print(Text(f"Dataset: {out}"), soft_wrap=True)


def _by_mapping(mapping: Mapping, out: Path, names: Pseudonyms | None) -> IngestReport:
    from engine.ingest import ingest as read

    with console.status("reading") as status:
        return read(mapping, out, on_progress=_telling(status.update), pseudonyms=names)


def _by_preset(
    name: str,
    before: Sequence[Path],
    out: Path,
    files: dict[str, str],
    names: Pseudonyms | None,
) -> IngestReport:
    from engine.ingest.presets import ingest_preset, preset_named

    known = preset_named(name)
    if len(before) != 1 or files:
        got = f"--{min(files)}" if files else f"{len(before) + 1} paths"
        raise typer.BadParameter(f"got {got}, expected --preset {name} SOURCE OUT")
    settings = known.settings
    told = [
        f"{settings.name}, from {known.origin}",
        f"Terms of use: {settings.terms}",
        f"To be named: {settings.attribution}",
        *(f"Note: {note}" for note in known.notes),
    ]
    for line in told:
        console.print(Text(line), soft_wrap=True)
    with console.status("reading") as status:
        progress = _telling(status.update)
        return ingest_preset(known, before[0], out, on_progress=progress, pseudonyms=names)


def _telling(update: Callable[[str], None]) -> OnProgress:
    return lambda table, rows: update(f"{table}: {rows:,} rows")


def _settings(
    name: str, time_zone: str, country: str | None, currency: str | None
) -> DatasetSettings:
    from engine.dataset import DatasetSettings

    with checked():
        return DatasetSettings(name=name, time_zone=time_zone, country=country, currency=currency)
