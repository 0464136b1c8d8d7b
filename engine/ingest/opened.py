"""Files found by their patterns, and opened as they lie there, also those that gzip packed."""

from __future__ import annotations

import glob
import gzip
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from engine.errors import DataError

PACKED = ".gz"


def found_files(patterns: Iterable[str]) -> list[Path]:
    """The files that paths and patterns stand for, those of each pattern sorted.

    Raises:
        DataError: A file is not there, a folder is in its place, or a pattern finds none.
    """
    found: list[Path] = []
    for pattern in patterns:
        path = Path(pattern).expanduser()
        matches = [path] if path.is_file() else sorted(map(Path, glob.glob(str(path))))
        files = [match for match in matches if match.is_file()]
        if not files:
            raise DataError(_not_found(path))
        found += files
    return found


def _not_found(path: Path) -> str:
    if not path.is_dir():
        return f"no file {str(path)!r}: mend the path, or give another file"
    names = sorted(child.name for child in path.iterdir() if child.is_file())
    suffixes = [bare_suffix(Path(name)) for name in names]
    example = path / (f"*{max(suffixes, key=suffixes.count)}" if suffixes else "*.csv")
    there = f"has {', '.join(names[:3])}" if names else "has no files"
    return f"{path} is a folder and {there}: give one file, or a pattern such as '{example}'"


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a file, unpacked while they are read.

    Raises:
        DataError: The file cannot be opened, or what gzip packed is damaged or cut off.
    """
    try:
        with cast("BinaryIO", gzip.open(path) if is_packed(path) else path.open("rb")) as file:
            yield file
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path} is damaged ({error}): download it again") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def is_packed(path: Path) -> bool:
    """Whether the name says that gzip packed the file."""
    return path.suffix.lower() == PACKED


def bare_suffix(path: Path) -> str:
    """The suffix in small letters, that of the unpacked file: ``.csv`` of ``sales.CSV.gz``."""
    return (path.with_suffix("") if is_packed(path) else path).suffix.lower()
