"""Sentences about everything, so that words that no set uses stay where they are."""

from __future__ import annotations

import random

from timm.data.imagenet_info import ImageNetInfo

_LONGEST = 60


def glosses() -> list[str]:
    """WordNet's names and definitions of ImageNet's 21,000 things, shuffled by a fixed seed."""
    wordnet = ImageNetInfo("imagenet-21k-goog")
    found = [
        text
        for row in range(wordnet.num_classes())  # type: ignore[no-untyped-call]
        for text in (
            wordnet.index_to_description(row),
            wordnet.index_to_description(row, detailed=True),
        )
        if text and len(text) <= _LONGEST
    ]
    distinct = list(dict.fromkeys(found))
    random.Random(0).shuffle(distinct)
    return distinct
