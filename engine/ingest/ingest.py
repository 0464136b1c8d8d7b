"""A shop's files become a dataset."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path

import polars as pl

from engine.dataset import REJECT_SCHEMA, SCHEMAS, conform, write_dataset
from engine.errors import DataError
from engine.ingest.checks import Known, duplicates, row_checks, sift
from engine.ingest.columns import Filling, fill, plan_filling
from engine.ingest.mapping import ITEM_COLUMNS, Mapping, TableMapping, file_format
from engine.ingest.opened import bare_suffix
from engine.ingest.picture_columns import unpack_pictures
from engine.ingest.pictures import PICTURES, gather_pictures
from engine.ingest.readers import LINE, VALUE_CHARS, Source, read_chunks, read_columns
from engine.ingest.report import IngestReport, TableReport, count_reasons, first_reasons
from engine.ingest.titles import readable_title
from engine.node_names import category_parents, stated_names
from engine.pseudonyms import USER_COLUMNS, Pseudonyms
from engine.triples import REASON, VALUE, judge

OnProgress = Callable[[str, int], None]
"""Called with a table's name and how many of its rows have been read."""

_FILE = "\x00file"


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A table after its checks."""

    rows: pl.DataFrame
    rejects: pl.DataFrame
    report: TableReport


def ingest(
    mapping: Mapping,
    folder: str | os.PathLike[str],
    *,
    files: MappingABC[str, str | os.PathLike[str]] | None = None,
    now: datetime | None = None,
    on_progress: OnProgress | None = None,
    pseudonyms: Pseudonyms | None = None,
) -> IngestReport:
    """Read a shop's files, check every row, and write a dataset.

    Rows that cannot be kept are written to ``rejects.parquet`` with file, line and reason, and
    counted in the report. The dataset is written only if every file could be read.

    Args:
        mapping: Which columns of which files fill the tables.
        folder: Where the dataset goes; an older dataset there is replaced.
        files: Other files than the mapping's, by table.
        now: Events after this moment are in the future; aware, by default the present.
        on_progress: Called as rows are read.
        pseudonyms: Stand for the users in every table; what was wrong with a row that may name
            one is then told without its value.

    Raises:
        MappingError: A column or a file that the mapping names is not there.
        DataError: A file is unreadable, not one row of a required table can be kept, or
            ``folder`` is a file.
    """
    mapping = mapping.with_files(files or {})
    if Path(folder).is_file():
        raise DataError(f"{folder} is a file: give the folder that the dataset goes into")
    moment = now or datetime.now(UTC)
    progress = on_progress or (lambda _table, _rows: None)
    loaded: dict[str, _Loaded] = {}
    item_ids: pl.Series | None = None
    for table in mapping.tables():
        loaded[table] = _load(mapping, table, Known(moment, item_ids, pseudonyms), progress)
        if table == "events" and mapping.items_from_events:
            loaded["items"] = _gather_items(loaded["events"].rows)
        if "items" in loaded:
            item_ids = loaded["items"].rows["item_id"]
    if "triples" in loaded:
        loaded["triples"] = _judged(loaded)
    ordered = {table: loaded[table] for table in SCHEMAS if table in loaded}
    if mapping.picture_files or mapping.picture_column:
        ordered |= _with_pictures(mapping, Path(folder), ordered["items"])
    _write(mapping, folder, ordered)
    return IngestReport(tuple(part.report for part in ordered.values()))


def _with_pictures(mapping: Mapping, folder: Path, items: _Loaded) -> dict[str, _Loaded]:
    """The items with their pictures, and the account of these."""
    kept_in = folder / (mapping.settings.pictures or PICTURES)
    if mapping.picture_column is not None:
        found = unpack_pictures(items.rows, mapping.picture_column, kept_in)
    else:
        found = gather_pictures(items.rows, str(mapping.picture_files), kept_in)
    n_kept = found.n_found - found.rejects.height
    report = TableReport(PICTURES, found.n_found, n_kept, count_reasons(found.rejects))
    pictures = _Loaded(pl.DataFrame(), found.rejects, report)
    return {"items": replace(items, rows=found.items), PICTURES: pictures}


def _write(
    mapping: Mapping, folder: str | os.PathLike[str], loaded: MappingABC[str, _Loaded]
) -> None:
    tables = {name: _table(loaded, name) for name in SCHEMAS if name in loaded}
    settings = mapping.settings
    if PICTURES in loaded:
        settings = settings.model_copy(update={"pictures": settings.pictures or PICTURES})
    write_dataset(
        folder,
        settings,
        items=_finished_items(tables["items"], mapping),
        events=tables.get("events", pl.DataFrame(schema=SCHEMAS["events"])),
        users=tables.get("users"),
        triples=tables.get("triples"),
        offers=tables.get("offers"),
        rejects=pl.concat([part.rejects for part in loaded.values()]),
    )


def _load(mapping: Mapping, table: str, known: Known, progress: OnProgress) -> _Loaded:
    """Read, fill and check every file of one table."""
    part = mapping.tables()[table]
    zone = part.time_zone or mapping.settings.time_zone
    kept: list[pl.DataFrame] = []
    rejects = [pl.DataFrame(schema=REJECT_SCHEMA)]
    read = 0
    for source in _sources(table, part):
        wanted = _wanted(part)
        available = read_columns(source, wanted)
        columns = plan_filling(table, source.path, part, mapping.targets(table), available)
        filling = Filling(table, source.path, part, zone, columns)
        for chunk in read_chunks(source, filling.sources()):
            filled = fill(chunk.rows, filling)
            checks = row_checks(filled, filling, known)
            good, bad = sift(filled, checks, table, source.name)
            turned_away = [chunk.rejects, bad]
            if known.pseudonyms is not None:
                good = known.pseudonyms.in_table(table, good)
                turned_away = [_unnamed(table, rows) for rows in turned_away]
            kept.append(_own_columns(good, filling, mapping, source.name))
            rejects += turned_away
            read += chunk.rows.height + chunk.rejects.height
            progress(table, read)
    return _account(table, part, kept, rejects, read)


def _unnamed(table: str, rejects: pl.DataFrame) -> pl.DataFrame:
    """Rejects without the values of a table that names users."""
    if table not in USER_COLUMNS:
        return rejects
    return rejects.with_columns(pl.lit(None, dtype=pl.String).alias("value"))


def _account(
    table: str,
    part: TableMapping,
    kept: list[pl.DataFrame],
    rejects: list[pl.DataFrame],
    read: int,
) -> _Loaded:
    rows = pl.concat(kept, how="diagonal") if kept else pl.DataFrame(schema=SCHEMAS[table])
    if kept:
        rows, twice = duplicates(rows, table, _FILE)
        rejects.append(twice)
    turned_away = pl.concat(rejects).sort("file", "line", maintain_order=True)
    reasons = count_reasons(turned_away)
    if rows.is_empty() and (table == "items" or read):
        files = ", ".join(part.told_as or map(str, part.paths()))
        why = first_reasons(reasons) or f"no rows in {files}: give the file that holds them"
        raise DataError(f"{table}: none of {read:,} rows can be kept: {why}")
    return _Loaded(rows, turned_away, TableReport(table, read, rows.height, reasons))


def _judged(loaded: MappingABC[str, _Loaded]) -> _Loaded:
    """The triples that the other tables bear out; only now are all of these known."""
    triples, items = loaded["triples"], conform("items", _table(loaded, "items"))
    users, events = _table(loaded, "users"), _table(loaded, "events")
    names = stated_names(items, users, events, _table(loaded, "offers"))
    judged = judge(triples.rows, names, category_parents(items))
    bad = judged.filter(pl.col(REASON).is_not_null()).select(
        pl.lit("triples").alias("table"),
        pl.col(_FILE).alias("file"),
        pl.col(LINE).alias("line"),
        pl.col(REASON),
        pl.col(VALUE).str.slice(0, VALUE_CHARS),
    )
    rejects = pl.concat([triples.rejects, bad.cast(REJECT_SCHEMA)])
    rejects = rejects.sort("file", "line", maintain_order=True)
    rows = triples.rows.filter(judged[REASON].is_null())
    read = triples.report.read
    report = TableReport("triples", read, rows.height, count_reasons(rejects))
    return _Loaded(rows, rejects, report)


def _table(loaded: MappingABC[str, _Loaded], name: str) -> pl.DataFrame:
    """The columns of a table that were filled; of one that was not read, none and no rows."""
    rows = loaded[name].rows if name in loaded else pl.DataFrame(schema=SCHEMAS[name])
    return rows.select(column for column in SCHEMAS[name] if column in rows.columns)


def _sources(table: str, part: TableMapping) -> list[Source]:
    sources = []
    for path, told_as in zip_longest(part.paths(), part.told_as, fillvalue=""):
        if not isinstance(path, Path):
            raise DataError(f"{table}: told_as names more files than there are: {told_as!r}")
        comma = "\t" if bare_suffix(path) == ".tsv" else ","
        delimiter = part.delimiter or comma
        form = file_format(path, part.format)
        sources.append(
            Source(table, path, form, delimiter, part.encoding, part.header, str(told_as))
        )
    return sources


def _wanted(part: TableMapping) -> set[str]:
    named: set[str] = {test.column for test in part.where}
    for source in (part.columns or {}).values():
        named.update([source] if isinstance(source, str) else source)
    return named


def _own_columns(good: pl.DataFrame, filling: Filling, mapping: Mapping, file: str) -> pl.DataFrame:
    """The table's columns, and where each row came from."""
    names = [name for name in mapping.targets(filling.table) if name in good.columns]
    return good.select(*names, LINE, pl.lit(file).alias(_FILE))


def _gather_items(events: pl.DataFrame) -> _Loaded:
    """One item for each id that the events name, in order of first appearance.

    The title is the most frequent one (of equals the first), or description where the file has
    no titles, or the id where nothing is said; the price is the median; anything else is the
    first that is given.

    Raises:
        DataError: There is no event.
    """
    given = [
        name for name in ITEM_COLUMNS if name in events.columns and name not in ("title", "price")
    ]
    each = [pl.col(name).drop_nulls().first() for name in given]
    if "price" in events.columns:
        each.append(pl.col("price").median())
    items = events.group_by("item_id", maintain_order=True).agg(*each)
    items = items.join(_titles(events), on="item_id", how="left", maintain_order="left")
    items = items.with_columns(pl.col("title").fill_null(pl.col("item_id")))
    if items.is_empty():
        raise DataError("items: the event files hold no rows, so that no item can be gathered")
    report = TableReport("items", items.height, items.height, gathered=True)
    return _Loaded(items, pl.DataFrame(schema=REJECT_SCHEMA), report)


def _titles(events: pl.DataFrame) -> pl.DataFrame:
    source = next((name for name in ("title", "description") if name in events.columns), None)
    if source is None:
        return pl.DataFrame(schema={"item_id": pl.String, "title": pl.String})
    return (
        events.filter(pl.col(source).is_not_null())
        .group_by("item_id", pl.col(source).alias("title"), maintain_order=True)
        .len()
        .sort("len", descending=True, maintain_order=True)
        .unique("item_id", keep="first", maintain_order=True)
        .select("item_id", "title")
    )


def _finished_items(items: pl.DataFrame, mapping: Mapping) -> pl.DataFrame:
    """Titles made readable on request, and the shop's currency where a price names none."""
    if mapping.readable_titles:
        readable = pl.col("title").map_elements(readable_title, return_dtype=pl.String)
        items = items.with_columns(readable)
    if "price" in items.columns and mapping.settings.currency:
        given = pl.col("currency") if "currency" in items.columns else pl.lit(None, dtype=pl.String)
        shop = pl.when(pl.col("price").is_not_null()).then(pl.lit(mapping.settings.currency))
        items = items.with_columns(given.fill_null(shop).alias("currency"))
    return items
