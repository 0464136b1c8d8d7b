"""Where a Milvus collection is: said without Milvus, so that it can be read without it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from retrieval.index.base import IndexFormatError, replacing

PLACE_FILE = "milvus.json"


class MilvusKind(StrEnum):
    """How Milvus searches a collection."""

    FLAT = "FLAT"
    """Every vector is compared: exact."""
    HNSW = "HNSW"
    """A graph in memory."""
    DISKANN = "DISKANN"
    """A graph on disk with codes in memory; clusters only."""


@dataclass(frozen=True, slots=True)
class MilvusPlace:
    """Where a collection is."""

    uri: str
    """A path that ends in ``.db`` for Milvus Lite, or such as ``http://milvus:19530``."""
    collection: str
    """Its name: letters, digits and underscores."""
    kind: MilvusKind = MilvusKind.FLAT
    """Of a collection that is yet to be made."""

    @property
    def is_lite(self) -> bool:
        """Whether this is a file of this machine."""
        return self.uri.endswith(".db")

    def write(self, folder: Path) -> None:
        """Write ``milvus.json``; the path of a file is made absolute."""
        fields = asdict(self)
        if self.is_lite:
            fields["uri"] = str(Path(self.uri).resolve())
        with replacing(folder / PLACE_FILE) as path:
            path.write_text(json.dumps(fields, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> MilvusPlace:
        """Read ``milvus.json``.

        Raises:
            IndexFormatError: It is missing or unreadable, or the file that it names is gone.
        """
        path = folder / PLACE_FILE
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            place = cls(fields["uri"], fields["collection"], MilvusKind(fields["kind"]))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IndexFormatError(
                f"{path}: got no readable place of a collection ({error}), expected what "
                "MilvusIndex.save writes; save the index again"
            ) from error
        if place.is_lite and not Path(place.uri).exists():
            raise IndexFormatError(f"{path}: {place.uri} is gone; build the index again")
        return place
