"""What made a set of figures: enough to make them again."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from engine.artifacts import LIBRARIES
from engine.dataset import Dataset
from engine.runtime import Run

OTHERS = ("polars", "scipy", "implicit", "safetensors")
"""Further packages that figures may hang on."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Command, data, run, versions and seeds."""

    command: str
    measured_at: str
    """ISO 8601, UTC."""
    dataset: str
    dataset_hash: str
    cut: str
    """ISO 8601, in the shop's zone: what the run learned lies before it, what is asked after."""
    run_id: str
    run_made_at: str
    training_seed: int
    resampling_seed: int
    """Of intervals, samples and tuning."""
    versions: tuple[tuple[str, str], ...]
    """Packages of this machine, as the figures were made."""
    trained_with: tuple[tuple[str, str], ...]
    """Those of the training."""
    machine: str

    @classmethod
    def of(cls, dataset: Dataset, run: Run, command: str) -> Provenance:
        """Gather it."""
        manifest = run.manifest
        names = dict.fromkeys((*LIBRARIES, *OTHERS))
        return cls(
            command=command,
            measured_at=datetime.now(UTC).isoformat(timespec="seconds"),
            dataset=dataset.settings.name,
            dataset_hash=dataset.hash,
            cut=run.as_of.astimezone(run.zone).isoformat(),
            run_id=manifest.run_id,
            run_made_at=manifest.created_at,
            training_seed=int(manifest.settings.get("seed", 0)),
            resampling_seed=0,
            versions=tuple((name, _version(name)) for name in names),
            trained_with=tuple(sorted(manifest.versions.items())),
            machine=f"Python {platform.python_version()}, {platform.system()} {platform.machine()}",
        )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
