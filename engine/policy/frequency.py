"""Items that rest because a user was shown them often and passed them by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from engine.policy_rules import Frequency
from engine.store import EventStore, Showing
from engine.types import Event, EventKind


def resting_items(
    store: EventStore, user_id: str, acts: Iterable[Event], rule: Frequency, now: datetime
) -> frozenset[str]:
    """Ids of the items that a user was shown too often lately.

    Impressions are written half a second after the answer at most: what two requests in one
    moment show is counted a moment later.

    Args:
        store: Knows what was shown.
        user_id: To whom.
        acts: The user's events.
        rule: How often is too often.
        now: Showings count up to this moment (time zone aware).
    """
    shown = store.shown.shown_to(user_id, now - timedelta(days=rule.days))
    return too_often(shown, acts, rule.most)


def too_often(shown: Sequence[Showing], acts: Iterable[Event], most: int) -> frozenset[str]:
    """Items shown ``most`` times or more since the user's last act on them.

    An act that names its request counts from that list on, whatever its own time: a shop may
    report events late, or live in another year.
    """
    listed_at = {showing.request_id: showing.at for showing in shown}
    cleared: dict[str, datetime] = {}
    for act in acts:
        if act.kind is not EventKind.DISMISS:
            at = listed_at.get(act.request_id or "", act.timestamp)
            cleared[act.item_id] = max(at, cleared.get(act.item_id, at))
    counts = Counter(
        showing.item_id
        for showing in shown
        if showing.item_id not in cleared or showing.at > cleared[showing.item_id]
    )
    return frozenset(item_id for item_id, n in counts.items() if n >= most)
