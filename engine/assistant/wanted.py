"""What a shopper asks for, understood by grammar and the catalogue's own names.

:func:`engine.scene_parse.read_scene` reads times, prices, people and occasions. Here follow the
rest: what kind of thing, whose brand, and what it must not be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from engine.assistant.shelf import Mention, Path, Shelf, under
from engine.assistant.translate import in_english
from engine.explain.naming import stem, words_of
from engine.scene import Scene
from engine.scene_parse import read_scene

_SPLIT_NOT = re.compile(
    r"(?:,\s*|\band\s+|\bbut\s+|\s+|^|(?=[不别除没]))"
    r"(?:(?:not?(?: from| by| with| made of)?|without|except(?: for)?|excluding|avoid(?:ing)?|"
    r"nothing (?:with|from)|free of|other than|anything but|don't want|do not want|hates?|"
    r"allergic to)\b|不要|不含|别要|除了|没有|不吃)\s*"
    r"(?:any\s+|a\s+|an\s+|the\s+|more\s+|of\s+)?",
    re.IGNORECASE,
)
_NOT_ENDS = re.compile(
    r"[,.;，。；]|\s(?:but|and i|for|under|over|please|with|from|in)\s|的", re.IGNORECASE
)
_FREE = re.compile(r"\b([a-z]+)[- ]free\b", re.IGNORECASE)
_FREE_IS_NAME = frozenset(
    ["gluten", "sugar", "fat", "lactose", "dairy", "caffeine", "duty", "hands", "scot", "toll"]
)
"""What shops call a kind of goods: a wish for it, not against it."""
_CHATTER = re.compile(
    r"\b(?:i(?:'m| am|'d| would)?|we(?:'re)?|me|my|our|you|could|can|please|need|needs|want|wants|"
    r"like|looking|look|search|find|show|get|buy|give|recommend|suggest|any|some|something|anything|"
    r"is|are|was|a|an|the|for|of|to|on|at|and|or|it|that|this|those|these|have|has|do|does|what|"
    r"there|with|by|from|in|he|she|they|who|loves?|likes?|enjoys?|really|just|very|also|too|thing|"
    r"things|item|items|product|products|maybe|hello|hi|hey|thanks|thank|good|nice|great|gift|"
    r"gifts|present|presents|idea|ideas|brand|brands|ones?|only|must|should|be|cheap|cheaper|"
    r"cheapest|expensive|affordable|best|new|options?|kind|type|sort|party|made|make|costs?|price|"
    r"priced|budget|dollars?|euros?|more|less|than|around|about|up|per|each|no|not)\b",
    re.IGNORECASE,
)
_WHETHER = re.compile("有没有|有无|请问")
"""A question, and no refusal."""
_TAKES = re.compile(r"\b(?:only|just)\s+", re.IGNORECASE)
_AT_MOST = re.compile(
    r"\b(?:at most|no more than|not more than|max(?:imum)?(?: of)?)\s*[$€£]?\s*(\d+(?:\.\d+)?)",
    re.I,
)
_AT_LEAST = re.compile(
    r"\b(?:at least|no less than|min(?:imum)?(?: of)?)\s*[$€£]?\s*(\d+(?:\.\d+)?)", re.I
)
CHEAP = re.compile(r"\b(?:cheap|inexpensive|affordable|budget|low[- ]priced)\b|便宜", re.IGNORECASE)
DEAR = re.compile(r"\b(?:premium|luxury|high[- ]end|upscale|fancy)\b|高档", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Wanted:
    """One request, understood."""

    text: str
    scene: Scene
    """Time, prices, people, occasion; its query is what else was said."""
    words: str | None = None
    """What kind of thing, for search by meaning; None if nothing was said of it."""
    categories: frozenset[Path] = frozenset()
    """Any of these, if there are some."""
    brands: frozenset[str] = frozenset()
    not_categories: frozenset[Path] = frozenset()
    not_brands: frozenset[str] = frozenset()
    not_words: frozenset[str] = frozenset()
    """Stems that a title must not hold."""
    cheap: bool = False
    dear: bool = False

    @property
    def says_what(self) -> bool:
        """Whether it names a kind of thing, an occasion or somebody: a new wish, not a change."""
        scene = self.scene
        return bool(self.words or self.categories or scene.occasion or scene.recipient)

    def changed_by(self, other: Wanted) -> Wanted:
        """This wish under the further conditions of another that names no thing of its own."""
        told = {
            name: value
            for name in ("time", "place", "weather", "price_min", "price_max", "currency")
            if (value := getattr(other.scene, name)) is not None
        }
        return replace(
            self,
            scene=self.scene.model_copy(update=told),
            brands=other.brands or self.brands - other.not_brands,
            not_categories=self.not_categories | other.not_categories,
            not_brands=self.not_brands | other.not_brands,
            not_words=self.not_words | other.not_words,
            cheap=self.cheap or other.cheap,
            dear=self.dear or other.dear,
        )


def understand(
    text: str,
    shelf: Shelf,
    *,
    now: datetime | None = None,
    country: str | None = None,
    locale: str | None = None,
) -> Wanted:
    """Read a request.

    Args:
        text: English or Chinese; no text raises.
        shelf: The catalogue's names.
        now: The shop's clock.
        country: ISO 3166 code of the shop.
        locale: BCP 47 tag of the shopper.
    """
    scene = read_scene(text, now=now, country=country, locale=locale).scene
    scene = _bounded(scene, text)
    query, against = _apart(scene.query or "")
    said = in_english(query, shelf.knows)
    against = [in_english(phrase, shelf.knows) for phrase in against]
    wished = _mentions(said, shelf)
    refused = [mention for phrase in against for mention in _mentions(phrase, shelf)]
    words = _kind(said, wished)
    categories = _of_feast(_categories(wished), scene, shelf) or _by_people(scene, shelf)
    return Wanted(
        text=text,
        scene=scene.model_copy(update={"query": words}),
        words=words,
        categories=categories,
        brands=frozenset().union(*(one.brands for one in wished)),
        not_categories=frozenset().union(*(m.categories for m in refused if m.exact)),
        not_brands=frozenset().union(*(one.brands for one in refused)),
        not_words=_refused_words(against, shelf),
        cheap=CHEAP.search(text) is not None,
        dear=DEAR.search(text) is not None,
    )


def _bounded(scene: Scene, text: str) -> Scene:
    """With a second bound that stands beside the first: "at least 3, at most 5"."""
    low, high = _AT_LEAST.search(text), _AT_MOST.search(text)
    update: dict[str, float] = {}
    if scene.price_max is None and high:
        update["price_max"] = float(high[1])
    if scene.price_min is None and low:
        update["price_min"] = float(low[1])
    lowest = update.get("price_min", scene.price_min)
    highest = update.get("price_max", scene.price_max)
    if lowest is not None and highest is not None and lowest > highest:
        return scene
    return scene.model_copy(update=update)


def _apart(query: str) -> tuple[str, list[str]]:
    """What is said of the thing, and what it must not be or have."""
    query = _WHETHER.sub("", query)
    against: list[str] = []
    rest, at = [], 0
    for match in _SPLIT_NOT.finditer(query):
        if match.start() < at:
            continue
        rest.append(query[at : match.start()])
        ends = _NOT_ENDS.search(query, match.end())
        at = ends.start() if ends else len(query)
        against.append(query[match.end() : at])
    rest.append(query[at:])
    said = ", ".join(part.strip(" ,") for part in rest if part.strip(" ,"))
    for match in _FREE.finditer(said):
        if match[1].lower() not in _FREE_IS_NAME:
            against.append(match[1])
    said = _FREE.sub(lambda m: m[0] if m[1].lower() in _FREE_IS_NAME else "", said)
    return said.removeprefix("的").strip(), [part for part in against if part.strip()]


def _mentions(text: str, shelf: Shelf) -> list[Mention]:
    return shelf.mentions(words_of(text)) if text else []


def _kind(said: str, mentions: Sequence[Mention]) -> str | None:
    """The words that say what kind of thing, without brands and chatter; None if there are none."""
    words = words_of(said)
    brands = {at for one in mentions if one.brands for at in range(one.start, one.end)}
    left = " ".join(word for at, word in enumerate(words) if at not in brands)
    telling = _CHATTER.sub(" ", left).replace("'", " ").split()
    if not any(len(word) > 1 or not word.isascii() for word in telling):
        return None
    return " ".join(word for word in left.split() if word in telling or not word.isascii()) or None


def _categories(mentions: Sequence[Mention]) -> frozenset[Path]:
    """The shelves named; of words side by side the last says what it is: "green tea"."""
    named = [one for one in mentions if one.categories]
    begins = {one.start for one in named}
    heads = [one for one in named if one.end not in begins]
    return frozenset().union(*(one.categories for one in heads))


def _of_feast(categories: frozenset[Path], scene: Scene, shelf: Shelf) -> frozenset[Path]:
    """Of shelves of one name, those of the occasion: decorations for Christmas."""
    if scene.occasion is None:
        return categories
    feast = shelf.about(scene.occasion.split()[-1])
    return frozenset(path for path in categories if under(path, feast)) or categories


def _by_people(scene: Scene, shelf: Shelf) -> frozenset[Path]:
    """Where nothing else is named: shelves for somebody, or for a feast, by their own name."""
    if scene.query and _CHATTER.sub(" ", scene.query).split():
        return frozenset()
    for word in (scene.occasion, scene.recipient):
        if word is not None and (found := shelf.about(word.split()[-1])):
            return found
    return frozenset()


def _refused_words(phrases: Iterable[str], shelf: Shelf) -> frozenset[str]:
    """Stems of what must not be in a title; a brand is refused as a brand."""
    found: set[str] = set()
    for phrase in phrases:
        words = words_of(phrase)
        brands = {
            at for one in shelf.mentions(words) if one.brands for at in range(one.start, one.end)
        }
        left = " ".join(word for at, word in enumerate(words) if at not in brands)
        found |= {stem(word) for word in _CHATTER.sub(" ", left).split() if len(word) > 1}
    return frozenset(found)
