"""What no reason may look like, whatever it says."""

from __future__ import annotations

import re

MAX_CHARS = 160
_ENGLISH = (
    ("a placeholder", re.compile(r"\b(?:none|nan|null|undefined)\b", re.IGNORECASE)),
    ("a plural of one", re.compile(r"(?<![\d.,])1 (?:days|weeks|months|years|times)\b")),
    ("a singular of many", re.compile(r"\b(?:[2-9]|\d\d+) (?:day|week|month|year|time)\b")),
    ("a word twice", re.compile(r"\b([a-z]+) \1\b")),
    ("an article before a vowel", re.compile(r"\ba (?=[aeio][a-z])")),
    ("a blank too many", re.compile(r"  | [,.;]|^ | $")),
    ("marks in a row", re.compile(r"[,;.]{2,}|,\.")),
    ("an empty quotation", re.compile(r'""|" "')),
)
_CHINESE = (
    ("a placeholder", re.compile(r"\b(?:None|nan|null)\b")),
    ("English outside of names", re.compile(r"[A-Za-z]")),
    ("a blank", re.compile(r"\s")),
    ("marks in a row", re.compile(r"[，；。]{2,}")),
    ("an empty name", re.compile(r"「」")),
)
_NAME = re.compile(r"「[^」]*」")


def complaints(text: str, *, chinese: bool = False) -> list[str]:
    """What is wrong with the form of a reason."""
    bare = (
        _NAME.sub("「名」", text.split("：")[0] if "知识图谱" in text else text)
        if chinese
        else text
    )
    found = [name for name, pattern in (_CHINESE if chinese else _ENGLISH) if pattern.search(bare)]
    if len(text) > MAX_CHARS:
        found.append(f"{len(text)} characters")
    if not chinese and not (text.endswith(".") and text[0].upper() == text[0]):
        found.append("no capital or no full stop")
    if chinese and not text.endswith("。") and "知识图谱" not in text:
        found.append("no full stop")
    if text.count('"') % 2 or text.count("「") != text.count("」"):
        found.append("a quotation left open")
    return found
