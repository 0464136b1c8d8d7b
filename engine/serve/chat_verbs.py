"""What an engine worker does with a message to the assistant."""

from __future__ import annotations

from dataclasses import asdict
from functools import lru_cache

from engine.assistant.choose import Answers, open_assistant
from engine.assistant.conversation import Conversation
from engine.errors import UnknownIdError
from engine.llm.settings import settings_from_environment
from engine.recommend import Engine
from engine.serve.chat_schemas import ChatAnswer, ChatRequest, ConversationBody, StepOut
from engine.serve.wire import slots_of


def chat(call: ChatRequest, engine: Engine) -> ChatAnswer:
    """Answer one message of a conversation.

    Raises:
        UnknownIdError: The conversation names an item that is not in the catalogue.
    """
    sent = call.conversation
    for item_id in {*sent.shown, *sent.basket}:
        if item_id not in engine.run.vocabulary.items:
            raise UnknownIdError("item", item_id)
    reply = _assistant(engine).reply(
        call.user_id,
        call.message,
        Conversation(**dict(sent)),
        scene=call.scene,
        image=call.image,
        k=call.k,
    )
    return ChatAnswer(
        text=reply.text,
        intent=reply.intent.value,
        items=slots_of(engine, reply.items),
        question=reply.question,
        options=reply.options,
        way=tuple(StepOut(what=step.what, left=step.left) for step in reply.way),
        by_model=reply.by_model,
        conversation=ConversationBody(**asdict(reply.conversation)),
    )


@lru_cache(2)
def _assistant(engine: Engine) -> Answers:
    return open_assistant(engine, settings_from_environment())
