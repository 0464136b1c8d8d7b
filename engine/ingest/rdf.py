"""Triples out of RDF: Turtle, N-Triples, RDF/XML, JSON-LD, N3.

An IRI whose scheme is one of Vitrine's node types names that node: ``<item:sku-1>``,
``<category:Food%20%3E%20Bread>``. Any other IRI, and any literal, is an entity of that name. A
relation is called by the last part of its IRI; ``skos:broader`` and ``rdfs:subClassOf`` are
``subcategory_of``.

Only N-Triples have one statement a line; of the other formats the "line" of a reject is the
number of the statement, from 1, in the order in which rdflib tells them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from engine.errors import DataError, MissingExtraError
from engine.ingest.csv_rows import BadRow, Row
from engine.triples import TYPES

if TYPE_CHECKING:
    from rdflib.term import Node

COLUMNS = ("head", "relation", "tail")
SUFFIXES = {
    ".ttl": "turtle",
    ".nt": "nt",
    ".rdf": "xml",
    ".owl": "xml",
    ".jsonld": "json-ld",
    ".n3": "n3",
}
"""What rdflib calls the format of a file, by its suffix."""

_SUBCATEGORY = {
    "http://www.w3.org/2004/02/skos/core#broader",
    "http://www.w3.org/2000/01/rdf-schema#subClassOf",
}


def rdf_rows(path: Path) -> Iterator[Row | BadRow]:
    """The statements of a file as (head, relation, tail), and those that name no node.

    Raises:
        DataError: The file cannot be read, or as a whole is not what its suffix says.
        MissingExtraError: rdflib is not installed.
    """
    form = SUFFIXES.get(path.suffix.lower(), "turtle")
    lines = _by_line(path) if form == "nt" else _at_once(path, form)
    for number, statement in lines:
        if isinstance(statement, BadRow):
            yield statement
            continue
        head, relation, tail = statement
        shown = " ".join(term.n3() for term in statement)
        if not (_has_name(head) and _has_name(tail)):
            yield BadRow(number, "blank node has no name", shown)
        else:
            yield Row(number, [_name(head), _relation(str(relation)), _name(tail)])


def _at_once(path: Path, form: str) -> Iterator[tuple[int, tuple[Node, Node, Node]]]:
    try:
        from rdflib import Graph
    except ImportError as error:
        raise MissingExtraError("rdflib", "graph") from error
    graph = Graph()
    try:
        graph.parse(path, format=form)
    except Exception as error:  # rdflib's parsers raise whatever they stumble over
        said = " ".join(str(error).split())[:200]
        raise DataError(f"{path} is not readable as {form}: {said}") from error
    yield from enumerate(graph, start=1)


def _by_line(path: Path) -> Iterator[tuple[int, tuple[Node, Node, Node] | BadRow]]:
    try:
        from rdflib.exceptions import ParserError
        from rdflib.plugins.parsers.ntriples import W3CNTriplesParser
    except ImportError as error:
        raise MissingExtraError("rdflib", "graph") from error
    found: list[tuple[Node, Node, Node]] = []

    class _Sink:
        def triple(self, head: Node, relation: Node, tail: Node) -> None:
            found.append((head, relation, tail))

    parser = W3CNTriplesParser(sink=_Sink())  # type: ignore[arg-type]
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    parser.parsestring(line.decode())
                except UnicodeDecodeError:
                    yield number, BadRow(number, "not UTF-8", line.decode("utf-8", "replace"))
                except ParserError:
                    yield number, BadRow(number, "malformed N-Triples", line.decode().strip())
                yield from ((number, statement) for statement in found)
                found.clear()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error


def _has_name(term: Node) -> bool:
    from rdflib.term import Literal, URIRef

    return isinstance(term, URIRef | Literal)


def _name(term: Node) -> str:
    text = str(term)
    scheme, colon, rest = text.partition(":")
    return f"{scheme}:{unquote(rest)}" if colon and scheme in TYPES else text


def _relation(iri: str) -> str:
    if iri in _SUBCATEGORY:
        return "subcategory_of"
    return re.split(r"[#/:]", iri.rstrip("#/:"))[-1]
