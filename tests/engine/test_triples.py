"""A shop's own triples: named nodes, entities, and every bad one with its file and line."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from engine import triples as module
from engine.arrays import graph_tables
from engine.dataset import Dataset, DatasetSettings, write_dataset
from engine.errors import DataError, MissingExtraError
from engine.ingest import Mapping, ingest
from engine.node_names import MADE, STATED, NodeNames, names_of
from engine.own_facts import own_facts
from engine.vocabulary import Vocabulary, load_interactions
from graph import GraphTables, KnowledgeGraph, NodeType, build_graph
from graph.schema import RESERVED

ITEMS = (
    "item_id,title,category,brand\n"
    "a,Rye,Food > Bread,Acme\n"
    "b,Milk,Food > Dairy,Best\n"
    "c:d,Rake,Tools,Acme\n"
)
EVENTS = "user_id,item_id,kind,timestamp,place\nu,a,purchase,2024-01-01,north\n"


def take_in(folder: Path, name: str, text: str) -> Dataset:
    """Ingest the shop with a file of triples."""
    (folder / "items.csv").write_text(ITEMS)
    (folder / "events.csv").write_text(EVENTS)
    (folder / name).write_text(text)
    mapping = Mapping.model_validate(
        {
            "settings": {"name": "shop"},
            "items": {
                "files": str(folder / "items.csv"),
                "columns": {
                    "item_id": "item_id",
                    "title": "title",
                    "brand": "brand",
                    "categories": "category",
                },
                "categories_separator": " > ",
            },
            "events": {"files": str(folder / "events.csv")},
            "triples": {"files": str(folder / name)},
        }
    )
    ingest(mapping, folder / "out")
    return Dataset.open(folder / "out")


def rejects(dataset: Dataset) -> list[tuple[int, str, str | None]]:
    frame = pl.read_parquet(Path(dataset.folder) / "rejects.parquet")
    assert set(frame["table"]) <= {"triples"}
    return list(frame.select("line", "reason", "value").iter_rows())


def tables_of(dataset: Dataset) -> GraphTables:
    vocabulary = Vocabulary.of(dataset)
    return graph_tables(dataset, vocabulary, load_interactions(dataset, vocabulary))


def names_in(dataset: Dataset) -> NodeNames:
    names = names_of(dataset.items, Vocabulary.of(dataset))
    tables = tables_of(dataset)
    return own_facts(dataset.triples, names, tables.category_parent * 0 - 1).names


def edges_of(kg: KnowledgeGraph, names: NodeNames) -> set[tuple[str | None, str, str | None]]:
    return {
        (
            names.name(row["head_type"], row["head"]),
            row["relation"],
            names.name(row["tail_type"], row["tail"]),
        )
        for row in kg.triples().to_pylist()
    }


def test_the_names_are_the_graphs() -> None:
    assert set(STATED + MADE) <= set(map(str, NodeType))
    assert set(module.DERIVED) == set(map(str, RESERVED)) - {module.SUBCATEGORY_OF}


def test_every_bad_triple_is_reported_and_the_rest_goes_in(tmp_path: Path) -> None:
    dataset = take_in(
        tmp_path,
        "facts.csv",
        "head,relation,tail,weight\n"
        "item:a,made_in,France,2\n"  # 2: kept
        "item:z,made_in,France,1\n"
        "a,pairs_with,item:a,1\n"
        "brand:Nobody,based_in,France,1\n"
        "a,pairs_with,category:Bread,1\n"
        "a,bought_with,b,1\n"
        "a,pairs_with,b,0\n"
        "a,pairs_with,b,-1\n"
        "a,pairs_with,b,much\n"
        "a,,b,1\n"
        "category:Food,subcategory_of,category:Food > Bread,1\n"
        "category:Food > Bread,subcategory_of,category:Tools,1\n"
        "category:Food,subcategory_of,category:Tools,1\n"  # 14: kept
        "category:Tools,subcategory_of,category:Food,1\n"
        "category:Food,subcategory_of,Everything,1\n"
        "a,made_in,France,1\n"
        "entity:,near,France,1\n"
        "c:d,made_in,Spain,1\n"  # 19: kept, for c:d is an item
        "user:u,lives_in,France,1\n",  # 20: kept
    )
    assert rejects(dataset) == [
        (3, "unknown item", "item:z"),
        (4, "self-loop", "a"),
        (5, "unknown brand", "brand:Nobody"),
        (6, "unknown category", "category:Bread"),
        (7, "relation is derived by Vitrine", "bought_with"),
        (8, "weight is not positive", "0.0"),
        (9, "negative weight", "-1.0"),
        (10, "weight is not a number", "much"),
        (11, "empty relation", None),
        (12, "cycle in the category tree", "category:Food"),
        (13, "category has another parent", "category:Food > Bread"),
        (15, "cycle in the category tree", "category:Tools"),
        (16, "subcategory_of joins two categories", "Everything"),
        (17, "the same triple again", "a"),
        (18, "head has no name", "entity:"),
    ]
    assert len(dataset.triples) == 4
    tables = tables_of(dataset)
    made_in, lives_in = tables.item_facts[-1], tables.links[0]
    assert (made_in.relation, made_in.weight.tolist()) == ("made_in", [2.0, 1.0])
    assert (lives_in.head_type, lives_in.relation) == ("user", "lives_in")
    categories = names_of(dataset.items, Vocabulary.of(dataset)).of_type["category"]
    assert tables.category_parent[categories.row("Food")] == categories.row("Tools")


def test_a_bare_name_is_one_entity_wherever_it_is_a_head(tmp_path: Path) -> None:
    dataset = take_in(
        tmp_path,
        "facts.csv",
        "head,relation,tail\n"
        "a,made_in,France\n"
        "brand:Best,based_in,France\n"
        "France,part_of,Europe\n"
        "b,colour,red\n"
        "b,in_category,category:Tools\n",
    )
    assert rejects(dataset) == []
    tables = tables_of(dataset)
    kg = build_graph(tables, as_of_unix_s=2_000_000_000)
    edges = edges_of(kg, names_in(dataset))
    assert {
        ("a", "made_in", "France"),
        ("Best", "based_in", "France"),
        ("France", "part_of", "Europe"),
        ("b", "colour", "red"),
        ("b", "in_category", "Tools"),
        ("b", "in_category", "Food > Dairy"),
    } <= edges
    france = kg.global_row("entity", 0)
    assert len(kg.neighborhood(france)) == 4, "France, the item, the brand and Europe"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "facts.ttl",
            "@prefix item: <item:> . @prefix x: <http://example.org/> .\n"
            "@prefix skos: <http://www.w3.org/2004/02/skos/core#> .\n"
            'item:a x:madeIn x:France ; x:colour "brown" .\n'
            "<brand:Acme> x:basedIn x:France . x:France x:partOf x:Europe .\n"
            "<category:Food> skos:broader <category:Tools> .\n"
            "<category:Food%20%3E%20Bread> x:eatenAt <place:north> .\n"
            "item:zzz x:madeIn x:France . [] x:madeIn x:France .\n",
        ),
        (
            "facts.nt",
            "<item:a> <http://example.org/madeIn> <http://example.org/France> .\n"
            '<item:a> <http://example.org/colour> "brown" .\n'
            "<brand:Acme> <http://example.org/basedIn> <http://example.org/France> .\n"
            "# a comment\n"
            "<http://example.org/France> <http://example.org/partOf> "
            "<http://example.org/Europe> .\n"
            "<category:Food> <http://www.w3.org/2004/02/skos/core#broader> <category:Tools> .\n"
            "<category:Food%20%3E%20Bread> <http://example.org/eatenAt> <place:north> .\n"
            "<item:zzz> <http://example.org/madeIn> <http://example.org/France> .\n"
            "_:b <http://example.org/madeIn> <http://example.org/France> .\n"
            "what is this\n",
        ),
    ],
    ids=["turtle", "n-triples"],
)
def test_rdf_says_the_same_in_every_format(tmp_path: Path, name: str, text: str) -> None:
    pytest.importorskip("rdflib", reason="rdflib is not installed: pip install -e '.[graph]'")
    dataset = take_in(tmp_path, name, text)
    france = "http://example.org/France"
    assert sorted(dataset.triples.select("head", "relation", "tail").iter_rows()) == [
        ("brand:Acme", "basedIn", france),
        ("category:Food", "subcategory_of", "category:Tools"),
        ("category:Food > Bread", "eatenAt", "place:north"),
        (france, "partOf", "http://example.org/Europe"),
        ("item:a", "colour", "brown"),
        ("item:a", "madeIn", france),
    ]
    found = [(line, reason) for line, reason, _ in rejects(dataset)]
    if name.endswith(".nt"):
        assert found == [
            (8, "unknown item"),
            (9, "blank node has no name"),
            (10, "malformed N-Triples"),
        ]
    else:
        assert {reason for _, reason in found} == {"unknown item", "blank node has no name"}
        assert len(found) == 2


def test_broken_rdf_names_the_file_and_a_missing_rdflib_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rdflib", reason="rdflib is not installed: pip install -e '.[graph]'")
    with pytest.raises(DataError, match=r"facts\.ttl is not readable as turtle"):
        take_in(tmp_path, "facts.ttl", "this is no turtle")
    for module_name in [m for m in sys.modules if m.split(".")[0] == "rdflib"]:
        monkeypatch.setitem(sys.modules, module_name, None)
    with pytest.raises(MissingExtraError, match=r"vitrine-rec\[graph\]"):
        take_in(tmp_path, "facts.ttl", "# nothing")


def test_a_dataset_that_was_not_ingested_is_checked_too(tmp_path: Path) -> None:
    dataset = write_dataset(
        tmp_path / "shop",
        DatasetSettings(name="shop"),
        items=pl.DataFrame({"item_id": ["a"], "title": ["A"]}),
        events=pl.DataFrame(
            schema={"user_id": pl.String, "item_id": pl.String, "kind": pl.String}
        ).with_columns(timestamp=pl.lit(None, dtype=pl.Datetime("us", "UTC"))),
        triples=pl.DataFrame({"head": ["item:b"], "relation": ["near"], "tail": ["sea"]}),
    )
    with pytest.raises(DataError, match="'item:b' 'near' 'sea': unknown item"):
        tables_of(dataset)


def test_names_saved_and_opened_are_the_same(tmp_path: Path) -> None:
    dataset = take_in(tmp_path, "facts.csv", "head,relation,tail\na,made_in,France\n")
    names = names_in(dataset)
    names.save(tmp_path / "names.parquet")
    again = NodeNames.open(tmp_path / "names.parquet")
    assert {k: v.ids for k, v in again.of_type.items()} == {
        k: v.ids for k, v in names.of_type.items() if len(v)
    }
    assert again.name("made_in:value", 0) == "France"
    assert again.name("item", 99) is None
    assert np.all([again.name("nothing", 0) is None])
