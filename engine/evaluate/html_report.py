"""A comparison as one HTML file that needs nothing else: no script, no network, light and dark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib.resources import files

from engine.evaluate.bootstrap import Interval
from engine.evaluate.example_lists import ExampleList, ShownItem
from engine.evaluate.html_breakdown import beyond_section, checks_section, slices_section
from engine.evaluate.markup import Child, Markup, element, estimate, joined, table
from engine.evaluate.provenance import Provenance
from engine.evaluate.report import Figures, Row
from engine.evaluate.run import Comparison
from engine.evaluate.svg import (
    Bar,
    Dot,
    Line,
    bar_chart,
    line_chart,
    reliability_chart,
)

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Said to the browser too: nothing is fetched, nothing runs."""
Section = tuple[str, str, Sequence[Child]]
"""Anchor, heading, content."""


def html_report(found: Comparison) -> str:
    """The whole document."""
    sections = [section for section in _sections(found) if section[2]]
    links = (
        element("li", element("a", heading, href=f"#{anchor}")) for anchor, heading, _ in sections
    )
    main = element(
        "main",
        *(
            element("section", element("h2", heading), *content, id=anchor)
            for anchor, heading, content in sections
        ),
    )
    title = f"Evaluation: {found.provenance.dataset}, run {found.provenance.run_id}"
    style = Markup(files("engine.evaluate").joinpath("report.css").read_text(encoding="utf-8"))
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"/>'),
        element("title", title),
        element("style", style),
    )
    nav = element("nav", element("ul", *links), aria_label="Sections")
    body = element("body", element("header", *_opening(found), nav), main)
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


def _sections(found: Comparison) -> Iterator[Section]:
    yield "methods", "Methods side by side", _methods(found)
    yield "time", "Quality against the time since the cut", _time(found)
    yield "slices", "Where it is good, and where it is not", slices_section(found.slices)
    yield "reliability", "Do the probabilities keep their word?", _reliability(found)
    yield "channels", "What each retrieval channel finds", _channels(found)
    yield "parts", "What each part is worth", _parts(found)
    yield "beyond", "Beyond accuracy", beyond_section(found.beyond, found.baskets)
    yield "checks", "Checks for leakage", checks_section(found.checks)
    yield "lists", "Lists, as shoppers would have seen them", _lists(found.examples)
    yield "made", "How these figures were made", _made(found)


def _opening(found: Comparison) -> Iterator[Child]:
    made = found.provenance
    yield element("h1", f"{made.dataset}: how good are the recommendations?")
    n = found.table.rows[0].all_items.n_users
    yield element(
        "p",
        f"Run {made.run_id} learned from what happened before {_moment(made.cut)}. Then {n:,} "
        "shoppers came, and each was asked about once: what will the first basket hold? The "
        "same questions went to baselines that were tuned on the weeks before the cut.",
    )
    tiles = [
        ("NDCG@10, all items", _tile(found.table.rows[0].all_items.ndcg, "{:.3f}")),
        (f"times the best baseline ({found.best_all})", _tile(found.all_ratio, "{:.2f}×")),
        (f"times on new items ({found.best_new})", _tile(found.new_ratio, "{:.2f}×")),
    ]
    yield element(
        "dl",
        *(element("div", element("dt", name), element("dd", value)) for name, value in tiles),
        class_="tiles",
    )


def _methods(found: Comparison) -> list[Child]:
    rows = found.table.rows
    k = found.table.k
    bars = [
        Bar.of(row.method, row.all_items.ndcg, marked=row.method == rows[0].method)
        for row in sorted(rows, key=lambda row: -row.all_items.ndcg.estimate)
    ]
    head = [
        "method",
        *(f"{m}@{k}, {of}" for of in ("all", "new") for m in ("Recall", "NDCG", "Hit")),
    ]
    caption = (
        f"{found.table.level:.0%} bootstrap intervals over users below each figure; new: only "
        "items that the user never had"
    )
    return [
        element("figure", bar_chart(f"NDCG@{k} on all items, by method", bars)),
        table(caption, head, (_method(row) for row in rows)),
        *(element("p", note, class_="quiet") for note in found.table.notes),
    ]


def _method(row: Row) -> list[Child]:
    cells: list[Child] = [row.method]
    for figures in (row.all_items, row.new_items):
        cells += _three(figures)
    return cells


def _three(figures: Figures | None) -> list[Child]:
    if figures is None:
        return ["–"] * 3
    return [estimate(each) for each in (figures.recall, figures.ndcg, figures.hit)]


def _time(found: Comparison) -> list[Child]:
    spans = found.spans
    places = [_days(span.first_day, span.last_day) for span in spans]
    lines = [
        Line(found.table.rows[0].method, tuple(span.ours for span in spans)),
        Line(found.best_all, tuple(span.theirs for span in spans)),
    ]
    rows = (
        (place, f"{span.n_requests:,}", estimate(span.ours), estimate(span.theirs))
        for place, span in zip(places, spans, strict=True)
    )
    picture = line_chart("NDCG@10 by days since the cut", places, lines, "days since the cut")
    head = ("days", "shoppers", found.table.rows[0].method, found.best_all)
    return [
        element(
            "p",
            "Nothing is learned after the cut. Who comes first comes often, so that later days "
            "ask about rarer shoppers, too: compare the two lines rather than one with itself.",
        ),
        *([element("figure", picture)] if len(spans) > 1 else []),
        table("NDCG@10 of shoppers by the day of their first basket", head, rows),
    ]


def _reliability(found: Comparison) -> list[Child]:
    known = found.reliability
    if known is None:
        return []
    dots = [Dot(b.chance, b.came_true) for b in known.bins]
    rows = ((f"{b.chance:.4f}", estimate(b.came_true), f"{b.n:,}") for b in known.bins)
    axes = ("probability that was told", "share that was taken")
    return [
        element(
            "p",
            f"Answers were told to be taken with a mean probability of {known.told:.1%}; "
            f"{known.taken:.1%} were. Expected calibration error: {known.error:.4f}.",
        ),
        element("figure", reliability_chart("Probabilities against what came true", dots, axes)),
        table(
            "Answers in ten groups of equal size, the least likely first",
            ("told", "came true", "answers"),
            rows,
        ),
    ]


def _channels(found: Comparison) -> list[Child]:
    report = found.channels
    bars = [
        Bar(row.channel, row.recall, marked=row is report.rows[-1])
        for row in report.rows
        if row.size
    ]
    rows = (
        (
            row.channel,
            f"{row.size:.0f}",
            *(
                "–" if share is None else f"{share:.4f}"
                for share in (row.recall, row.lost, row.recall_new, row.lost_new)
            ),
        )
        for row in report.rows
    )
    head = ("channel", "items", "recall", "lost without it", "recall, new", "lost, new")
    caption = f"Of {report.n_targets:,} targets of {report.n_requests:,} requests"
    return [
        element(
            "p",
            "Before anything is ranked it must be found: the share of what was taken that each "
            "channel proposes, and what nothing else would have proposed.",
        ),
        element("figure", bar_chart("Share of the targets found, by channel", bars)),
        table(caption, head, rows),
    ]


def _parts(found: Comparison) -> list[Child]:
    bars = [Bar.of(part.part, part.worth) for part in found.parts]
    rows = (
        (
            f"without {part.part}",
            estimate(part.without),
            estimate(part.worth),
            f"{part.n_requests:,}",
        )
        for part in found.parts
    )
    return [
        element(
            "p",
            "The same run is asked again with one thing withheld; nothing is trained anew. "
            "Worth is NDCG@10 with it less NDCG@10 without it, over the same requests.",
        ),
        element("figure", bar_chart("NDCG@10 that each part adds", bars)),
        table("Ablations at serving", ("part", "NDCG@10", "worth", "requests"), rows),
    ]


def _lists(examples: Sequence[ExampleList]) -> list[Child]:
    pictured = any(item.picture for shown in examples for item in shown.items)
    parts: list[Child] = [
        element(
            "p",
            "Taken from fixed places of the whole scale, and not chosen by hand. Green: it was "
            "in the basket.",
        )
    ]
    for shown in examples:
        place = f", {shown.place}" if shown.place else ""
        found = sum(item.taken for item in shown.items)
        parts += [
            element("h3", f"{shown.name}: NDCG@10 {shown.ndcg:.3f}"),
            element(
                "p",
                f"{shown.at}{place}. {shown.n_events_before:,} events before; {found} of "
                f"{len(shown.items)} answers were taken, of {len(shown.basket)} that could be.",
                class_="quiet",
            ),
            element("ol", *(_item(item, pictured) for item in shown.items), class_="shelf"),
            element(
                "details",
                element("summary", "What the basket held"),
                element("p", "; ".join(shown.basket)),
            ),
        ]
    return parts


def _item(item: ShownItem, pictured: bool) -> Markup:
    picture = []
    if item.picture:
        picture = [element("img", src=item.picture, alt="", loading="lazy")]
    elif pictured:
        picture = [element("span", class_="none", aria_hidden="true")]
    mark = [element("span", "✓ taken ", class_="mark")] if item.taken else []
    return element(
        "li",
        *picture,
        element("b", item.title),
        *mark,
        element("span", f"{item.probability:.1%}", class_="quiet"),
        element("div", item.reason),
        class_="taken" if item.taken else None,
    )


def _made(found: Comparison) -> list[Child]:
    made = found.provenance
    facts = (
        ("run", f"{made.run_id}, made {made.run_made_at}"),
        ("dataset", f"{made.dataset}, sha256 {made.dataset_hash}"),
        ("cut", made.cut),
        ("measured", made.measured_at),
        ("seed of the training", str(made.training_seed)),
        ("seed of samples and intervals", str(made.resampling_seed)),
        ("machine", made.machine),
    )
    settings = (
        (row.method, row.all_items.settings, row.new_items.settings if row.new_items else "–")
        for row in found.table.rows
        if row.all_items.settings
    )
    return [
        element("pre", element("code", made.command)),
        _words(table("What it was made of", ("what", "value"), facts)),
        element(
            "details",
            element("summary", "What the methods were tuned to"),
            _words(table("Settings", ("method", "for all items", "for new items"), settings)),
        ),
        element(
            "details",
            element("summary", "Versions"),
            table("Of this measurement, and of the training", _HEAD, _versions(made)),
        ),
    ]


_HEAD = ("package", "measured with", "trained with")


def _versions(made: Provenance) -> Iterator[Sequence[Child]]:
    then = dict(made.trained_with)
    for name, now in made.versions:
        yield name, now, then.get(name, "–")


def _words(inside: Markup) -> Markup:
    return element("div", inside, class_="words")


def _tile(interval: Interval | None, form: str) -> Markup:
    if interval is None:
        return element("strong", "–")
    low, high = form.format(interval.low), form.format(interval.high)
    return joined(
        (
            element("strong", form.format(interval.estimate)),
            element("span", f"{low} to {high}", class_="quiet"),
        ),
        " ",
    )


def _moment(iso: str) -> str:
    moment = datetime.fromisoformat(iso)
    return f"{moment.day} {moment:%B %Y, %H:%M}"


def _days(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}–{last}"
