"""Which assistant answers: one with a model where one is configured, the grammar's otherwise."""

from __future__ import annotations

from typing import Protocol

from engine.assistant.assistant import SHOWN, Assistant
from engine.assistant.conversation import Conversation, Reply
from engine.llm.settings import ModelSettings
from engine.recommend import Engine
from engine.scene import Scene


class Answers(Protocol):
    """What both assistants do."""

    def reply(
        self,
        user_id: str,
        text: str,
        conversation: Conversation | None = None,
        *,
        scene: Scene | None = None,
        image: bytes | None = None,
        k: int = SHOWN,
    ) -> Reply:
        """Answer one message."""
        ...


def open_assistant(engine: Engine, settings: ModelSettings | None = None) -> Answers:
    """The assistant of an engine.

    Args:
        engine: Is open.
        settings: A model; None is no model.

    Raises:
        MissingExtraError: What the model needs is not installed.
        ModelUnavailableError: It cannot be opened.
    """
    if settings is None:
        return Assistant(engine)
    from engine.assistant.langgraph_agent import ModelAssistant

    return ModelAssistant.open(engine, settings)
