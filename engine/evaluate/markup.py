"""Markup that cannot be broken out of: every text is escaped as it enters, markup only once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from engine.evaluate.bootstrap import Interval

_EMPTY = frozenset({"meta", "img", "line", "rect", "circle", "polyline", "polygon"})
"""Elements without children, which need no end tag."""


class Markup(str):
    """Text that is markup already; plain text becomes it by :func:`element` alone."""

    __slots__ = ()


Child = Markup | str


def element(name: str, /, *children: Child, **attributes: str | float | None) -> Markup:
    """An element of HTML or SVG.

    Args:
        name: As it is written.
        children: Markup as it is, plain text escaped.
        attributes: Escaped; ``class_`` is written ``class``, any other underscore as a hyphen;
            None leaves one out.
    """
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _EMPTY and not children:
        return Markup(f"<{name}{told}/>")
    return Markup(f"<{name}{told}>{joined(children)}</{name}>")


def joined(children: Iterable[Child], between: str = "") -> Markup:
    """Several in a row."""
    return Markup(
        between.join(child if isinstance(child, Markup) else escape(child) for child in children)
    )


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[Child]]) -> Markup:
    """A table whose first column names its rows; it scrolls by itself on a narrow screen."""
    headings = (element("th", text, scope="col") for text in head)
    body = (
        element("tr", element("th", first, scope="row"), *(element("td", cell) for cell in others))
        for first, *others in rows
    )
    inside = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *headings)),
        element("tbody", *body),
    )
    # What scrolls must be reached by keyboard, and say what it is.
    return element("div", inside, class_="scroller", tabindex=0, role="region", aria_label=caption)


def estimate(interval: Interval | None, form: str = "{:.4f}") -> Markup:
    """An estimate above its interval; a dash where there is none."""
    if interval is None:
        return Markup("–")
    # The ends of an interval are not known to four digits.
    between = f"{interval.low:.3f} to {interval.high:.3f}"
    return joined((form.format(interval.estimate), element("small", between)), " ")
