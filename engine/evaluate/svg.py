"""Charts as inline SVG: colours come from the page, so that they suit light and dark.

A chart is a picture with a name; its figures stand in a table beside it, for readers who do not
see it and for those who want the numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from engine.evaluate.bootstrap import Interval
from engine.evaluate.markup import Markup, element

WIDTH = 420
"""Of every chart, in its own units: near a phone's, so that letters stay readable there."""
_ROW, _LABEL, _VALUE, _CHARS = 22, 146, 54, 21
_HEIGHT, _LEFT, _BOTTOM, _TOP, _RIGHT = 230, 44, 34, 12, 18
_TICKS = 4
_HEADROOM = 1.2
"""Room above lines for their names."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar, with how sure its length is."""

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    marked: bool = False
    """Drawn in the accent's colour."""

    @classmethod
    def of(cls, label: str, interval: Interval, *, marked: bool = False) -> Bar:
        """A bar with its interval."""
        return cls(label, interval.estimate, interval.low, interval.high, marked)


@dataclass(frozen=True, slots=True)
class Line:
    """One line over the places of an axis, with a band; the first of several is ours."""

    name: str
    points: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class Dot:
    """Something foretold, and what came of it."""

    x: float
    y: Interval


def bar_chart(name: str, bars: Sequence[Bar], form: str = "{:.4f}") -> Markup:
    """Horizontal bars from zero, one below the other, with whiskers.

    Args:
        name: What the chart shows.
        bars: From top to bottom; negative values reach to the left.
        form: Of the figure at the end of a bar.
    """
    reaches = [x for bar in bars for x in (bar.value, bar.low, bar.high) if x is not None]
    lowest, highest = min([0.0, *reaches]), max([0.0, *reaches])
    room = WIDTH - _LABEL - _VALUE
    scale = room / ((highest - lowest) or 1.0)

    def x(value: float) -> float:
        return _LABEL + (value - lowest) * scale

    parts = [_line(x(0), 0, x(0), _ROW * len(bars), "axis")]
    for i, bar in enumerate(bars):
        top, middle = _ROW * i + 4, _ROW * i + _ROW / 2
        start, end = sorted((x(0), x(bar.value)))
        parts += [
            _text(_LABEL - 6, middle + 4, _short(bar.label), "end", whole=bar.label),
            element(
                "rect",
                x=_n(start),
                y=top,
                width=_n(end - start),
                height=_ROW - 8,
                class_="bar ours" if bar.marked else "bar",
            ),
            _text(WIDTH, middle + 4, form.format(bar.value), "end"),
        ]
        if bar.low is not None and bar.high is not None:
            parts.append(_line(x(bar.low), middle, x(bar.high), middle, "whisker"))
    return _picture(name, parts, max(_ROW * len(bars), 1))


def line_chart(name: str, places: Sequence[str], lines: Sequence[Line], unit: str) -> Markup:
    """Lines over places from left to right, each with its band.

    Args:
        name: What the chart shows.
        places: Labels of the axis.
        lines: Each with a point for every place; the first is drawn in the accent's colour, the
            others dashed.
        unit: Named under the axis.
    """
    reach = max((point.high for line in lines for point in line.points), default=0.0) or 1.0
    highest = _HEADROOM * reach
    step = (WIDTH - _LEFT - _RIGHT) / max(len(places) - 1, 1)
    xs = [_LEFT + step * i for i in range(len(places))]
    parts = [*_grid(highest)]
    for i, line in enumerate(lines):
        kind = "ours" if i == 0 else "other"
        above = [(x, _y(point.high, highest)) for x, point in zip(xs, line.points, strict=True)]
        below = [(x, _y(point.low, highest)) for x, point in zip(xs, line.points, strict=True)]
        middle = [
            (x, _y(point.estimate, highest)) for x, point in zip(xs, line.points, strict=True)
        ]
        parts += [
            element("polygon", points=_points([*above, *below[::-1]]), class_=f"band {kind}"),
            element("polyline", points=_points(middle), class_=f"line {kind}"),
            *(element("circle", cx=_n(x), cy=_n(y), r=3, class_=f"dot {kind}") for x, y in middle),
            _text(_LEFT + 8, _TOP + 12 + 16 * i, line.name, "start", class_=f"key {kind}"),
        ]
    floor = _HEIGHT - _BOTTOM
    shown = max(1, -(-len(places) // 8))
    parts += [
        _text(x, floor + 15, place, "middle")
        for x, place in list(zip(xs, places, strict=True))[::shown]
    ]
    parts.append(_text((WIDTH + _LEFT) / 2, _HEIGHT - 3, unit, "middle"))
    return _picture(name, parts, _HEIGHT)


def reliability_chart(name: str, dots: Sequence[Dot], axes: tuple[str, str]) -> Markup:
    """Foretold against what came true: on the diagonal where chances keep their word.

    Args:
        name: What the chart shows.
        dots: Shares, from 0 on.
        axes: What lies to the right, and what lies upwards.
    """
    reach = max((max(dot.x, dot.y.high) for dot in dots), default=0.0) or 1.0
    room = WIDTH - _LEFT - _RIGHT

    def x(value: float) -> float:
        return _LEFT + room * value / reach

    parts = [*_grid(reach), _line(x(0), _y(0, reach), x(reach), _y(reach, reach), "diagonal")]
    for dot in dots:
        across = x(dot.x)
        parts += [
            _line(across, _y(dot.y.low, reach), across, _y(dot.y.high, reach), "whisker"),
            element(
                "circle", cx=_n(across), cy=_n(_y(dot.y.estimate, reach)), r=4, class_="dot ours"
            ),
        ]
    floor = _HEIGHT - _BOTTOM
    for share in np.linspace(0, reach, _TICKS + 1):
        parts.append(_text(x(float(share)), floor + 15, f"{share:.2f}", "middle"))
    parts += [
        _text((WIDTH + _LEFT) / 2, _HEIGHT - 3, axes[0], "middle"),
        _text(_LEFT + 8, _TOP + 12, axes[1], "start"),
    ]
    return _picture(name, parts, _HEIGHT)


def _grid(highest: float) -> Iterator[Markup]:
    for value in np.linspace(0, highest, _TICKS + 1):
        y = _y(float(value), highest)
        yield _line(_LEFT, y, WIDTH - _RIGHT, y, "axis" if value == 0 else "grid")
        yield _text(_LEFT - 5, y + 4, f"{value:.2f}" if highest > 0.04 else f"{value:.3f}", "end")


def _y(value: float, highest: float) -> float:
    floor = _HEIGHT - _BOTTOM
    return floor - (floor - _TOP) * value / highest


def _picture(name: str, parts: Sequence[Markup], height: float) -> Markup:
    return element(
        "svg",
        element("title", name),
        *parts,
        viewBox=f"0 0 {WIDTH} {height}",
        role="img",
        aria_label=name,
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
    return element("line", x1=_n(x1), y1=_n(y1), x2=_n(x2), y2=_n(y2), class_=kind)


def _text(
    x: float, y: float, text: str, anchor: str, *, whole: str | None = None, class_: str = ""
) -> Markup:
    hover = [element("title", whole)] if whole is not None and whole != text else []
    return element(
        "text", *hover, text, x=_n(x), y=_n(y), text_anchor=anchor, class_=class_ or None
    )


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{_n(x)},{_n(y)}" for x, y in points)


def _n(value: float) -> str:
    return f"{value:.1f}"


def _short(text: str) -> str:
    return text if len(text) <= _CHARS else f"{text[: _CHARS - 1]}…"
