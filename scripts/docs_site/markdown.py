"""Markdown as the site needs it: links, headings and blocks of code, with their places."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_FENCE = re.compile(
    r"^(?P<indent> *)(?P<mark>`{3,}|~{3,})(?P<language>[\w+-]*)[^\n]*\n"
    r"(?P<body>.*?)^(?P=indent)(?P=mark)[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
_INDENTED = re.compile(r"(?:(?<=\n\n)|\A)((?: {4}[^\n]*\n|\n)*? {4}[^\n]*(?:\n|\Z))+")
_INLINE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_LINK = re.compile(r"\[(?:[^\[\]]|\[[^\[\]]*\](?:\([^()]*\))?)*\]\((?P<target>[^()\s]+)")
_HEADING = re.compile(r"^#{1,6} +(?P<text>.+?)(?: +#+)?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Link:
    """A link or a picture."""

    start: int
    """Where its target stands in the text, up to :attr:`end`."""
    end: int
    path: str
    """Without the anchor; empty where the link stays on its page."""
    anchor: str

    @property
    def is_elsewhere(self) -> bool:
        """Whether it leaves for another site, or for a mail box."""
        return re.match(r"[a-z][a-z0-9+.-]*:", self.path) is not None


@dataclass(frozen=True, slots=True)
class Code:
    """A block of code."""

    language: str
    """What the fence says; empty for indented blocks."""
    body: str
    line: int
    """Of its first line in the page, from 1."""


def links(text: str) -> Iterator[Link]:
    """The links and pictures of a page, in their order; not those in code."""
    for match in _LINK.finditer(_without_code(text)):
        path, _, anchor = match["target"].partition("#")
        yield Link(match.start("target"), match.end("target"), path, anchor)


def blocks(text: str) -> Iterator[Code]:
    """The fenced blocks of a page, then its indented ones."""
    for match in _FENCE.finditer(text):
        body = re.sub(rf"^{match['indent']}", "", match["body"], flags=re.MULTILINE)
        yield Code(match["language"], body, _line(text, match.start("body")))
    for match in _INDENTED.finditer(_FENCE.sub(_blank, text)):
        yield Code("", re.sub(r"^ {4}", "", match[0], flags=re.M), _line(text, match.start()))


def anchors(text: str) -> set[str]:
    """What a link to a heading of the page may name, as GitHub and the site do."""
    found: set[str] = set()
    for match in _HEADING.finditer(_FENCE.sub(_blank, text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match["text"])
        name = re.sub(r"[^\w\- ]", "", words.lower()).strip().replace(" ", "-")
        again = sum(1 for other in found if re.fullmatch(rf"{re.escape(name)}(-\d+)?", other))
        found.add(f"{name}-{again}" if again else name)
    return found


def title(text: str) -> str:
    """The first heading.

    Raises:
        ValueError: There is none.
    """
    match = _HEADING.search(_FENCE.sub(_blank, text))
    if match is None:
        raise ValueError(f"got {text[:40]!r}..., expected a page with a heading")
    return match["text"]


def fenced(code: str, language: str = "") -> str:
    """Code as a block, whatever it holds."""
    longest = max((len(run) for run in re.findall(r"`{3,}", code)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{code.rstrip()}\n{fence}"


def cell(text: str) -> str:
    """Text that stands in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def _without_code(text: str) -> str:
    """The same length, with zeros for code: places stay true."""
    for pattern in (_FENCE, _INDENTED, _INLINE):
        text = pattern.sub(_blank, text)
    return text


def _blank(match: re.Match[str]) -> str:
    return re.sub(r"[^\n]", "\0", match[0])


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
