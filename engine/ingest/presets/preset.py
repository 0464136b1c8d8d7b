"""What a preset is: a known data set, the forms it comes in, and the terms it comes under."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from types import MappingProxyType

import polars as pl

from engine.dataset import DatasetSettings
from engine.errors import DataError
from engine.ingest.mapping import Mapping
from engine.ingest.presets.shelf import Shelf

Make = Callable[[Shelf], Iterator[tuple[Path, pl.LazyFrame]]]
"""Rows of a table where its file alone does not tell them: each part with the file that rejects
name. A column :data:`engine.ingest.readers.LINE` tells the line in it."""


@dataclass(frozen=True, slots=True)
class Form:
    """One way in which a data set is handed out."""

    told: str
    """For people: which download this is."""
    mapping: Mapping
    """Its files are patterns of a :class:`~engine.ingest.presets.shelf.Shelf`."""
    also: tuple[str, ...] = ()
    """Patterns of further files that must be there."""
    optional: frozenset[str] = frozenset()
    """Tables that are left out where their files are not there."""
    make: MappingABC[str, Make] = field(default_factory=lambda: MappingProxyType({}))
    """By table; rows of the others are read from their files as they are."""

    def files(self) -> tuple[str, ...]:
        """Patterns of the files that must be there."""
        tables = self.mapping.tables().items()
        needed = [part.patterns() for name, part in tables if name not in self.optional]
        return tuple(dict.fromkeys([*chain.from_iterable(needed), *self.also]))

    def missing(self, shelf: Shelf) -> list[str]:
        """Patterns that no file matches."""
        return [pattern for pattern in self.files() if not shelf.all(pattern)]


@dataclass(frozen=True, slots=True)
class Preset:
    """A data set that is known well enough to be read without a mapping."""

    name: str
    origin: str
    """Where people get it."""
    forms: tuple[Form, ...]
    """The likeliest first."""
    notes: tuple[str, ...] = ()
    """What was assumed where the files do not say."""
    hints: MappingABC[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Pattern of a file that cannot be read, and what to do about it."""

    @property
    def settings(self) -> DatasetSettings:
        """Name, zone and terms."""
        return self.forms[0].mapping.settings

    def form_of(self, shelf: Shelf) -> Form:
        """The form that a folder holds.

        Raises:
            DataError: It holds none whole; names the files that are missing.
        """
        for form in self.forms:
            if not form.missing(shelf):
                return form
        for pattern, advice in self.hints.items():
            if found := shelf.all(pattern):
                raise DataError(f"{found[0]} cannot be read by {self.name}: {advice}")
        nearest = min(self.forms, key=lambda form: len(form.missing(shelf)) / len(form.files()))
        lacking = ", ".join(nearest.missing(shelf))
        forms = "; ".join(f"{', '.join(form.files())} ({form.told})" for form in self.forms)
        raise DataError(
            f"{shelf.folder}: no file {lacking} for {self.name}; expected {forms}. "
            f"Get them from {self.origin} and unpack them there"
        )
