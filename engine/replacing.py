"""A dataset's folder is replaced whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import DataError


@contextmanager
def replacing(target: Path, *, own: Collection[str], keep: str | None) -> Iterator[Path]:
    """A fresh folder that takes the target's place when the block ends without an error.

    Args:
        target: The folder; it may be absent.
        own: Names in it that may be lost.
        keep: Name of a folder in it that moves along.

    Raises:
        DataError: The target holds anything else, or is a file.
    """
    if target.is_file():
        raise DataError(f"{target} is a file, expected a folder: choose another name")
    if target.exists():
        strange = {path.name for path in target.iterdir()} - {*own, keep}
        if strange:
            raise DataError(
                f"{target} holds {min(strange)!r}, which is no part of a dataset: choose another "
                "folder, or empty this one"
            )
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        fresh.chmod(0o755)
        yield fresh
        _swap(fresh, target, keep)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _swap(fresh: Path, target: Path, keep: str | None) -> None:
    if not target.exists():
        fresh.rename(target)
        return
    old = fresh.with_name(f"{fresh.name}-old")
    target.rename(old)
    try:
        if keep and (old / keep).exists():
            (old / keep).rename(fresh / keep)
        fresh.rename(target)
    except OSError:
        if keep and (fresh / keep).exists():
            (fresh / keep).rename(old / keep)
        old.rename(target)
        raise
    shutil.rmtree(old)
