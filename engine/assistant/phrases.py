"""The assistant's own words, in English and Chinese. Items are told of by the engine's reasons."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from engine.assistant.wanted import Wanted
from engine.explain.wording import name_of, quoted
from engine.portrait import Portrait
from engine.recommendation import Recommendation
from engine.types import Item

_HAN = re.compile(r"[\u4e00-\u9fff]")
NAME_CHARS = 60


def speaks_chinese(text: str) -> bool:
    """Whether a message is written in Chinese."""
    return _HAN.search(text) is not None


@dataclass(frozen=True, slots=True)
class Phrases:
    """What the assistant says in one language."""

    chinese: bool

    def found(self, wanted: Wanted, n: int) -> str:
        """Before a list."""
        what, limits = self._what(wanted), self._limits(wanted)
        if self.chinese:
            return f"为您找到{n}件商品{what}{limits}。"
        return f"I found {n} {'item' if n == 1 else 'items'}{what}{limits}."

    def none(self, wanted: Wanted) -> str:
        """Where nothing meets a wish."""
        what, limits = self._what(wanted), self._limits(wanted)
        if self.chinese:
            return f"没有找到符合条件的商品{what}{limits}。请放宽一个条件再试。"
        return f"Nothing here fits{what}{limits}. Loosen one of these, and I will look again."

    def which(self, names: Sequence[str]) -> str:
        """A question between kinds."""
        told = [_name(name) for name in names]
        if self.chinese:
            return f"您指的是{'还是'.join(f'「{name}」' for name in told)}？"
        return f"Do you mean {', '.join(told[:-1])} or {told[-1]}?"

    def pair(self, items: Sequence[Recommendation]) -> str:
        """A comparison: price, brand, category, and why each."""
        lines = []
        for one in items:
            item = one.item
            told = [_price(item), item.brand, item.categories[-1] if item.categories else None]
            lines.append(f"{item.title}: {', '.join(filter(None, told))}. {one.reason}".strip())
        return "\n".join(lines)

    def cheapest(self, items: Sequence[Recommendation]) -> str | None:
        """Which of several costs least; None where prices are not known, or are alike."""
        priced = [one for one in items if one.item.price is not None]
        if len(priced) < 2 or len({one.item.price for one in priced}) == 1:
            return None
        least = min(priced, key=lambda one: one.item.price or 0.0).item
        if self.chinese:
            return f"最便宜的是「{least.title}」（{_price(least)}）。"
        return f"The cheapest is {least.title} at {_price(least)}."

    def why(self, items: Sequence[Recommendation]) -> str:
        """The reasons of items."""
        return "\n".join(f"{one.item.title}: {one.reason}" for one in items)

    def portrait(self, portrait: Portrait) -> str:
        """What the shopper takes most."""
        names = [interest.category[-1] for interest in portrait.interests[:3]]
        habits = [habit.title for habit in portrait.habits[:2]]
        if self.chinese:
            told = "、".join(f"「{name}」" for name in names)
            often = f"；常买{'、'.join(f'「{title}」' for title in habits)}" if habits else ""
            return f"您最常选购{told}{often}。"
        often = f" Again and again you take {' and '.join(habits)}." if habits else ""
        return f"You mostly take {', '.join(map(_name, names))}.{often}"

    def basket(self, items: Sequence[Item]) -> str:
        """What is in the basket, and the sum where every price is known."""
        if not items:
            return "购物车是空的。" if self.chinese else "Your basket is empty."
        titles = ("、" if self.chinese else ", ").join(item.title for item in items)
        prices = [item.price for item in items if item.price is not None]
        total = f"{sum(prices):,.2f}" if len(prices) == len(items) else None
        if self.chinese:
            return f"购物车里有：{titles}{f'，合计{total}' if total else ''}。"
        return f"In your basket: {titles}{f'; {total} together' if total else ''}."

    def say(self, english: str, chinese: str) -> str:
        """One of two."""
        return chinese if self.chinese else english

    def _what(self, wanted: Wanted) -> str:
        what = quoted(wanted.scene.wish or "", NAME_CHARS)
        if what is None:
            return ""
        return f"，关于{what}" if self.chinese else f" for {what}"

    def _limits(self, wanted: Wanted) -> str:
        low, high = wanted.scene.price_min, wanted.scene.price_max
        said = []
        if low is not None:
            said.append(f"不低于{low:g}" if self.chinese else f"from {low:g}")
        if high is not None:
            said.append(f"不超过{high:g}" if self.chinese else f"up to {high:g}")
        if wanted.brands:
            names = ", ".join(sorted(wanted.brands))
            said.append(f"品牌{names}" if self.chinese else f"of {names}")
        refused = sorted(wanted.not_brands | wanted.not_words)
        if refused:
            said.append(
                f"不含{'、'.join(refused)}" if self.chinese else f"without {', '.join(refused)}"
            )
        return (
            ("，" if self.chinese else ", ") + ("，" if self.chinese else ", ").join(said)
            if said
            else ""
        )


def _name(text: str) -> str:
    return name_of(text, NAME_CHARS) or text


def _price(item: Item) -> str | None:
    if item.price is None:
        return None
    return f"{item.price:,.2f} {item.currency or ''}".strip()
