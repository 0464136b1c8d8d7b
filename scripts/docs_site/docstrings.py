"""Docstrings as the site shows them: a griffe extension that says Sphinx's marks in Markdown."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|meth|func|mod|attr|data|exc|obj):`~?([^`]+)`")
_DIRECTIVE = re.compile(
    r"^(?P<indent> *)\.\. (?P<name>math|code-block)::(?: (?P<language>\w+))?\n"
    r"(?P<body>(?:\n|(?P=indent)    .*\n?)+)",
    re.MULTILINE,
)
_LITERAL = re.compile(r"(?<!`)``(?!`)([^`]+)``(?!`)")


class InMarkdown(griffe.Extension):
    """Roles become code, directives become blocks."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:  # noqa: ANN401
        """Change the docstring of an object that was read."""
        if obj.docstring is not None:
            obj.docstring.value = in_markdown(obj.docstring.value)


def in_markdown(text: str) -> str:
    """A docstring without Sphinx's marks."""
    return _LITERAL.sub(r"`\1`", _ROLE.sub(r"`\1`", _DIRECTIVE.sub(_block, f"{text}\n"))).strip()


def _block(match: re.Match[str]) -> str:
    body = textwrap.indent(textwrap.dedent(match["body"]).strip("\n"), match["indent"])
    language = match["language"] or ("latex" if match["name"] == "math" else "text")
    return f"{match['indent']}```{language}\n{body}\n{match['indent']}```\n\n"
