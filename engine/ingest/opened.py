"""Files opened as they lie there, also those that gzip packed."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from engine.errors import DataError

PACKED = ".gz"


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
