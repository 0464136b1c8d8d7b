"""Everything that Vitrine raises on purpose.

VitrineError
├── DataError            the shop's files or tables are not what they must be
│   ├── MappingError     a column mapping names something that is not there
│   ├── UnknownIdError   an id that no table holds
│   └── WithdrawnError   an item that is no longer offered
├── RunError             a run folder cannot be used
│   ├── ManifestError    a file is missing, altered, or of another format
│   └── ProbeError       the encoder no longer gives the vectors of the run
├── SceneError           a scene field cannot be understood
└── MissingExtraError    an optional package is not installed (also an ImportError)

Catch the family with ``except VitrineError``. Every message says what was got, what was
expected and how to mend it.
"""

from __future__ import annotations


class VitrineError(Exception):
    """Base of the family."""


class DataError(VitrineError, ValueError):
    """The shop's files or tables are not what they must be."""


class MappingError(DataError):
    """A column mapping names something that is not there."""


class UnknownIdError(DataError):
    """An id that no table holds.

    Attributes:
        kind: What the id should name, such as ``"item"``.
        value: The id as it was given.
    """

    def __init__(self, kind: str, value: str) -> None:
        super().__init__(f"unknown {kind} {value!r}: no such {kind} in this run")
        self.kind = kind
        self.value = value


class WithdrawnError(DataError):
    """An item that is no longer offered.

    Attributes:
        item_id: Its id.
    """

    def __init__(self, item_id: str) -> None:
        super().__init__(f"item {item_id!r} was withdrawn: offer it again with add_item")
        self.item_id = item_id


class RunError(VitrineError):
    """A run folder cannot be used."""


class ManifestError(RunError):
    """A file of the run is missing, altered, or of another format."""


class ProbeError(RunError):
    """The encoder no longer gives the vectors that the run was trained with."""


class SceneError(VitrineError, ValueError):
    """A scene field cannot be understood.

    Attributes:
        field: The name of the field at fault.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"scene.{field}: {message}")
        self.field = field


class MissingExtraError(VitrineError, ImportError):
    """An optional package is not installed.

    Attributes:
        extra: The extra of the ``vitrine-rec`` distribution that brings the package.
    """

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed: pip install 'vitrine-rec[{extra}]'")
        self.extra = extra
