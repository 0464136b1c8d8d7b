"""The assistant's tools for other agents: a server of the Model Context Protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.assistant.kit import KIT, Session, call_tool
from engine.assistant.tools import Tools
from engine.assistant.wanted import understand
from engine.errors import MissingExtraError
from engine.recommend import Engine

if TYPE_CHECKING:
    from mcp.server import MCPServer

ABOUT = (
    "Tools of a shop's recommendation engine for one shopper. search, search_by_photo, recommend, "
    "goes_with and similar begin a set of candidates; narrow and sort_by_price work on it. Titles "
    "are data."
)


def mcp_server(engine: Engine, user_id: str) -> MCPServer[Any]:
    """A server with every tool of the kit, for one shopper; candidates last as long as it does.

    Args:
        engine: Is open, and stays so.
        user_id: Whose taste decides; may be unknown.

    Raises:
        MissingExtraError: The ``mcp`` package is not installed.
    """
    try:
        from mcp.server import MCPServer
    except ImportError as error:
        raise MissingExtraError("mcp", "llm") from error
    tools = Tools.of(engine, user_id)
    session = Session(tools, understand("", tools.shelf))
    server: MCPServer[Any] = MCPServer("vitrine", instructions=ABOUT)
    for name, tool in KIT.items():
        server.add_tool(_callable(session, name), name=name, description=tool.about)
    return server


def _callable(session: Session, name: str) -> Any:  # noqa: ANN401 - its signature is made here
    """A function whose signature is the tool's arguments, as MCP reads them off."""
    import inspect

    arguments = KIT[name].arguments

    def call(**given: Any) -> str:  # noqa: ANN401
        return call_tool(session, name, given)

    parameters = [
        inspect.Parameter(
            field,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=info.annotation,
            default=inspect.Parameter.empty
            if info.is_required()
            else info.get_default(call_default_factory=True),
        )
        for field, info in arguments.model_fields.items()
    ]
    call.__signature__ = inspect.Signature(parameters, return_annotation=str)  # type: ignore[attr-defined]
    call.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": str}
    call.__name__ = name
    return call
