"""Durable state: the events of users and the lists they were shown."""

from engine.store.records import Erased, Impression, Slot
from engine.store.sql import EventStore

__all__ = ["Erased", "EventStore", "Impression", "Slot"]
