"""The demo, step by step: dataset, training, evaluation. Each is done once and then found again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from importlib.resources import as_file, files
from pathlib import Path
from zoneinfo import ZoneInfo

from engine.artifacts import Manifest, write_json
from engine.build import build
from engine.config import EngineConfig
from engine.dataset import Dataset
from engine.demo.complete_journey import complete_journey
from engine.demo.pictures import FOLDER as PICTURES
from engine.demo.source import TIME_ZONE
from engine.errors import DataError
from engine.evaluate.run import evaluate_run
from engine.moments import midnight
from engine.progress import StageTime
from engine.stages import Reporter

CUT_DAY = date(2017, 12, 4)
"""The run learns from what was bought before this day; the test is what was bought from then on."""


def cut_unix_s() -> int:
    """The midnight of :data:`CUT_DAY` at the shop."""
    return int(midnight(CUT_DAY, ZoneInfo(TIME_ZONE)).timestamp())


def demo_config() -> EngineConfig:
    """The settings of the demo's run, from ``complete_journey.yaml`` beside this module."""
    with as_file(files("engine.demo") / "complete_journey.yaml") as path:
        return EngineConfig.read(path)


def demo_dataset(folder: Path, reporter: Reporter, *, households: int | None = None) -> Dataset:
    """The demo's dataset, made unless it lies complete in its folder.

    Args:
        folder: Of the dataset; a sample goes to a folder of its own, named by its size.
        reporter: Told of the steps.
        households: Take only so many; None takes all.

    Raises:
        MissingExtraError: A package of the extra ``demo`` is not installed.
        DataError: ``households`` is out of bounds.
    """
    target = folder if households is None else folder.with_name(f"{folder.name}-{households}")
    found = _complete(target)
    reporter.begin("dataset", cached=found is not None)
    return found or complete_journey(target, households=households, on_progress=reporter.note)


def train_demo(dataset: Dataset, run: Path, reporter: Reporter) -> Manifest:
    """Train the demo's run; stages that are done are not done again."""
    return build(dataset, demo_config(), run, as_of_unix_s=cut_unix_s(), reporter=reporter)


def evaluate_demo(dataset: Dataset, run: Path, manifest: Manifest, reporter: Reporter) -> Path:
    """Measure the demo's run on each household's first basket after the cut.

    Returns:
        A Markdown file with the table of figures, in a folder beside the run; a JSON file of
        the same name holds them to full precision. Both are kept for each run id.
    """
    folder = run.with_name(f"{run.name}-evaluation")
    table = folder / f"{manifest.run_id}.md"
    if table.is_file():
        reporter.begin("evaluate", cached=True)
        return table
    folder.mkdir(parents=True, exist_ok=True)
    compared = evaluate_run(dataset.folder, run, reporter=reporter, out=table.with_suffix(".json"))
    part = table.with_suffix(".part")
    part.write_text(compared.table.to_markdown() + "\n", encoding="utf-8")
    part.replace(table)
    return table


def remember_seconds(run: Path, times: Sequence[StageTime]) -> None:
    """Keep what each stage took when it was last done, in a file beside the run."""
    file = run.with_name(f"{run.name}-seconds.json")
    known = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    known |= {time.stage: round(time.seconds, 1) for time in times if not time.cached}
    write_json(file, known)


def _complete(folder: Path) -> Dataset | None:
    """The dataset in a folder; None where there is none, or a part of one."""
    # The settings file comes into the folder with the tables, after the pictures.
    if not (folder / PICTURES).is_dir():
        return None
    try:
        return Dataset.open(folder)
    except DataError:
        return None
