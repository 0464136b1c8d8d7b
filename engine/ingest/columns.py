"""Which column of a file fills which column of a table, and the filling."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping as MappingABC
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from engine.dataset import REQUIRED, SCHEMAS
from engine.errors import MappingError
from engine.ingest import values
from engine.ingest.mapping import TableMapping
from engine.ingest.readers import LINE

_DELIMITERS = (";", "\t", "|", ",")
"""Such as stand between cells, the likeliest first where it is not the one that was said."""
_LIKE = 0.75
"""How alike a column's name must be for a guess, of 1."""
FILE = "file:"
"""Prefix of the file's own columns in a filled frame: no table has a column of such a name."""

ALIASES: MappingABC[str, tuple[str, ...]] = {
    "user_id": ("user", "customer_id", "customer", "household_id", "visitor_id", "client_id"),
    "item_id": ("item", "product_id", "product", "sku", "stock_code", "article_id", "asin"),
    "kind": ("event", "event_type", "event_kind", "behavior", "action", "type"),
    "timestamp": ("time", "datetime", "date", "event_time", "invoice_date", "ts", "created_at"),
    "value": ("quantity", "qty", "rating", "stars"),
    "session_id": ("session", "basket_id", "order_id", "invoice_no", "invoice", "visit_id"),
    "place": ("store", "store_id", "shop", "site", "country"),
    "title": ("name", "product_name", "item_name", "product_title"),
    "description": ("desc", "details", "detail_desc", "text"),
    "categories": ("category", "category_path", "department", "genres"),
    "brand": ("manufacturer", "maker", "vendor"),
    "price": ("unit_price", "list_price", "retail_price"),
    "image": ("image_url", "picture", "photo", "img", "image_path"),
    "images": ("image_urls", "pictures", "photos", "additional_images", "image_paths"),
    "available": ("in_stock", "active"),
    "attributes": ("features", "properties"),
    "head": ("subject", "source"),
    "relation": ("predicate", "edge"),
    "tail": ("object", "target"),
    "starts_at": ("start", "start_date", "from"),
    "ends_at": ("end", "end_date", "until"),
}
"""Other names of our columns, the likeliest first; case and punctuation do not count."""


@dataclass(frozen=True, slots=True)
class Filling:
    """How one file fills one table."""

    table: str
    path: Path
    mapping: TableMapping
    zone: str
    """IANA zone of times that do not say theirs."""
    columns: MappingABC[str, tuple[str, ...]]
    """Column of the table: columns of the file."""

    def sources(self) -> list[str]:
        """Every column of the file that is read, without repetition."""
        filled = [name for names in self.columns.values() for name in names]
        return list(dict.fromkeys([*filled, *(test.column for test in self.mapping.where)]))


def plan_filling(
    table: str, path: Path, mapping: TableMapping, targets: Sequence[str], available: Sequence[str]
) -> MappingABC[str, tuple[str, ...]]:
    """Columns of a file for the columns of a table, as mapped or by name.

    Raises:
        MappingError: The mapping names a column that the file lacks, or none can be found for a
            column that every row must fill.
    """
    if mapping.columns is None:
        columns = _by_name(targets, available)
    else:
        columns = {
            name: (source,) if isinstance(source, str) else source
            for name, source in mapping.columns.items()
        }
    columns = {name: source for name, source in columns.items() if name not in mapping.constants}
    named = [(f"{table}.{name}", source) for name, names in columns.items() for source in names]
    named += [(f"{table}.where", test.column) for test in mapping.where]
    for purpose, source in named:
        if source not in available:
            raise MappingError(
                f"{path}: no column {source!r} for {purpose}; {_hint(source, available)}"
            )
    for name in REQUIRED[table]:
        if name not in columns and name not in mapping.constants:
            looked = (name, *ALIASES.get(name, ()))
            how = "; --kind says it where all are of one kind" if name == "kind" else ""
            raise MappingError(
                f"{path}: no column for {table}.{name} (looked for {', '.join(looked)}); the file "
                f"has {', '.join(available)}{_guess(looked, available, columns)}. Rename it, or "
                f"in a mapping name it under columns or set it under constants{how}"
            )
    return columns


def fill(rows: pl.DataFrame, filling: Filling) -> pl.DataFrame:
    """The table's columns beside the file's own, which are prefixed with :data:`FILE`.

    Cells that are empty or do not fit are null in the table's column.

    Raises:
        MappingError: A whole column is of a kind that cannot fit.
    """
    filled = [rows[name].alias(f"{FILE}{name}") for name in rows.columns if name != LINE]
    for name, sources in filling.columns.items():
        cells = [rows[source] for source in sources]
        try:
            filled.append(_values(name, cells, filling).alias(name))
        except pl.exceptions.PolarsError as error:
            kinds = ", ".join(f"{cell.name} ({cell.dtype})" for cell in cells)
            raise MappingError(
                f"{filling.path}: {kinds} cannot fill {filling.table}.{name}: {error}"
            ) from error
    for name, constant in filling.mapping.constants.items():
        cells = [pl.Series(name, [constant]).new_from_index(0, len(rows))]
        filled.append(_values(name, cells, filling).alias(name))
    return pl.DataFrame([rows[LINE], *filled])


def _values(name: str, cells: list[pl.Series], filling: Filling) -> pl.Series:
    mapping = filling.mapping
    dtype = SCHEMAS[filling.table].get(name) or SCHEMAS["items"][name]
    first = cells[0]
    if name == "categories":
        return values.names_of(cells) if len(cells) > 1 else _path(first, mapping)
    if name == "images":
        return values.names_of(cells) if len(cells) > 1 else values.pictures(first)
    if name == "attributes":
        return values.pairs_of(cells) if len(cells) > 1 else values.pairs(first)
    if dtype == pl.Float64:
        return values.number(first)
    if dtype == pl.Boolean:
        return values.flag(first)
    if isinstance(dtype, pl.Datetime):
        return values.moment(first, filling.zone, mapping.timestamp_format)
    return _text(name, first, mapping)


def _path(cells: pl.Series, mapping: TableMapping) -> pl.Series:
    return values.names(cells, mapping.categories_separator)


def _text(name: str, cells: pl.Series, mapping: TableMapping) -> pl.Series:
    written = values.text(cells)
    if name in mapping.clean:
        written = values.cleaned(written, mapping.clean[name])
    if name == "kind":
        return written.replace(mapping.kinds).str.to_lowercase()
    return written


def _by_name(targets: Sequence[str], available: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Exact names first, so that no alias takes a column that another target is named after."""
    plain = {_plain(name): name for name in reversed(available)}
    columns: dict[str, tuple[str, ...]] = {
        name: (plain[_plain(name)],) for name in targets if _plain(name) in plain
    }
    taken = {source for sources in columns.values() for source in sources}
    for name in targets:
        for alias in ALIASES.get(name, ()):
            source = plain.get(_plain(alias))
            if name not in columns and source is not None and source not in taken:
                columns[name] = (source,)
                taken.add(source)
    return columns


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()


def _hint(wrong: str, available: Sequence[str]) -> str:
    return f"the file has {', '.join(available)}{_guess((wrong,), available, {})}"


def _guess(
    looked: Sequence[str],
    available: Sequence[str],
    taken: MappingABC[str, tuple[str, ...]],
) -> str:
    """The likeliest mistake: another delimiter, or a name that was written otherwise."""
    cuts = [cut for cut in _DELIMITERS if len(available) == 1 and cut in available[0]]
    if cuts:
        return f" (alone: if {cuts[0]!r} cuts its cells, say delimiter in a mapping)"
    filled = {source for sources in taken.values() for source in sources}
    free = {_plain(name): name for name in available if name not in filled}
    for name in looked:
        near = difflib.get_close_matches(_plain(name), free, n=1, cutoff=_LIKE)
        if near:
            return f" (did you mean {free[near[0]]!r}?)"
    return ""
