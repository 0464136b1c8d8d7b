"""MovieLens: ratings of films by GroupLens, with posters where somebody has them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from engine.dataset import DatasetSettings
from engine.ingest.mapping import Mapping, PictureColumn, TableMapping
from engine.ingest.presets.preset import Form, Preset
from engine.ingest.presets.shelf import Shelf
from engine.ingest.readers import LINE

_SETTINGS = DatasetSettings(
    name="MovieLens",
    terms=(
        "GroupLens: research use, acknowledged in publications; no commercial use without "
        "permission. 100K, 1M, 10M and 20M are not passed on without permission; latest and 32M "
        "under the same terms only. Posters belong to the studios."
    ),
    attribution=(
        "F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and "
        "Context. ACM TiiS 5, 4. doi.org/10.1145/2827872"
    ),
)
_NO_GENRES = ("(no genres listed)", "unknown")
_DECADE = r"\((\d{3})\d\)\s*$"
_KINDS = {"kind": "rating"}
_RATINGS = ("userId", "movieId", "rating", "timestamp")
_EVENT_COLUMNS = {
    "user_id": "userId",
    "item_id": "movieId",
    "value": "rating",
    "timestamp": "timestamp",
}
_ITEMS = TableMapping(
    files="movies.csv",
    columns={
        "item_id": "movieId",
        "title": "title",
        "categories": "category",
        "attributes": "attributes",
    },
)
_GENRES = TableMapping(
    files="movies.csv", columns={"head": "head", "relation": "relation", "tail": "tail"}
)
_GENRES_OF_100K = (
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)
_COLUMNS_OF_100K = ("movieId", "title", "released", "video", "url", *_GENRES_OF_100K)


def _films(shelf: Shelf) -> tuple[Path, pl.LazyFrame]:
    """``movieId``, ``title`` and ``genres`` (list), whichever file tells them."""
    for pattern in ("movies.csv", "movies_items.parquet"):
        if path := next(iter(shelf.all(pattern)), None):
            films = shelf.table(pattern, ("movieId", "title", "genres"))
            return path, films.with_columns(pl.col("genres").str.split("|"))
    if path := next(iter(shelf.all("movies.dat")), None):
        films = _cells(path, "::", ("movieId", "title", "genres")).lazy()
        return path, films.with_columns(pl.col("genres").str.split("|"))
    path = shelf.one("u.item")
    films = _cells(path, "|", _COLUMNS_OF_100K).lazy()
    flags = [pl.when(pl.col(name) == "1").then(pl.lit(name)) for name in _GENRES_OF_100K]
    return path, films.with_columns(genres=pl.concat_list(flags).list.drop_nulls())


def _cells(path: Path, separator: str, columns: tuple[str, ...]) -> pl.DataFrame:
    """The older files: no header, no quotes; short lines get nulls."""
    parts = pl.Series("parts", _lines(path), dtype=pl.String).str.split(separator)
    cells = [parts.list.get(at, null_on_oob=True).alias(name) for at, name in enumerate(columns)]
    return pl.DataFrame(cells).with_row_index(LINE, offset=1)


def _lines(path: Path) -> list[str]:
    """10M is UTF-8; 100K and 1M write Latin letters in one byte, which are no UTF-8."""
    content = path.read_bytes()
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []


def _items(shelf: Shelf) -> Iterator[tuple[Path, pl.LazyFrame]]:
    path, films = _films(shelf)
    first = pl.col("genres").list.first()
    yield (
        path,
        films.select(
            LINE,
            pl.col("movieId").cast(pl.String),
            "title",
            category=pl.when(~first.is_in(_NO_GENRES)).then(first),
            attributes=pl.struct(decade=pl.col("title").str.extract(_DECADE) + "0s"),
        ),
    )


def _facts(shelf: Shelf) -> Iterator[tuple[Path, pl.LazyFrame]]:
    path, films = _films(shelf)
    genres = films.explode("genres").filter(~pl.col("genres").is_in(_NO_GENRES))
    yield (
        path,
        genres.select(
            LINE,
            head=pl.format("item:{}", pl.col("movieId").cast(pl.String)),
            relation=pl.lit("in_genre"),
            tail=pl.col("genres"),
        ),
    )


def _colon_ratings(shelf: Shelf) -> Iterator[tuple[Path, pl.LazyFrame]]:
    path = shelf.one("ratings.dat")
    yield path, _cells(path, "::", _RATINGS).lazy()


def _mapping(events: TableMapping, films: str, posters: str | PictureColumn) -> Mapping:
    return Mapping(
        settings=_SETTINGS,
        items=_ITEMS.model_copy(update={"files": films}),
        triples=_GENRES.model_copy(update={"files": films}),
        events=events,
        picture_files=posters if isinstance(posters, str) else None,
        picture_column=posters if isinstance(posters, PictureColumn) else None,
    )


_POSTERS = "posters/{item_id}.*"
_POSTER_COLUMN = PictureColumn(files="movies_items.parquet", item_id="movieId", column="poster")
_MAKE = {"items": _items, "triples": _facts}
_CSV = TableMapping(files="ratings.csv", columns=_EVENT_COLUMNS, constants=_KINDS)
_DAT = TableMapping(files="ratings.dat", columns=_EVENT_COLUMNS, constants=_KINDS)
_TABBED = TableMapping(
    files="u.data",
    format="csv",
    delimiter="\t",
    header=_RATINGS,
    columns=_EVENT_COLUMNS,
    constants=_KINDS,
)
_PARQUET = TableMapping(
    files="movies_ratings.parquet",
    columns={**_EVENT_COLUMNS, "user_id": "user_id", "item_id": "movie_id"},
    constants=_KINDS,
)

MOVIELENS = Preset(
    name="movielens",
    origin="grouplens.org/datasets/movielens",
    forms=(
        Form(
            "latest, latest-small, 20M, 25M, 32M",
            _mapping(_CSV, "movies.csv", _POSTERS),
            make=_MAKE,
        ),
        Form(
            "1M, 10M",
            _mapping(_DAT, "movies.dat", _POSTERS),
            make={**_MAKE, "events": _colon_ratings},
        ),
        Form("100K", _mapping(_TABBED, "u.item", _POSTERS), make=_MAKE),
        Form(
            "as Parquet, posters in a column",
            _mapping(_PARQUET, "movies_items.parquet", _POSTER_COLUMN),
            make=_MAKE,
        ),
    ),
    notes=(
        "A film's category is its first genre; all its genres are triples.",
        "Posters are taken from a folder 'posters' beside the files, named by movieId.",
    ),
)
