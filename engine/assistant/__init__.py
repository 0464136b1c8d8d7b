"""An assistant that shops with the customer, with or without a language model."""

from engine.assistant.assistant import Assistant
from engine.assistant.bus import Bus, Station
from engine.assistant.conversation import Conversation, Reply
from engine.assistant.intents import Intent
from engine.assistant.tools import Tools
from engine.assistant.wanted import Wanted, understand

__all__ = [
    "Assistant",
    "Bus",
    "Conversation",
    "Intent",
    "Reply",
    "Station",
    "Tools",
    "Wanted",
    "understand",
]
