"""The graph of a run, told and drawn."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import networkx as nx
import polars as pl
import pytest
from typer.testing import CliRunner

from engine.cli_graph import app
from engine.show_graph import NamedGraph

RUNNER = CliRunner()


def told(*arguments: object) -> str:
    result = RUNNER.invoke(app, [str(a) for a in arguments], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return result.output


def test_stats_count_what_the_triples_hold(planted_run: Path) -> None:
    triples = pl.read_parquet(planted_run / "graph" / "knowledge" / "triples.parquet")
    shown = told("stats", planted_run)
    for relation, n in triples["relation"].cast(pl.String).value_counts().iter_rows():
        assert re.search(rf"{relation} .*│ *{n:,} │", shown), relation
    assert f"{len(triples):,} edges take" in shown


def test_show_tells_an_item_by_its_title_and_what_it_belongs_to(planted_run: Path) -> None:
    shown = told("show", planted_run, "item-01")
    assert shown.startswith("Bread (item)")
    assert "→ in_category (1)" in shown
    assert "Kitchen > Kitchen dry" in shown
    assert "→ of_brand (1)" in shown
    assert "Brand 1" in shown
    assert told("show", planted_run, "item:item-01") == shown


def test_a_category_is_found_by_its_name_and_two_hops_tell_more(planted_run: Path) -> None:
    near = told("show", planted_run, "category:Kitchen > Kitchen dry")
    assert "← in_category (10)" in near
    assert "of_brand" not in near
    assert "of_brand" in told("show", planted_run, "category:Kitchen > Kitchen dry", "--hops", 2)


def test_the_picture_and_the_graphml_hold_the_neighbourhood(
    planted_run: Path, tmp_path: Path
) -> None:
    named = NamedGraph.open(planted_run)
    row = named.find("item-01")
    view = named.kg.neighborhood(row, 2, 20)
    options = ("--hops", 2, "--limit", 20, "--out")
    told("show", planted_run, "item-01", *options, tmp_path / "near.svg")
    svg = ElementTree.parse(tmp_path / "near.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    texts = {text.text for text in svg.iter(f"{space}text")}
    assert set(named.labels(view).values()) <= texts
    assert len(list(svg.iter(f"{space}line"))) == view.number_of_edges()
    told("show", planted_run, "item-01", *options, tmp_path / "near.graphml")
    read = nx.read_graphml(tmp_path / "near.graphml", node_type=int, force_multigraph=True)
    assert set(read) == set(view)
    assert nx.get_node_attributes(read, "label") == named.labels(view)
    assert sorted(d["relation"] for *_, d in read.edges(data=True)) == sorted(
        relation for *_, relation in view.edges(keys=True)
    )


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        ("item:nothing", "unknown item 'nothing'"),
        ("nothing at all", "unknown node 'nothing at all'"),
    ],
)
def test_a_node_that_is_not_there_is_one_line(planted_run: Path, node: str, reason: str) -> None:
    result = RUNNER.invoke(app, ["show", str(planted_run), node])
    assert result.exit_code == 2
    assert reason in result.output
    assert "Traceback" not in result.output


def test_a_file_of_another_kind_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    result = RUNNER.invoke(app, ["show", str(tmp_path), "x", "--out", "x.png"])
    assert result.exit_code == 2
    assert "expected a name in .svg or .graphml" in re.sub(r"[\s│]+", " ", result.output)
