"""The same shopper, other scenes: lists side by side, with what changed marked.

    python -m benchmarks.counterfactual [--run RUN] [--shopper ID]

Writes ``benchmarks/counterfactual.md`` from the demo's run. The run is only read: events go to a
store of its own that is thrown away.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from benchmarks.sections import rows
from engine.recommend import Engine
from engine.recommendation import Recommendation
from engine.scene import Scene

PAGE = Path(__file__).parent / "counterfactual.md"
RUNS = (Path("runs/demo/current"), Path("runs/demo"))
"""Where the demo's run may lie: the published one, or the only one."""
K = 10
DECEMBER, JULY = datetime(2017, 12, 5, 9, 0), datetime(2018, 7, 6, 19, 0)
"""A Tuesday morning, the day after the run's moment; a Friday evening."""


@dataclass(frozen=True, slots=True)
class Told:
    """A scene and its name in the page."""

    name: str
    scene: Scene


@dataclass(frozen=True, slots=True)
class Listed:
    """What the engine answered in a scene."""

    told: Told
    found: tuple[Recommendation, ...]

    @property
    def ids(self) -> list[str]:
        """Items, best first."""
        return [one.item.item_id for one in self.found]


def main() -> None:
    """Ask, and write the page."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.counterfactual")
    parser.add_argument("--run", type=Path, default=None)
    parser.add_argument("--shopper", default=None)
    given = parser.parse_args()
    run = given.run or next((path for path in RUNS if (path / "manifest.json").is_file()), None)
    if run is None:
        print(f"no run in {' or '.join(map(str, RUNS))}: make one with vitrine demo")
        return
    with (
        tempfile.TemporaryDirectory(prefix="vitrine-scenes-") as folder,
        Engine.open(run, store_url=f"sqlite:///{folder}/events.sqlite") as engine,
    ):
        shopper = given.shopper or engine.shoppers(1)[0].user_id
        listed = [
            Listed(told, tuple(engine.recommend(shopper, told.scene, k=K)))
            for told in scenes(engine.places())
        ]
        text = page(shopper, engine.run_id, listed)
    PAGE.write_text(text, encoding="utf-8")
    print(f"{PAGE}: {len(listed)} scenes for shopper {shopper}")


def scenes(places: Sequence[str]) -> tuple[Told, ...]:
    """The first is what the others are compared with: each changes one thing, the last two."""
    busiest, other = places[0], places[1]
    return (
        Told("December, Tuesday morning", Scene(time=DECEMBER, place=busiest)),
        Told("July, Friday evening", Scene(time=JULY, place=busiest)),
        Told(f"store {other}", Scene(time=DECEMBER, place=other)),
        Told("no store", Scene(time=DECEMBER)),
        Told("“something for a barbecue”", _words(busiest, "something for a barbecue", DECEMBER)),
        Told("rain, with children", _around(busiest)),
        Told(
            "July, “ice cream for the children”",
            _words(busiest, "ice cream for the children", JULY),
        ),
    )


def _words(place: str, text: str, time: datetime) -> Scene:
    return Scene.parse(text, now=time).model_copy(update={"time": time, "place": place})


def _around(place: str) -> Scene:
    return Scene(time=DECEMBER, place=place, weather="rain", companions="children")


def page(shopper: str, run_id: str, listed: Sequence[Listed]) -> str:
    """The page: how much each list differs, then the lists, then what the marks mean."""
    base = listed[0]
    header = ("scene", "items not in the first list", "mean move of the others, ranks")
    lines = [(one.told.name, *_change(base.ids, one.ids)) for one in listed[1:]]
    parts = [
        "# The same shopper, other scenes",
        f"Shopper {shopper} of Complete Journey, run `{run_id}`; `python -m "
        "benchmarks.counterfactual`. Each list is compared with the first. **Bold**: not in it; "
        "(+2): two places up, (−1): one down. Offers are known "
        "for 2017 alone: in July no offer runs.",
        rows(header, lines),
        _side_by_side(listed),
        "The reason of the first item of each list:",
        "\n".join(f"- {one.told.name}: {one.found[0].reason}" for one in listed if one.found),
    ]
    return "\n\n".join(parts) + "\n"


def _change(base: Sequence[str], ids: Sequence[str]) -> tuple[str, str]:
    stayed = [abs(base.index(id_) - rank) for rank, id_ in enumerate(ids) if id_ in base]
    mean = f"{sum(stayed) / len(stayed):.1f}" if stayed else "–"
    return f"{len(ids) - len(stayed)} of {len(ids)}", mean


def _side_by_side(listed: Sequence[Listed]) -> str:
    base = listed[0]
    header = ["rank", *(one.told.name for one in listed)]
    lines = []
    for at in range(K):
        cells = [
            marked(base.ids, one.found[at], at) if at < len(one.found) else "" for one in listed
        ]
        lines.append([at + 1, *cells])
    table = rows(header, lines).splitlines()
    table[1] = f"| ---: |{' --- |' * len(listed)}"
    return "\n".join(table)


def marked(base: Sequence[str], one: Recommendation, at: int) -> str:
    """A title, bold where the first list lacks it, else with the places that it moved."""
    title = one.item.title.replace("|", "/")
    if one.item.item_id not in base:
        return f"**{title}**"
    up = base.index(one.item.item_id) - at
    return title if up == 0 else f"{title} ({'+' if up > 0 else '−'}{abs(up)})"


if __name__ == "__main__":
    main()
