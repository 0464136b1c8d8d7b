"""Words of a catalogue as tokens: sizes, model numbers and brands keep their form."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U000323af"
)
"""Scripts that put no space between words."""
_INDIC = "\u0900-\u0963\u0966-\u0dff"
"""Their vowel signs belong to the word, though Python's ``\\w`` leaves them out."""
_ACCENT = re.compile("[\u0300-\u036f]")
_PIECE = re.compile(
    rf"(?P<unspaced>[{_UNSPACED}]+)"
    r"|(?P<number>\d+(?:[.,/\u2044]\d+)*)"
    rf"|(?P<word>(?:(?![{_UNSPACED}_\d])[\w{_INDIC}])+)"
    r"|['’](?P<genitive>s)\b"
    r"|(?P<link>[-\u2010'’&._])"
    r"|(?P<gap>.)",
    re.DOTALL,
)
_MOST_UNIT = 3
"""Letters of the longest unit: "6.5 oz", "12 pk", "500 ml"; "501 jeans" is no measure."""
_NUMERALS = str.maketrans({",": ".", "\u2044": "/"})
_MOST_PIECES = 8
"""A chunk of more pieces is an address or a line of dashes, not a model number."""

_Piece = tuple[str, str]


def tokens(text: str) -> list[str]:
    """Tokens of a text, in order, repeated where the text repeats them.

    Case, width and accents are folded. What is written in one go is one token beside its pieces:
    ``AB-123`` gives ``ab``, ``123`` and ``ab123``; ``6.5oz`` and ``6.5 oz`` both give ``6.5``,
    ``oz`` and ``6.5oz``. The plural s is dropped. Scripts without spaces give their
    characters and pairs of them. The s of ``Levi's`` is no token of its own: alone, it is a size.
    """
    found: list[str] = []
    previous = None
    for chunk in _chunks(_folded(text)):
        found.extend(_tokens_of_chunk(chunk))
        if previous is not None and _is_measure(previous, chunk):
            found.append(previous[0][1].translate(_NUMERALS) + chunk[0][1])
        previous = chunk
    return found


def _folded(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFC", _ACCENT.sub("", apart))


def _chunks(text: str) -> Iterator[list[_Piece]]:
    """Runs of pieces with nothing but single links between them."""
    chunk: list[_Piece] = []
    linked = False
    for match in _PIECE.finditer(text):
        kind = match.lastgroup or "gap"
        if kind == "link" and chunk and not linked:
            linked = True
            continue
        if kind in ("gap", "link"):
            if chunk:
                yield chunk
            chunk = []
        else:
            chunk.append((kind, match[kind]))
        linked = False
    if chunk:
        yield chunk


def _tokens_of_chunk(chunk: list[_Piece]) -> Iterator[str]:
    for kind, piece in chunk:
        if kind == "unspaced":
            yield from piece
            yield from (left + right for left, right in pairwise(piece))
        elif kind == "number":
            yield piece.translate(_NUMERALS)
        elif kind == "word":
            yield _singular(piece)
    if 1 < len(chunk) <= _MOST_PIECES and all(kind != "unspaced" for kind, _ in chunk):
        yield "".join(piece.translate(_NUMERALS) for _, piece in chunk)


def _is_measure(before: list[_Piece], after: list[_Piece]) -> bool:
    if len(before) != 1 or len(after) != 1:
        return False
    (kind, _), (next_kind, unit) = before[0], after[0]
    return kind == "number" and next_kind == "word" and len(unit) <= _MOST_UNIT


def _singular(word: str) -> str:
    """The word without its plural s, by the S stemmer (Harman, 1991), with boxes and dresses."""
    if len(word) < 4 or not word.isascii() or not word.endswith("s"):
        return word
    if word.endswith("ies"):
        return word if word.endswith(("eies", "aies")) else word[:-3] + "y"
    if word.endswith(("us", "ss", "is")):
        return word
    if word.endswith(("xes", "ches", "shes", "sses")):
        return word[:-2]
    return word[:-1]
