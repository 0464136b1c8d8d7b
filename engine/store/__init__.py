"""Durable state: the events of users and the lists they were shown."""

from engine.store.erasures import ErasureLog
from engine.store.impressions import ImpressionTable
from engine.store.live_items import LiveItemTable
from engine.store.records import Erased, Erasure, Impression, LiveRecord, Seen, Showing, Slot
from engine.store.sql import EventStore

__all__ = [
    "Erased",
    "Erasure",
    "ErasureLog",
    "EventStore",
    "Impression",
    "ImpressionTable",
    "LiveItemTable",
    "LiveRecord",
    "Seen",
    "Showing",
    "Slot",
]
