"""A hundred written requests to the assistant, and whether each list keeps to its request."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from engine.assistant import Assistant
from engine.recommend import Engine
from engine.scene import Scene
from engine.types import Item

REQUESTS = Path(__file__).parent / "requests.yaml"
MIN_IN_CATEGORY = 0.8


@dataclass(frozen=True, slots=True)
class Request:
    """One request and what its list must keep to."""

    ask: str
    categories: frozenset[str]
    min_price: float | None
    max_price: float | None
    brand: str | None
    not_brand: str | None
    without: tuple[str, ...]

    def complaints(self, items: list[Item]) -> list[str]:
        """What is wrong with a list; empty where nothing is."""
        if not items:
            return ["no items"]
        found = [wrong for item in items for wrong in self._wrong(item)]
        inside = sum(bool(self.categories & set(item.categories)) for item in items)
        if inside < MIN_IN_CATEGORY * len(items):
            shelves = sorted({item.categories[1] for item in items if len(item.categories) > 1})
            found.append(f"category ({inside} of {len(items)}): {', '.join(shelves)}")
        return found

    def _wrong(self, item: Item) -> list[str]:
        price = item.price
        found = []
        if self.max_price is not None and (price is None or price > self.max_price):
            found.append(f"price {price}")
        if self.min_price is not None and (price is None or price < self.min_price):
            found.append(f"price {price}")
        if self.brand is not None and item.brand != self.brand:
            found.append(f"brand {item.brand}")
        if self.not_brand is not None and item.brand == self.not_brand:
            found.append(f"brand {item.brand}")
        words = " ".join((item.title, *item.categories[-1:])).lower().split()
        found += [f"holds {word}: {item.title}" for word in self.without if word in words]
        return found


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that was not kept to."""

    ask: str
    complaints: tuple[str, ...]


def read_requests() -> list[Request]:
    """The written requests."""
    rows = yaml.safe_load(REQUESTS.read_text("utf-8"))
    return [
        Request(
            row["ask"],
            frozenset(row["in"]),
            row.get("min"),
            row.get("max"),
            row.get("brand"),
            row.get("not_brand"),
            tuple(row.get("without", ())),
        )
        for row in rows
    ]


def ask_all(engine: Engine, user_id: str) -> tuple[float, list[Failure]]:
    """The share of requests that were kept to in full, and those that were not."""
    assistant, requests = Assistant(engine), read_requests()
    failures = []
    for request in requests:
        reply = assistant.reply(user_id, request.ask, scene=Scene(time=engine.as_of))
        wrong = request.complaints([one.item for one in reply.items])
        if wrong:
            failures.append(Failure(request.ask, tuple(dict.fromkeys(wrong))))
    return 1 - len(failures) / len(requests), failures
