"""Sentences about a picture, from the columns of its set."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_WHO = {
    "Men": "for men",
    "Women": "for women",
    "Boys": "for boys",
    "Girls": "for girls",
    "Unisex": "for everyone",
}


def fashion_class(row: Mapping[str, str]) -> str:
    """The article type, in lower case: ``"sports shoes"``."""
    return row["article_type"].lower()


def fashion_captions(row: Mapping[str, str]) -> tuple[str, ...]:
    """Title first, then what the attributes say, from particular to general."""
    kind = fashion_class(row)
    colour = (row["base_colour"] or "").lower()
    who = _WHO.get(row["gender"] or "", "")
    usage = (row["usage"] or "").lower()
    season = (row["season"] or "").lower()
    return _distinct(
        row["title"],
        _join(colour, usage, kind, who),
        _join(colour, kind, who),
        _join(colour, kind),
        _join(f"{row['gender'] or ''}'s".lower(), colour, kind, f"for {season}" if season else ""),
        _join(usage, kind, who),
        _join("a photo of", colour, kind),
    )


def grocery_class(row: Mapping[str, str]) -> str:
    """The product's name as people write it: ``"golden delicious"``."""
    return row["class_name"].replace("-", " ").lower()


def grocery_captions(row: Mapping[str, str], description: str) -> tuple[str, ...]:
    """The name, with its kind and alone, then sentences of the shop's own description."""
    name, kind = grocery_class(row), row["coarse_name"].replace("-", " ").lower()
    sentences = [part.strip() for part in re.split(r"(?<=[.!?])\s+", description) if part.strip()]
    return _distinct(
        name,
        name if kind in name else f"{name} {kind}",
        f"a photo of {name}, {kind}",
        *(f"{name}: {sentence}" for sentence in sentences[:3]),
    )


def photo_captions(captions: Sequence[str]) -> tuple[str, ...]:
    """Five people's sentences, without the space that the set puts before a full stop."""
    return _distinct(*(caption.replace(" .", ".").strip() for caption in captions))


def _join(*words: str) -> str:
    return " ".join(word for word in words if word)


def _distinct(*sentences: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(sentence for sentence in sentences if sentence))
