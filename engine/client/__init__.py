"""A typed client of the REST interface.

from engine.client import Client

with Client("http://127.0.0.1:8000") as shop:
for slot in shop.recommend("household-1228", k=5).items:
print(slot.item.title, slot.reason)
"""

from engine.client.client import Client
from engine.client.connection import ApiError
from engine.scene import Scene
from engine.serve.fields import FiltersBody, RecentEvent
from engine.serve.item_schemas import ItemBody, ItemChangesBody
from engine.serve.schemas import Reasons
from engine.types import Event, EventKind, Item, Likeness

__all__ = [
    "ApiError",
    "Client",
    "Event",
    "EventKind",
    "FiltersBody",
    "Item",
    "ItemBody",
    "ItemChangesBody",
    "Likeness",
    "Reasons",
    "RecentEvent",
    "Scene",
]
