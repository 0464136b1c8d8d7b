"""Is everything that a sentence claims on the sheet? Otherwise it does not go out.

The checker reads English and Chinese as a writer of reasons writes them, and refuses what it
cannot read: an unknown word may name a product, a brand or a property that nobody knows of. Every
name, number, time and deed must be traced to the sheet in its role: who did it, to what, how often
and when. It errs on the side of refusing; the deterministic sentence is always at hand.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.explain.grammar import RULES, unproved
from engine.explain.grammar_chinese import CHINESE_RULES
from engine.explain.sheet import Sheet
from engine.explain.symbols import is_clean, read_symbols
from engine.explain.symbols_chinese import read_chinese

MAX_CHARS = 240


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the checker found."""

    objection: str | None
    """Why the text may not go out; None if it may."""

    @property
    def accepted(self) -> bool:
        """Whether everything in the text is traced."""
        return self.objection is None


def check(text: str, sheet: Sheet, *, chinese: bool = False) -> Verdict:
    """Check a sentence about one item.

    Args:
        text: What a language model wrote.
        sheet: What is known; see :func:`engine.explain.sheet.sheet_of`.
        chinese: Whether the sentence is to be Chinese and not English.
    """
    if not any(map(str.isalpha, text)):
        return Verdict("it says nothing")
    if len(text) > MAX_CHARS:
        return Verdict(f"it has {len(text)} characters, expected at most {MAX_CHARS}")
    if not is_clean(text):
        return Verdict("it holds control characters, markup or an address")
    reading = read_chinese(text, sheet) if chinese else read_symbols(text, sheet)
    if reading.strange is not None:
        return Verdict(f"nothing on the sheet stands for {reading.strange!r}")
    return Verdict(unproved(reading.symbols, sheet, CHINESE_RULES if chinese else RULES))
