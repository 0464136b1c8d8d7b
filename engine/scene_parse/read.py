"""Words to a scene, without a language model: every word is kept, and says what it became.

Text is data here. It is matched against fixed patterns, in time linear in its length, and
whatever no pattern knows stays in the wish.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import UTC, datetime

from engine.scene import Scene
from engine.scene_parse import budget, company, feasts, keyed, surroundings, when
from engine.scene_parse.spans import Clue, Context, Found, Rule, Span

MAX_CHARS = 2_000
"""Longer texts are read so far."""
MAX_WISH = 500
"""Bound of :attr:`engine.scene.Scene.query`."""

_RULES: tuple[Rule, ...] = (
    *keyed.RULES, *when.RULES, *feasts.RULES, *surroundings.RULES, *company.RULES, *budget.RULES,
)  # fmt: skip
_WIDE = {c: c - 0xFEE0 for c in range(0xFF01, 0xFF5F) if chr(c) not in "，；：！？"}
_PLAIN = _WIDE | {0x3000: " ", 0x2018: "'", 0x2019: "'", 0x00A0: " ", 0x201C: '"', 0x201D: '"'}
_PLAIN |= {c: " " for c in (*range(32), 127)}
_PLAIN |= {c: 0xFFFD for c in range(0xD800, 0xE000)}
"""One character for one, so that places in the text stay places in the text."""

_NEGATED = re.compile(
    r"(?:\b(?:not?|never|without|isn't|aren't|don't|won't|no longer|except)"
    r"(?: (?:a|an|the|my|for))?\s+"
    r"|不是?|没有?|别|非)$",
    re.IGNORECASE,
)
_EDGES = " \t,.;:!?，。；：！？、/|-–—·…"
_FILLER = frozenset(
    [
        "a",
        "an",
        "the",
        "and",
        "or",
        "for",
        "to",
        "of",
        "on",
        "in",
        "at",
        "it",
        "it's",
        "its",
        "is",
        "with",
        "i",
        "i'm",
        "im",
        "i'd",
        "we",
        "we're",
        "my",
        "need",
        "want",
        "like",
        "would",
        "looking",
        "something",
        "anything",
        "some",
        "please",
        "me",
        "us",
        "be",
        "going",
        "this",
        "that's",
        "that",
        "there",
        "will",
        "get",
        "buy",
        "find",
        "show",
        "的",
        "了",
        "我",
        "要",
        "想",
        "买",
        "和",
        "在",
        "给",
        "是",
        "我要",
        "我想",
        "想买",
        "我想买",
        "想要",
        "请",
        "帮我",
        "找",
        "去",
        "有",
        "吧",
        "呢",
    ]
)
_BARE_NUMBER = re.compile(r"\s*[0-9]")


@dataclass(frozen=True, slots=True)
class Reading:
    """A text, read."""

    text: str
    scene: Scene
    spans: tuple[Span, ...]
    """In the order of the text, without overlap; between them is nothing but space and
    punctuation."""
    _context: Context
    _found: tuple[Found, ...]

    def without(self, *removed: int) -> Reading:
        """The reading as if some recognised spans had not been there.

        Args:
            removed: Positions in ``spans``. The words of a span go with it; to keep them as
                wish, put them in quotation marks and read again.
        """
        gone = [self.spans[i] for i in removed]
        blank = self.text
        for span in gone:
            blank = blank[: span.start] + "," * (span.end - span.start) + blank[span.end :]
        return read_scene(
            blank, now=self._context.now, country=self._context.country, locale=self._context.locale
        )


def read_scene(
    text: str,
    *,
    now: datetime | None = None,
    country: str | None = None,
    locale: str | None = None,
) -> Reading:
    """Read a scene from words, English or Chinese.

    Args:
        text: Anything at all; no text raises.
        now: The shop's clock; with or without a zone, and the scene's time is alike. None is the
            clock of UTC, without a zone.
        country: ISO 3166 code, for feasts, weekends and degrees; None is unknown.
        locale: BCP 47 tag of the shopper; kept.
    """
    context = Context(now or datetime.now(UTC).replace(tzinfo=None), country, locale)
    plain = text[:MAX_CHARS].translate(_PLAIN)
    found = _accepted(plain, context)
    clue = Clue()
    for hit in found:
        clue = clue.beside(hit.clue)
    spans, wish = _cut(text, plain, found, context)
    return Reading(text, _scene(clue, wish, context), spans, context, found)


def _accepted(plain: str, context: Context) -> tuple[Found, ...]:
    """The hits that count, in order: the longest of those that overlap, each facet once."""
    hits = [
        hit
        for one in _RULES
        for hit in one.find(plain, context)
        if hit.clue.facets or hit.clue.literal
    ]
    hits += feasts.national_feasts(plain, context)
    hits = [hit for hit in hits if not _is_negated(plain, hit)]
    hits.sort(key=lambda hit: (plain[hit.end - 1 : hit.end] != '"', hit.start - hit.end, hit.start))
    taken = bytearray(len(plain) + 1)
    apart = []
    for hit in hits:
        if hit.end > hit.start and not any(taken[hit.start : hit.end]):
            taken[hit.start : hit.end] = b"\1" * (hit.end - hit.start)
            apart.append(hit)
    so_far = Clue()
    accepted = []
    for hit in sorted(apart, key=lambda hit: hit.start):
        both = so_far.beside(hit.clue)
        if not hit.clue.facets & so_far.facets and not _is_no_price(both):
            so_far = both
            accepted.append(hit)
    return tuple(accepted)


def _is_no_price(clue: Clue) -> bool:
    """Its bounds exclude each other: "under 30, over 100"."""
    lowest, highest = clue.price_min, clue.price_max
    return lowest is not None and highest is not None and lowest > highest


def _is_negated(plain: str, hit: Found) -> bool:
    told = hit.clue
    what = told.weather or told.occasion or told.recipient or told.companions
    return (
        what is not None and _NEGATED.search(plain[max(0, hit.start - 24) : hit.start]) is not None
    )


def _cut(
    text: str, plain: str, found: Iterable[Found], context: Context
) -> tuple[tuple[Span, ...], str]:
    """All spans, and the words of the wish."""
    spans: list[Span] = []
    pieces: list[str] = []
    start = 0
    for hit in (*found, Found(len(plain), len(plain), Clue())):
        _keep_gap(text, plain, start, hit.start, spans, pieces)
        if hit.end > hit.start:
            spans += _spans_of(text, hit, context, pieces)
        start = hit.end
    if len(text) > MAX_CHARS:
        spans.append(Span(MAX_CHARS, len(text), text[MAX_CHARS:], "unread", ""))
    return tuple(spans), ", ".join(pieces)


def _keep_gap(
    text: str, plain: str, start: int, end: int, spans: list[Span], pieces: list[str]
) -> None:
    """Words between two clues: wish, filler, or more than a wish can hold."""
    gap = plain[start:end]
    start += len(gap) - len(gap.lstrip(_EDGES))
    end = start + len(gap.strip(_EDGES))
    words = _tidy(plain[start:end])
    if end <= start or not words:
        return
    if all(word in _FILLER for word in words.casefold().split()):
        spans.append(Span(start, end, text[start:end], "filler", ""))
        return
    if not any(map(str.isalnum, words)) and not any(c > "\x7f" for c in words):
        spans.append(Span(start, end, text[start:end], "filler", ""))
        return
    words = words.removeprefix("的").removesuffix("的").strip() or words
    room = MAX_WISH - len(", ".join([*pieces, ""]))
    if len(words) > room:
        spans.append(Span(start, end, text[start:end], "unread", ""))
        return
    pieces.append(words)
    spans.append(Span(start, end, text[start:end], "query", words))


def _tidy(words: str) -> str:
    return " ".join(words.split())


def _spans_of(text: str, hit: Found, context: Context, pieces: list[str]) -> list[Span]:
    stretch = text[hit.start : hit.end]
    if hit.clue.literal is not None:
        words = _tidy(hit.clue.literal)
        if not words or len(words) > MAX_WISH - len(", ".join([*pieces, ""])):
            return [Span(hit.start, hit.end, stretch, "filler" if not words else "unread", "")]
        pieces.append(words)
        return [Span(hit.start, hit.end, stretch, "query", words)]
    field, value = _told(hit.clue, context)
    return [Span(hit.start, hit.end, stretch, field, value)]


def _told(clue: Clue, context: Context) -> tuple[str, str]:
    """Field and value of a clue, for people; of several fields the first of the scene's."""
    if clue.occasion is not None:
        return "occasion", clue.occasion
    moment = when.moment_of(clue, context.now)
    if moment is not None:
        part = (
            f"{moment:%H:%M}" if clue.day is None and clue.moment is None else f"{moment:%Y-%m-%d}"
        )
        both = clue.moment is not None or (clue.day and clue.clock)
        return "time", f"{moment:%Y-%m-%d %H:%M}" if both else part
    if clue.price_min is not None or clue.price_max is not None:
        ends = [f"{x:.10g}" if x is not None else "" for x in (clue.price_min, clue.price_max)]
        field = "price_max" if clue.price_min is None else "price_min"
        return field, "–".join(ends) + (f" {clue.currency}" if clue.currency else "")
    if clue.recipient is not None or clue.recipient_age is not None:
        age = f"{clue.recipient_age:.4g} years" if clue.recipient_age is not None else None
        return "recipient", ", ".join(filter(None, (clue.recipient, age)))
    name, value = next(
        (f.name, v) for f in fields(clue) if (v := getattr(clue, f.name)) is not None
    )
    return name, f"{value:.10g} °C" if name == "temperature" else str(value)


def _scene(clue: Clue, wish: str, context: Context) -> Scene:
    return Scene(
        time=when.moment_of(clue, context.now),
        place=clue.place,
        country=clue.country or context.country or None,
        locale=clue.locale or context.locale or None,
        device=clue.device,
        weather=clue.weather,
        temperature=clue.temperature,
        occasion=clue.occasion,
        companions=clue.companions,
        recipient=clue.recipient,
        recipient_age=clue.recipient_age,
        price_min=clue.price_min,
        price_max=clue.price_max,
        currency=clue.currency,
        query=wish or None,
        hemisphere=clue.hemisphere,
        attributes={"setting": clue.setting} if clue.setting else {},
    )
