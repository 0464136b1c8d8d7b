"""What a look at drift found, as ``vitrine drift`` leaves it and a server's metrics show it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.errors import DataError

DRIFT_FILE = "drift.json"


@dataclass(frozen=True, slots=True)
class Shift:
    """How far one thing moved."""

    what: str
    psi: float | None
    """None where too little was seen to tell."""
    n: int
    """Values that were seen."""


@dataclass(frozen=True, slots=True)
class HitRate:
    """How many lists of a window led to an event."""

    name: str
    lists: int
    hits: int

    @property
    def rate(self) -> float:
        """0 where no list was shown."""
        return self.hits / self.lists if self.lists else 0.0


@dataclass(frozen=True, slots=True)
class Drift:
    """What was found."""

    run_id: str
    days: float
    lists: int
    shifts: tuple[Shift, ...]
    """The channels, then the features, the farthest first."""
    hit_rates: tuple[HitRate, ...]
    """Of the window, and of one as long before it."""


def write_drift(found: Drift, folder: Path) -> Path:
    """Leave it where a server shows it among its metrics."""
    path = folder / DRIFT_FILE
    draft = path.with_name(f".{DRIFT_FILE}-{os.getpid()}")
    draft.write_text(json.dumps(asdict(found), indent=2) + "\n", "utf-8")
    draft.replace(path)
    return path


def read_drift(path: Path) -> Drift:
    """What :func:`write_drift` left.

    Raises:
        DataError: It is missing or damaged.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
        shifts = tuple(Shift(**one) for one in found.pop("shifts"))
        rates = tuple(HitRate(**one) for one in found.pop("hit_rates"))
        return Drift(**found, shifts=shifts, hit_rates=rates)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}): run `vitrine drift` again") from error
