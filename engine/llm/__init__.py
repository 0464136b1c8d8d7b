"""Language models by configuration, and what they cost; none is needed for anything."""

from engine.llm.models import open_chat_model
from engine.llm.settings import ModelSettings
from engine.llm.usage import Usage
from engine.llm.within import ModelTooSlowError, stream_within

__all__ = ["ModelSettings", "ModelTooSlowError", "Usage", "open_chat_model", "stream_within"]
