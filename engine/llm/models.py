"""Chat models by name, through LangChain."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urldefrag

from engine.errors import MissingExtraError, VitrineError
from engine.llm.settings import ModelSettings

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

LOCAL = "local"
EXTRA = "llm"


class ModelUnavailableError(VitrineError):
    """A language model cannot be reached or set up."""


def open_chat_model(settings: ModelSettings) -> BaseChatModel:
    """Open the model that the settings name.

    Raises:
        MissingExtraError: LangChain, the provider's package or the packaged model is missing.
        ModelUnavailableError: The provider is unknown, or needs a key that is not set.
    """
    if settings.model == LOCAL:
        from engine.llm.xllamacpp_server import local_server

        return _at_url(local_server(settings.threads), settings)
    if settings.model.startswith(("http://", "https://")):
        return _at_url(settings.model, settings)
    return _by_provider(settings)


def _at_url(url: str, settings: ModelSettings) -> BaseChatModel:
    """A server that speaks as OpenAI's does; the part behind # names its model."""
    try:
        from langchain_openai import ChatOpenAI
        from pydantic import SecretStr
    except ImportError as error:
        raise MissingExtraError("langchain-openai", EXTRA) from error
    base, name = urldefrag(url)
    return ChatOpenAI(
        base_url=base,
        model=name or "default",
        api_key=SecretStr("none"),
        temperature=settings.temperature,
        max_completion_tokens=settings.max_tokens,
        timeout=settings.timeout_s,
        max_retries=0,
        stream_usage=True,
    )


def _by_provider(settings: ModelSettings) -> BaseChatModel:
    try:
        from langchain.chat_models import init_chat_model
    except ImportError as error:
        raise MissingExtraError("langchain", EXTRA) from error
    try:
        opened = init_chat_model(
            settings.model,
            temperature=settings.temperature,
            max_tokens=settings.max_tokens,
            timeout=settings.timeout_s,
            max_retries=0,
        )
    except ImportError as error:
        raise MissingExtraError(f"the package of {settings.model!r} ({error})", EXTRA) from error
    except Exception as error:  # every provider has errors of its own for a key that is missing
        raise ModelUnavailableError(
            f"model {settings.model!r} cannot be opened ({error}); expected 'provider:name' as "
            "LangChain knows it, a URL, or 'local'"
        ) from error
    return opened
