"""The report of an evaluation: what it holds, and that nothing in it can break out of it."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import planted
import pytest

from engine.evaluate.bootstrap import Interval
from engine.evaluate.figures_file import plain, write_figures
from engine.evaluate.html_report import html_report
from engine.evaluate.markup import Markup, element, estimate, table
from engine.evaluate.run import Comparison, evaluate_run
from engine.evaluate.svg import Bar, Dot, Line, bar_chart, line_chart, reliability_chart

HOSTILE = "</b><script>alert(1)</script><img src=x onerror=alert(2)> \"'&"
FETCHING = {"src", "href", "srcset", "poster", "data", "action", "xlink:href", "background"}


@pytest.fixture(scope="module")
def found(planted_shop, planted_run) -> Comparison:
    """The planted run, measured."""
    return evaluate_run(Path(planted_shop.folder), planted_run, command="vitrine evaluate a b")


class Page(HTMLParser):
    """Tags with their attributes, the text, and whether every tag is closed in its turn."""

    VOID = frozenset({"meta", "img", "line", "rect", "circle", "polyline", "polygon"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in self.VOID
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


# --- markup


def test_text_is_escaped_and_markup_is_not():
    inner = element("b", HOSTILE)
    page = Page(element("p", inner, "a < b", title=HOSTILE))

    assert [tag for tag, _ in page.tags] == ["p", "b"]
    assert page.tags[0][1]["title"] == HOSTILE
    assert "".join(page.words) == HOSTILE + "a < b"


def test_attributes_are_named_as_html_names_them():
    assert element("rect", stroke_width=2, class_="a", x=None) == Markup(
        '<rect stroke-width="2" class="a"/>'
    )


def test_a_table_names_its_columns_and_its_rows():
    page = Page(table("What", ("method", "NDCG"), [("ours", "0.1"), ("theirs", "0.2")]))

    assert [cell["scope"] for cell in page.all("th")] == ["col", "col", "row", "row"]
    (region,) = page.all("div")
    assert (region["role"], region["aria-label"], region["tabindex"]) == ("region", "What", "0")
    assert page.all("caption")


def test_an_estimate_that_is_none_is_a_dash():
    assert estimate(None) == "–"
    assert estimate(Interval(0.12345, 0.1, 0.2)).startswith("0.1235 <small>0.100 to 0.200")


# --- charts


def lengths(chart: str) -> list[float]:
    return [float(bar["width"] or 0) for bar in Page(chart).all("rect")]


def test_bars_are_as_long_as_their_values():
    long, short, none = lengths(bar_chart("c", [Bar("a", 0.8), Bar("b", 0.2), Bar("c", 0.0)]))
    assert long == pytest.approx(4 * short, abs=0.3)
    assert none == 0


def test_a_negative_bar_goes_to_the_left_of_zero():
    page = Page(bar_chart("c", [Bar("gain", 1.0), Bar("loss", -1.0)]))
    zero = float(page.all("line")[0]["x1"] or 0)
    gain, loss = page.all("rect")
    assert float(gain["x"] or 0) == pytest.approx(zero)
    assert float(loss["x"] or 0) + float(loss["width"] or 0) == pytest.approx(zero, abs=0.2)


def test_lines_rise_with_their_values_and_stay_in_the_picture():
    points = tuple(Interval(v, v - 0.05, v + 0.05) for v in (0.1, 0.2, 0.4))
    page = Page(line_chart("c", ["0", "1", "2"], [Line("ours", points)], "days"))
    dots = [(float(dot["cx"] or 0), float(dot["cy"] or 0)) for dot in page.all("circle")]
    assert [x for x, _ in dots] == sorted(x for x, _ in dots)
    ys = [y for _, y in dots]
    assert ys == sorted(ys, reverse=True)  # upwards is less in a picture
    assert ys[0] - ys[1] == pytest.approx((ys[1] - ys[2]) / 2, abs=0.2)
    assert all(0 <= x <= 420 and 0 <= y <= 230 for x, y in dots)


def test_what_keeps_its_word_lies_on_the_diagonal():
    dots = [Dot(share, Interval(share, share, share)) for share in (0.1, 0.5, 1.0)]
    page = Page(reliability_chart("c", dots, ("told", "true")))
    (line,) = (each for each in page.all("line") if each["class"] == "diagonal")
    x1, y1, x2, y2 = (float(line[name] or 0) for name in ("x1", "y1", "x2", "y2"))
    for dot in page.all("circle"):
        along = (float(dot["cx"] or 0) - x1) / (x2 - x1)
        assert float(dot["cy"] or 0) == pytest.approx(y1 + along * (y2 - y1), abs=0.3)


@pytest.mark.parametrize(
    "chart",
    [
        bar_chart(HOSTILE, [Bar(HOSTILE, 1.0)]),
        bar_chart("nothing", []),
        line_chart(HOSTILE, [HOSTILE], [Line(HOSTILE, (Interval(1, 1, 1),))], HOSTILE),
        line_chart("nothing", [], [], "days"),
        reliability_chart(HOSTILE, [Dot(0.5, Interval(0.5, 0.4, 0.6))], (HOSTILE, HOSTILE)),
        reliability_chart("nothing", [], ("a", "b")),
    ],
)
def test_a_chart_is_a_picture_with_a_name_whatever_it_is_given(chart):
    page = Page(chart)
    (picture,) = page.all("svg")
    assert picture["role"] == "img"
    assert picture["aria-label"] == "".join(page.words[:1]) or picture["aria-label"] == HOSTILE
    assert not page.all("script")
    assert not page.all("img")


# --- the page


def test_the_page_needs_nothing_else(found):
    page = Page(html_report(found))

    for tag, attributes in page.tags:
        assert tag not in {"script", "link", "iframe", "object", "form"}
        assert not [name for name in attributes if name.startswith("on")]
        for name in FETCHING & attributes.keys():
            assert (attributes[name] or "").startswith(("data:image/", "#"))
    assert not page.open
    assert "url(" not in html_report(found)
    assert "@import" not in html_report(found)
    policies = [meta["content"] or "" for meta in page.all("meta") if "http-equiv" in meta]
    assert len(policies) == 1
    assert policies[0].startswith("default-src 'none'")


def test_the_page_can_be_read_without_seeing_it(found):
    page = Page(html_report(found))

    assert page.all("html")[0]["lang"] == "en"
    assert len(page.all("h1")) == 1
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(picture.get("aria-label") for picture in page.all("svg"))
    assert all(cell.get("scope") in {"col", "row"} for cell in page.all("th"))
    targets = {section["id"] for section in page.all("section")}
    assert {link["href"] for link in page.all("a")} == {f"#{target}" for target in targets}
    assert {"methods", "time", "slices", "reliability", "channels"} <= targets
    assert {"parts", "beyond", "checks", "lists", "made"} <= targets


def test_the_page_says_what_made_it(found):
    words = " ".join(Page(html_report(found)).words)
    made = found.provenance
    for told in ("vitrine evaluate a b", made.run_id, made.dataset_hash, "numpy", "Nothing leaked"):
        assert told in words
    assert found.table.rows[0].all_items.ndcg.estimate == pytest.approx(
        float(words.split("NDCG@10, all items ")[1].split()[0]), abs=5e-4
    )


def test_titles_are_data(found):
    shown = found.examples[0]
    items = tuple(replace(item, title=HOSTILE, reason=HOSTILE) for item in shown.items)
    hostile = replace(
        found,
        table=replace(found.table, title=HOSTILE, notes=(HOSTILE,)),
        best_all=HOSTILE,
        examples=(replace(shown, items=items, place=HOSTILE, basket=(HOSTILE,)),),
        provenance=replace(found.provenance, dataset=HOSTILE, command=HOSTILE),
        slices=tuple(replace(each, by=HOSTILE, value=HOSTILE) for each in found.slices),
    )
    page, calm = Page(html_report(hostile)), Page(html_report(found))

    assert {tag for tag, _ in page.tags} <= {tag for tag, _ in calm.tags} | {"p", "h3"}
    assert not page.all("script")
    assert not page.all("img")
    assert page.words.count(HOSTILE) >= 2 * len(items)


def test_figures_are_json_that_every_reader_takes(found, tmp_path):
    shown = replace(found.examples[0].items[0], picture="data:image/png;base64,AAAA")
    example = replace(found.examples[0], items=(shown,))
    write_figures(tmp_path / "new" / "f.json", replace(found, examples=(example,)))

    text = (tmp_path / "new" / "f.json").read_text("utf-8")
    figures = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert figures["all_ratio"]["estimate"] == found.all_ratio.estimate
    assert figures["table"]["rows"][0]["all_items"]["n_users"] == planted.N_USERS
    assert figures["examples"][0]["items"][0]["picture"] is None
    assert figures["checks"]["checks"]
    assert figures["provenance"]["run_id"] == found.provenance.run_id


def test_what_is_no_number_is_null():
    assert plain({"a": float("nan"), "b": (1.5, float("inf"))}) == {"a": None, "b": [1.5, None]}
