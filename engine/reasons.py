"""What a run knows about one recommended item: the facts that reasons are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isnan

import numpy as np
from numpy.typing import NDArray

from engine.explain import Facts, Verb
from engine.familiar import Familiar, familiar
from engine.interactions import Ints
from engine.runtime import Run
from engine.scene import Scene
from engine.scoring import Wish
from engine.types import KINDS, EventKind
from graph import NodeType, Path, PathsFrom
from retrieval.rerank.needs import need_of
from retrieval.rerank.offers import OFFER_KINDS
from retrieval.rerank.records import DAY_S, History, Moment
from retrieval.rerank.taken import taken_of
from retrieval.rerank.trends import DAY_PARTS, day_slot

MIN_SALES_FOR_LIFT = 5
MIN_TAKES_FOR_INTERVAL = 3
PARTS = ("night", "night", "early morning", "morning", "midday", "afternoon", "evening", "night")
OFFERS_OF_MASK = tuple(
    tuple(kind for bit, kind in enumerate(OFFER_KINDS) if mask >> bit & 1)
    for mask in range(1 << len(OFFER_KINDS))
)
"""Kinds of offers by the bits that stand for them."""
VERBS = {
    EventKind.PURCHASE: Verb("buy", "bought"),
    EventKind.CART: Verb("pick", "picked"),
    EventKind.RATING: Verb("rate", "rated"),
    EventKind.CLICK: Verb("look at", "looked at"),
    EventKind.VIEW: Verb("look at", "looked at"),
}


@dataclass(frozen=True, slots=True)
class Situation:
    """What is the same for every item of one answer."""

    run: Run
    paths: PathsFrom | None
    """Through the graph, from the user; None for one whom the run does not know."""
    scene: Scene
    history: History
    moment: Moment
    on_offer: NDArray[np.uint8]
    """uint8 ``[I]``: a bit per kind of offer that runs at the scene's place and time."""
    slot: int
    """Part of the week, as :func:`retrieval.rerank.trends.day_slot` counts."""
    verb: Verb
    """What the user mostly does to items here."""

    @classmethod
    def of(
        cls, run: Run, user_id: str, scene: Scene, history: History, moment: Moment
    ) -> Situation:
        """Gather it once per answer."""
        user = run.vocabulary.users.find(user_id)
        return cls(
            run=run,
            paths=PathsFrom(run.kg, user, weights=run.relation_weights)
            if user is not None
            else None,
            scene=scene,
            history=history,
            moment=moment,
            on_offer=run.world.offers.running(moment.place, moment.at_unix_s),
            slot=day_slot(moment.local_s),
            verb=_verb(history),
        )


def _verb(history: History) -> Verb:
    """What the user mostly does to items here."""
    if len(history) == 0:
        return VERBS[EventKind.PURCHASE]
    kind = KINDS[int(np.bincount(history.kind).argmax())]
    return VERBS.get(kind, VERBS[EventKind.PURCHASE])


def facts_of(
    situation: Situation, row: int, *, channels: tuple[str, ...], wishes: tuple[Wish, ...]
) -> Facts:
    """Everything that may be said of one item, each of it true at the scene's moment."""
    rows = np.array([row], dtype=np.int64)
    return facts_of_all(situation, rows, channels=[channels], wishes=wishes)[0]


def facts_of_all(
    situation: Situation,
    rows: Ints,
    *,
    channels: Sequence[tuple[str, ...]],
    wishes: Sequence[Wish],
) -> list[Facts]:
    """What :func:`facts_of` finds for each item of a list, with each array read once.

    Args:
        situation: Of the answer.
        rows: Rows of the items, int64 ``[K]``.
        channels: Names of the retrieval channels that proposed each.
        wishes: What the scene asks for.
    """
    run, trends = situation.run, situation.run.world.trends
    place, slot, wish = _place_name(situation), _slot_name(situation.slot), situation.scene.wish
    known = familiar(rows, situation.history, run.world.items.groups[0], run.tables.neighbours)
    habits, due = _habits(known, situation.moment), _due_in_days(situation, rows, known)
    companions, shares = known.companion.tolist(), known.share.tolist()
    sold_here, place_lift = _at_place(situation, rows)
    group_times, offers = known.group_times.tolist(), situation.on_offer[rows].tolist()
    slot_lift = np.exp(trends.slot_lift[situation.slot][rows]).tolist()
    sold = trends.last_28_days[rows].tolist()
    by_wish, by_photo = (_cosines(run, rows, wishes, name) for name in ("words", "photo"))
    found = []
    for k, row in enumerate(rows.tolist()):
        item, (times, days_since, interval) = run.catalogue[row], habits[k]
        found.append(
            Facts(
                item=item,
                category=item.categories[-1] if item.categories else None,
                times_taken=times,
                days_since=days_since,
                interval_days=interval,
                category_times=group_times[k],
                offers=OFFERS_OF_MASK[offers[k]],
                place=place,
                place_lift=place_lift[k],
                sold_here=sold_here[k],
                slot=slot,
                slot_lift=slot_lift[k],
                sold_28_days=int(sold[k]),
                together=run.catalogue[companions[k]] if shares[k] > 0 else None,
                together_share=shares[k],
                path=None if times else _path(situation, row),
                wish=wish,
                wish_similarity=by_wish[k],
                photo_similarity=by_photo[k],
                channels=channels[k],
                verb=situation.verb,
                due_in_days=due[k],
            )
        )
    return found


def _habits(known: Familiar, moment: Moment) -> list[tuple[int, float | None, float | None]]:
    """Of each item, how often the user took it, days since then, and days between."""
    columns = known.times.tolist(), known.first_unix_s.tolist(), known.last_unix_s.tolist()
    found: list[tuple[int, float | None, float | None]] = []
    for times, first, last in zip(*columns, strict=True):
        since = (moment.at_unix_s - last) / DAY_S if times else None
        enough = times >= MIN_TAKES_FOR_INTERVAL
        found.append((times, since, (last - first) / DAY_S / (times - 1) if enough else None))
    return found


def _due_in_days(situation: Situation, rows: Ints, known: Familiar) -> list[float | None]:
    """Days until the user takes each item again; None for what they never took, or nobody twice."""
    world, past = situation.run.world, situation.history
    if world.needs is None or not known.times.any():
        return [None] * len(rows)
    taken = taken_of(past.item, rows, len(world.items))
    need = need_of(past, taken, situation.moment, world.needs)
    return [None if isnan(days) else days for days in need.due_in_days.tolist()]


def _at_place(situation: Situation, rows: Ints) -> tuple[list[float], list[float | None]]:
    """What was sold of each item at the place, and how much more than elsewhere."""
    trends, place = situation.run.world.trends, situation.moment.place
    if place == 0:
        return [0.0] * len(rows), [None] * len(rows)
    sold: list[float] = trends.at_place(place).sold[rows].tolist()
    total = max(float(trends.place_totals[place]), 1.0)
    overall = trends.overall_share[rows].tolist()
    lift = [
        here / total / max(share, 1e-9) if here >= MIN_SALES_FOR_LIFT else None
        for here, share in zip(sold, overall, strict=True)
    ]
    return sold, lift


def _cosines(
    run: Run, rows: Ints, wishes: Sequence[Wish], channel: str
) -> list[float] | list[None]:
    """How near each item is to what one of the wishes asks for."""
    vector = next((wish.vector for wish in wishes if wish.channel == channel), None)
    if vector is None:
        return [None] * len(rows)
    return [float(content @ vector) for content in run.tables.content[rows]]


def _place_name(situation: Situation) -> str | None:
    place = situation.moment.place
    return situation.run.vocabulary.places.id(place) if place else None


def _slot_name(slot: int) -> str:
    """The part of the week that :func:`retrieval.rerank.trends.day_slot` counts in."""
    days = "weekend" if slot >= DAY_PARTS else "weekday"
    return f"{days} {PARTS[slot % DAY_PARTS]}"


def _path(situation: Situation, row: int) -> str | None:
    """The best graph path from the user to the item, in words."""
    if situation.paths is None or row >= situation.run.n_trained:
        return None
    paths: tuple[Path, ...] = situation.paths.to(row, 1)
    if not paths:
        return None
    hops = paths[0].hops
    steps = []
    for hop in hops[:-1]:
        if hop.node_type == NodeType.ITEM:
            steps.append(situation.run.catalogue[hop.row].title)
    relations = {hop.relation.replace("_", " ") for hop in hops[1:]}
    if not steps:
        return None
    since = datetime.fromtimestamp(paths[0].at_unix_s, UTC) if paths[0].at_unix_s else None
    when = f" ({since:%B %Y})" if since else ""
    return f"you → {steps[0]}{when} → {', '.join(sorted(relations))} → this"
