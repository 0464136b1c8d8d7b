"""What a run knows about one recommended item: the facts that reasons are made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from engine.explain import Facts, Verb
from engine.interactions import Ints
from engine.runtime import Run
from engine.scene import Scene
from engine.scoring import Wish
from engine.types import KINDS, EventKind, Item
from graph import NodeType, Path, PathsFrom
from retrieval.candidates import Bools
from retrieval.rerank.needs import Due, due_of
from retrieval.rerank.offers import OFFER_KINDS
from retrieval.rerank.records import DAY_S, History, Moment
from retrieval.rerank.trends import DAY_PARTS, day_slot

MIN_SALES_FOR_LIFT = 5
MIN_TAKES_FOR_INTERVAL = 3
PARTS = ("night", "night", "early morning", "morning", "midday", "afternoon", "evening", "night")
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
    has_taken: Bools
    """bool ``[I]``: items of the history."""
    of_group: Ints
    """Events of the history per finest group."""
    on_offer: NDArray[np.uint8]
    """uint8 ``[I]``: a bit per kind of offer that runs at the scene's place and time."""
    slot: int
    """Part of the week, as :func:`retrieval.rerank.trends.day_slot` counts."""
    verb: Verb
    """What the user mostly does to items here."""
    due: Due | None
    """When the user will take again what they took; None for a run that has not learned it."""

    @classmethod
    def of(
        cls, run: Run, user_id: str, scene: Scene, history: History, moment: Moment
    ) -> Situation:
        """Gather it once per answer."""
        items = run.world.items
        user = run.vocabulary.users.find(user_id)
        has_taken = np.zeros(len(items), dtype=np.bool_)
        has_taken[history.item] = True
        return cls(
            run=run,
            paths=PathsFrom(run.kg, user, weights=run.relation_weights)
            if user is not None
            else None,
            scene=scene,
            history=history,
            moment=moment,
            has_taken=has_taken,
            of_group=np.bincount(items.groups[0][history.item], minlength=items.n_groups[0]),
            on_offer=run.world.offers.running(moment.place, moment.at_unix_s),
            slot=int(day_slot(np.array([moment.local_s]))[0]),
            verb=_verb(history),
            due=due_of(history, moment, run.world.needs) if run.world.needs else None,
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
    run, moment = situation.run, situation.moment
    item, trends = run.catalogue[row], run.world.trends
    visits, days_since, interval = _habit(situation, row)
    mask = int(situation.on_offer[row])
    together, share = _together(situation, row)
    content = run.tables.content[row]
    likeness = {wish.channel: float(content @ wish.vector) for wish in wishes}
    group = int(run.world.items.groups[0, row])
    sold_here, place_lift = _place(run, moment, row)
    return Facts(
        item=item,
        category=item.categories[-1] if item.categories else None,
        times_taken=visits,
        days_since=days_since,
        interval_days=interval,
        category_times=int(situation.of_group[group]),
        offers=tuple(kind for bit, kind in enumerate(OFFER_KINDS) if mask >> bit & 1),
        place=run.vocabulary.places.id(moment.place) if moment.place else None,
        place_lift=place_lift,
        sold_here=sold_here,
        slot=_slot_name(situation.slot),
        slot_lift=float(np.exp(trends.slot_lift[situation.slot, row])),
        sold_28_days=int(trends.last_28_days[row]),
        together=together,
        together_share=share,
        path=None if visits else _path(situation, row),
        wish=situation.scene.wish,
        wish_similarity=likeness.get("words"),
        photo_similarity=likeness.get("photo"),
        channels=channels,
        verb=situation.verb,
        due_in_days=situation.due.of(row) if situation.due else None,
    )


def _habit(situation: Situation, row: int) -> tuple[int, float | None, float | None]:
    history = situation.history
    at = history.at_unix_s[history.item == row]
    if len(at) == 0:
        return 0, None, None
    days_since = (situation.moment.at_unix_s - int(at[-1])) / DAY_S
    enough = len(at) >= MIN_TAKES_FOR_INTERVAL
    interval = (int(at[-1]) - int(at[0])) / DAY_S / (len(at) - 1) if enough else None
    return len(at), days_since, interval


def _together(situation: Situation, row: int) -> tuple[Item | None, float]:
    """The item of the history that most of this one's users took too."""
    neighbours = situation.run.tables.neighbours
    rows = neighbours.rows[row]
    weight = neighbours.weight[row] * situation.has_taken[rows]
    best = int(weight.argmax())
    if weight[best] <= 0:
        return None, 0.0
    return situation.run.catalogue[int(rows[best])], float(weight[best])


def _place(run: Run, moment: Moment, row: int) -> tuple[float, float | None]:
    trends = run.world.trends
    if moment.place == 0:
        return 0.0, None
    here = float(trends.at_place(moment.place).sold[row])
    if here < MIN_SALES_FOR_LIFT:
        return here, None
    share = here / max(float(trends.place_totals[moment.place]), 1.0)
    return here, share / max(float(trends.overall_share[row]), 1e-9)


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
