"""What the notebooks about a shop's own data and about scale showed when they last ran."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

if find_spec("nbformat") is None:
    pytest.skip("the extra 'dev' is not installed", allow_module_level=True)

import nbformat

EXAMPLES = Path(__file__).parents[2] / "examples"


def shown(name: str) -> str:
    book = nbformat.read(EXAMPLES / name, as_version=4)
    outputs = [output for cell in book.cells for output in cell.get("outputs", ())]
    return "\n".join(output.get("text", "") for output in outputs)


@pytest.fixture(scope="module")
def own_data() -> str:
    return shown("04_your_own_data.ipynb")


@pytest.fixture(scope="module")
def scale() -> str:
    return shown("05_scale_out.ipynb")


@pytest.mark.parametrize(
    "reason",
    [
        "duplicate item_id",
        "empty title",
        "price is not a number",
        "unknown item",
        "empty user_id",
        "timestamp is not a time",
        "time in the future",
        "wrong number of cells",
    ],
)
def test_every_blemish_is_in_the_report_and_among_the_rejects(own_data: str, reason: str) -> None:
    assert own_data.count(reason) == 2


def test_the_morning_is_not_the_evening(own_data: str) -> None:
    morning, evening = own_data.split("Monday, 08:15")[1].split("Thursday, 18:30")
    lists = [re.findall(r"^  \d\. (.{22})", part, re.MULTILINE) for part in (morning, evening)]
    assert [len(titles) for titles in lists] == [6, 6]
    assert lists[0][0] != lists[1][0]


def test_ours_is_ahead_where_habits_follow_the_clock(own_data: str) -> None:
    found = re.findall(r"^(.+?) +NDCG@10 \S+ \[(\S+), (\S+)\]", own_data, re.MULTILINE)
    low = {name: float(low) for name, low, _ in found}
    high = {name: float(high) for name, _, high in found}
    others = [name for name in low if not name.startswith("Vitrine")]
    assert len(others) >= 8
    assert low["Vitrine"] > max(high[name] for name in others)


def test_larger_catalogues_get_smaller_codes(scale: str) -> None:
    table = re.findall(r"│ ([\d,]+) +┆ (\d+) +┆ (\S+) +┆ (\d+) +┆ (\S+) +│", scale)
    assert len(table) == 5
    for _items, budget, _kind, _bytes, size in table:
        assert float(size) <= int(budget)
    assert int(table[-1][3]) < int(table[2][3]) < int(table[1][3])


def test_what_is_swapped_still_finds_the_same(scale: str) -> None:
    recall = re.search(r"recall@10 (\S+)", scale)
    assert recall is not None
    assert float(recall[1]) > 0.9
    assert scale.count("100.0% of the answers as by brute force") == 2
    assert "written: 1 then again: 0" in scale
    assert "again: 36 texts, all found in the cache" in scale


def test_a_sampled_graph_learns_as_the_whole_does(scale: str) -> None:
    found = re.findall(r"^(.+?) +Recall@20 (\S+)$", scale, re.MULTILINE)
    recall = {name: float(share) for name, share in found}
    assert recall["fanout 8"] > 0.9 * recall["whole graph"] > 5 * recall["by chance"]
