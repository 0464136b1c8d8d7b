"""What a run knows about one recommended item: the facts that reasons are made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from engine.explain import Facts, Verb
from engine.interactions import Floats, Ints
from engine.runtime import Run
from engine.scene import Scene
from engine.scoring import Wish
from engine.types import KINDS, EventKind, Item
from graph import NodeType, Path, find_paths
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
    user: int | None
    scene: Scene
    history: History
    moment: Moment
    taken: Ints
    """Distinct items of the history."""
    strength: Floats
    """Visits in which each was taken, float32 of the same length."""
    slot: int
    """Part of the week, as :func:`retrieval.rerank.trends.day_slot` counts."""

    @classmethod
    def of(
        cls, run: Run, user_id: str, scene: Scene, history: History, moment: Moment
    ) -> Situation:
        """Gather it once per answer."""
        taken, counts = np.unique(history.item, return_counts=True)
        user = run.vocabulary.users.find(user_id)
        slot = int(day_slot(np.array([moment.local_s]))[0])
        strength = counts.astype(np.float32)
        return cls(run, user, scene, history, moment, taken, strength, slot)

    @property
    def verb(self) -> Verb:
        """What the user mostly does to items here."""
        if len(self.history) == 0:
            return VERBS[EventKind.PURCHASE]
        kind = KINDS[int(np.bincount(self.history.kind).argmax())]
        return VERBS.get(kind, VERBS[EventKind.PURCHASE])


def facts_of(
    situation: Situation, row: int, *, channels: tuple[str, ...], wishes: tuple[Wish, ...]
) -> Facts:
    """Everything that may be said of one item, each of it true at the scene's moment."""
    run, moment = situation.run, situation.moment
    item, trends = run.catalogue[row], run.world.trends
    visits, days_since, interval = _habit(situation, row)
    mask = int(run.world.offers.running(moment.place, moment.at_unix_s)[row])
    together, share = _together(situation, row)
    content = run.tables.content[row]
    likeness = {wish.channel: float(content @ wish.vector) for wish in wishes}
    group = run.world.items.groups[0]
    sold_here, place_lift = _place(run, moment, row)
    return Facts(
        item=item,
        category=item.categories[-1] if item.categories else None,
        times_taken=visits,
        days_since=days_since,
        interval_days=interval,
        category_times=int(situation.strength[group[situation.taken] == group[row]].sum()),
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
    neighbours, taken = situation.run.tables.neighbours, situation.taken
    if len(taken) == 0:
        return None, 0.0
    at = np.searchsorted(taken, neighbours.rows[row]).clip(max=len(taken) - 1)
    weight = np.where(taken[at] == neighbours.rows[row], neighbours.weight[row], np.float32(0))
    best = int(weight.argmax())
    if weight[best] <= 0:
        return None, 0.0
    return situation.run.catalogue[int(neighbours.rows[row, best])], float(weight[best])


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
    if situation.user is None or row >= situation.run.n_trained:
        return None
    run = situation.run
    paths: tuple[Path, ...] = find_paths(
        run.kg, situation.user, row, 1, weights=run.relation_weights
    )
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
