"""Facts to begin from: everything is unknown, until a test says otherwise."""

from engine.explain.facts import Facts, Verb
from engine.types import Item

BUY = Verb("buy", "bought")


def nothing_of(item: Item) -> Facts:
    """That an item is there, and no more."""
    return Facts(
        item=item,
        category=None,
        times_taken=0,
        days_since=None,
        interval_days=None,
        category_times=0,
        offers=(),
        place=None,
        place_lift=None,
        sold_here=0.0,
        slot=None,
        slot_lift=None,
        sold_28_days=0,
        together=None,
        together_share=0.0,
        path=None,
        wish=None,
        wish_similarity=None,
        photo_similarity=None,
        channels=(),
        verb=BUY,
    )
