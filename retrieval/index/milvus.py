"""Milvus behind the index protocol: a Lite file on one machine, or a cluster by its URI."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from retrieval.index.answers import cut, joined, only, tied_beyond
from retrieval.index.base import (
    Allowed,
    IndexMeta,
    IndexStats,
    Neighbours,
    Rows,
    Vectors,
    as_allowed,
    checked_addition,
    checked_k,
    checked_rows,
    checked_update,
    checked_vectors,
    nothing_found,
    present,
)
from retrieval.index.exact import search_all
from retrieval.index.milvus_place import MilvusKind, MilvusPlace
from retrieval.index.stats import SearchPath, SearchTally

try:
    from pymilvus import DataType, MilvusClient, MilvusException  # type: ignore[import-untyped]
except ImportError as error:
    raise ImportError(
        "Milvus needs the packages pymilvus and milvus-lite: pip install 'vitrine-rec[scale]'"
    ) from error

KIND = "milvus"
TOKEN_VARIABLE = "VITRINE_MILVUS_TOKEN"  # noqa: S105 - the name of a variable
TIMEOUT_S = 10.0
MOST_ANSWERS = 16_384
"""Milvus refuses to answer more rows to one query."""
GATHER_UP_TO = 1024
"""Filters of so few rows are answered by fetching their vectors and comparing all."""
_STRONG = "Strong"
_ROW, _VECTOR = "row", "vector"
_TIED = 16
"""Answers beyond k that are asked for, to settle ties at the last place by row."""
_QUERIES_AT_ONCE = 256
_IDS_AT_ONCE = 10_000
_ADDED_BYTES_AT_ONCE = 8 << 20
_FLUSH_FROM = 2000
_LINKS, _BUILD_BREADTH, _LEAST_BREADTH, _MOST_BREADTH = 32, 200, 256, 32_768


class MilvusError(RuntimeError):
    """Milvus could not be reached, or refused."""


class MilvusIndex:
    """A Milvus collection; exact when flat, or when a filter leaves few rows.

    The collection is shared and live: whoever opens it sees every change at once, and
    :meth:`save` writes down where it is, not what it holds. See
    :class:`retrieval.index.base.VectorIndex` for what each method promises.
    """

    def __init__(
        self,
        dim: int,
        place: MilvusPlace,
        *,
        token: str | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """Attach to the collection, which is made if it is not there.

        Args:
            dim: Width D of the vectors.
            place: Where the collection is.
            token: ``user:password`` or an API key; by default the environment variable
                ``VITRINE_MILVUS_TOKEN``. It is never saved.
            timeout_s: How long to wait for the server when connecting.

        Raises:
            MilvusError: Milvus cannot be reached, or refuses.
            ValueError: The collection is there with vectors of another width.
        """
        self._dim, self._place = dim, place
        self._tally, self._writing = SearchTally(), Lock()
        if place.is_lite:
            Path(place.uri).parent.mkdir(parents=True, exist_ok=True)
        with _clear_errors(place, "connect"):
            secret = token or os.environ.get(TOKEN_VARIABLE, "")
            self._client = MilvusClient(place.uri, token=secret, timeout=timeout_s)
            if not self._client.has_collection(place.collection):
                _create(self._client, place, dim)
            self._client.load_collection(place.collection)
            self._kind = _kind_of(self._client, place)
            held = _dim_of(self._client, place)
        if held != dim:
            raise ValueError(
                f"{place.collection} at {place.uri}: got a collection of width {held}, expected "
                f"{dim}; choose another name, or drop the collection"
            )

    @classmethod
    def open(cls, folder: Path, *, token: str | None = None) -> MilvusIndex:
        """Attach to the collection that :meth:`save` wrote down.

        Raises:
            IndexFormatError: The folder names no collection, or one that is gone.
            MilvusError: Milvus cannot be reached, or refuses.
        """
        return cls(IndexMeta.read(folder).dim, MilvusPlace.read(folder), token=token)

    @property
    def dim(self) -> int:
        """Width D of the vectors."""
        return self._dim

    @property
    def place(self) -> MilvusPlace:
        """Where the collection is."""
        return self._place

    def __len__(self) -> int:
        with _clear_errors(self._place, "count"):
            answer = self._query(filter="", output_fields=["count(*)"])
        return int(answer[0]["count(*)"])

    def add(self, rows: Rows, vectors: Vectors) -> None:
        """Put vectors ``[n, D]`` in; a row that is there already gets the new vector."""
        rows, vectors = checked_addition(rows, vectors, self._dim)
        with self._writing:
            self._put(rows, vectors)

    def update(self, rows: Rows, vectors: Vectors) -> None:
        """Give rows that are there new vectors ``[n, D]``; a stranger is refused."""
        rows, vectors = checked_addition(rows, vectors, self._dim)
        with self._writing:
            checked_update(rows, present(self._held(rows), rows))
            self._put(rows, vectors)

    def remove(self, rows: Rows) -> int:
        """Take rows ``[n]`` out and return how many were there."""
        with self._writing:
            leaving = self._held(np.unique(checked_rows(rows)))
            with _clear_errors(self._place, "remove"):
                for ids in _portions(leaving, _IDS_AT_ONCE):
                    self._client.delete(self._place.collection, ids=ids)
        return len(leaving)

    def search(
        self, queries: Vectors, k: int, *, allowed: Rows | Allowed | None = None
    ) -> Neighbours:
        """The best ``k`` rows for queries ``[Q, D]``; exact when flat or narrowly filtered.

        Raises:
            MilvusError: Milvus cannot be reached, or refuses.
            ValueError: The arguments are not as the protocol says, or more answers are asked for
                and held than Milvus gives.
        """
        queries, k = checked_vectors(queries, self._dim, "queries"), checked_k(k)
        if k > MOST_ANSWERS and len(self) > MOST_ANSWERS:
            raise ValueError(f"k: got {k}, expected at most {MOST_ANSWERS}: Milvus gives no more")
        if allowed is None:
            self._tally.add(SearchPath.ALL, len(queries))
            return self._nearest(queries, k)
        rows = as_allowed(allowed).rows
        if len(rows) <= GATHER_UP_TO:
            self._tally.add(SearchPath.EXACT_SUBSET, len(queries))
            held, vectors = self._fetch(rows)
            return search_all(held, vectors, queries, k)
        self._tally.add(SearchPath.SELECTOR, len(queries))
        return self._nearest_among(queries, k, rows)

    def stats(self) -> IndexStats:
        """Its size and how its searches went; the memory of a cluster is not known here."""
        kind = f"{KIND}-{self._kind.lower()}"
        each = 4 * self._dim + 8 if self._kind is MilvusKind.FLAT else float("nan")
        return IndexStats(kind, len(self), self._dim, each, searches=self._tally.counts())

    def save(self, folder: Path) -> None:
        """Make the changes lasting and write ``milvus.json``, where the collection is."""
        with _clear_errors(self._place, "flush"):
            self._client.flush(self._place.collection)
        replace(self._place, kind=self._kind).write(folder)
        IndexMeta(KIND, self._dim, len(self)).write(folder)

    def drop(self) -> None:
        """Delete the collection with all that it holds; the index is of no use afterwards."""
        with _clear_errors(self._place, "drop"):
            self._client.drop_collection(self._place.collection)

    @property
    def _is_graph(self) -> bool:
        return self._kind is not MilvusKind.FLAT

    def _put(self, rows: Rows, vectors: Vectors) -> None:
        step = max(1, _ADDED_BYTES_AT_ONCE // (4 * self._dim + 8))
        with _clear_errors(self._place, "add"):
            for start in range(0, len(rows), step):
                part = slice(start, start + step)
                pairs = zip(rows[part].tolist(), vectors[part], strict=True)
                self._client.upsert(
                    self._place.collection, [{_ROW: row, _VECTOR: vector} for row, vector in pairs]
                )
            if self._place.is_lite and len(rows) >= _FLUSH_FROM:
                # Lite compares what is not flushed in Python; a cluster flushes by itself.
                self._client.flush(self._place.collection)

    def _query(self, **arguments: object) -> Any:  # noqa: ANN401 - pymilvus has no types
        return self._client.query(self._place.collection, consistency_level=_STRONG, **arguments)

    def _held(self, rows: Rows) -> Rows:
        """Which of the rows ``[n]`` are there: ascending."""
        found: list[int] = []
        with _clear_errors(self._place, "look up"):
            for ids in _portions(rows, _IDS_AT_ONCE):
                found.extend(hit[_ROW] for hit in self._query(ids=ids, output_fields=[_ROW]))
        return np.sort(np.array(found, np.int64))

    def _fetch(self, rows: Rows) -> tuple[Rows, Vectors]:
        """Those of the rows that are there, ascending ``[n]``, and their vectors ``[n, D]``."""
        if not len(rows):
            return rows, np.zeros((0, self._dim), np.float32)
        with _clear_errors(self._place, "fetch"):
            hits = self._query(ids=rows.tolist(), output_fields=[_ROW, _VECTOR])
        held = np.array([hit[_ROW] for hit in hits], np.int64)
        vectors = np.array([hit[_VECTOR] for hit in hits], np.float32).reshape(-1, self._dim)
        order = np.argsort(held)
        return held[order], vectors[order]

    def _nearest_among(self, queries: Vectors, k: int, rows: Rows) -> Neighbours:
        """The best ``k`` of many allowed rows ``[A]``."""
        wanted = min(k, len(rows))
        wide = 2 * wanted * max(1, len(self)) // len(rows) + _TIED
        if len(rows) > _IDS_AT_ONCE and wide <= MOST_ANSWERS:
            # What is left of a longer list is exact as far as it goes, and cheaper than ids.
            found = only(self._nearest(queries, wide), rows)
            if found.valid[:, :k].sum() == len(queries) * wanted:
                return cut(found, k)
        found = nothing_found(len(queries), k)
        for ids in _portions(rows, _IDS_AT_ONCE):
            # A graph passes by what a filter leaves out: to meet as many, it must look further.
            breadth = _LEAST_BREADTH * max(1, len(self) // len(ids)) if self._is_graph else 0
            part = self._nearest(queries, k, f"{_ROW} in {ids}", breadth)
            found = cut(joined(found, part), k)
        return found

    def _nearest(
        self, queries: Vectors, k: int, expression: str = "", breadth: int = _LEAST_BREADTH
    ) -> Neighbours:
        """The best ``k`` rows that satisfy an expression of Milvus, ties by ascending row."""
        limit = min(k + _TIED, MOST_ANSWERS)
        while True:
            widest = min(max(breadth, 2 * limit), _MOST_BREADTH)
            found = self._ask(queries, limit, expression, widest)
            if limit < MOST_ANSWERS and tied_beyond(found, k):
                limit = min(2 * limit, MOST_ANSWERS)
            elif self._is_graph and widest < _MOST_BREADTH and not found.valid[:, :k].all():
                breadth = _MOST_BREADTH
            else:
                return cut(found, k)

    def _ask(self, queries: Vectors, limit: int, expression: str, breadth: int) -> Neighbours:
        found = nothing_found(len(queries), limit)
        with _clear_errors(self._place, "search"):
            for start in range(0, len(queries), _QUERIES_AT_ONCE):
                answers = self._client.search(
                    self._place.collection,
                    data=queries[start : start + _QUERIES_AT_ONCE],
                    limit=limit,
                    filter=expression,
                    output_fields=[_ROW],
                    search_params={"params": _breadth(self._kind, breadth)},
                    consistency_level=_STRONG,
                )
                for at, hits in enumerate(answers, start):
                    found.rows[at, : len(hits)] = [hit[_ROW] for hit in hits]
                    found.scores[at, : len(hits)] = [hit["distance"] for hit in hits]
                    found.valid[at, : len(hits)] = True
        return cut(found, limit)


@contextmanager
def _clear_errors(place: MilvusPlace, doing: str) -> Iterator[None]:
    try:
        yield
    except MilvusException as error:
        raise MilvusError(
            f"{doing}: Milvus at {place.uri} (collection {place.collection}) says: "
            f"{error.message}; see that it runs and that {TOKEN_VARIABLE} holds its token"
        ) from error


def _create(client: MilvusClient, place: MilvusPlace, dim: int) -> None:
    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field(_ROW, DataType.INT64, is_primary=True)
    schema.add_field(_VECTOR, DataType.FLOAT_VECTOR, dim=dim)
    client.create_collection(place.collection, schema=schema, consistency_level=_STRONG)
    index = client.prepare_index_params()
    built = {"M": _LINKS, "efConstruction": _BUILD_BREADTH}
    index.add_index(
        _VECTOR,
        index_type=place.kind.value,
        metric_type="IP",
        params=built if place.kind is MilvusKind.HNSW else {},
    )
    client.create_index(place.collection, index, sync=False)


def _kind_of(client: MilvusClient, place: MilvusPlace) -> MilvusKind:
    found = client.describe_index(place.collection, _VECTOR)
    return MilvusKind(found["index_type"])


def _dim_of(client: MilvusClient, place: MilvusPlace) -> int:
    for column in client.describe_collection(place.collection)["fields"]:
        if column["name"] == _VECTOR:
            return int(column["params"]["dim"])
    return 0


def _breadth(kind: MilvusKind, breadth: int) -> dict[str, int]:
    """How widely to search, in the words of each kind."""
    if kind is MilvusKind.FLAT:
        return {}
    return {"ef" if kind is MilvusKind.HNSW else "search_list": breadth}


def _portions(rows: Rows, size: int) -> Iterator[list[int]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size].tolist()
