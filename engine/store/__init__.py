"""Durable state: the events of users and the lists they were shown."""

from engine.store.live_items import LiveItemTable
from engine.store.records import Erased, Impression, LiveRecord, Slot
from engine.store.sql import EventStore

__all__ = ["Erased", "EventStore", "Impression", "LiveItemTable", "LiveRecord", "Slot"]
