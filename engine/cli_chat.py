"""The commands that talk: ``vitrine chat`` and ``vitrine mcp``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from engine.assistant.conversation import Reply

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="Folder that train wrote.")]
User = Annotated[str, typer.Option("--user", "-u", help="Whose taste decides; may be unknown.")]
StoreUrl = Annotated[
    str | None,
    typer.Option(help="SQLAlchemy URL of the event store; by default SQLite in the run's folder."),
]
Model = Annotated[
    str | None,
    typer.Option(
        "--model",
        envvar="VITRINE_LLM",
        help="A language model: openai:NAME, a URL, local, or a YAML file of settings.",
    ),
]
BYE = frozenset({"bye", "exit", "quit", "再见"})


def chat(
    run: RunFolder,
    message: Annotated[
        str | None, typer.Argument(metavar="[MESSAGE]", help="Ask once; without it, talk.")
    ] = None,
    user: User = "guest",
    model: Model = None,
    k: Annotated[int, typer.Option("-k", "--count", min=1, max=20, help="How many items.")] = 5,
    store_url: StoreUrl = None,
) -> None:
    """Talk with the assistant; it needs no language model."""
    from engine.assistant.choose import open_assistant
    from engine.llm.settings import settings_of
    from engine.recommend import Engine

    console = Console()
    settings = settings_of(model) if model else None
    with Engine.open(run, store_url=store_url) as engine:
        assistant = open_assistant(engine, settings)
        conversation = None
        for text in [message] if message is not None else _typed(console):
            reply = assistant.reply(user, text, conversation, k=k)
            conversation = reply.conversation
            _show(console, reply)


def mcp(run: RunFolder, user: User = "guest", store_url: StoreUrl = None) -> None:
    """Offer the assistant's tools to other agents, over standard input and output (MCP)."""
    from engine.assistant.mcp_server import mcp_server
    from engine.recommend import Engine

    with Engine.open(run, store_url=store_url) as engine:
        mcp_server(engine, user).run("stdio")


def _typed(console: Console) -> Iterator[str]:
    """Messages until the end of input, or until somebody says goodbye."""
    while True:
        try:
            text = console.input("> ").strip()
        except (EOFError, KeyboardInterrupt):
            return
        if text.casefold() in BYE:
            return
        if text:
            yield text


def _show(console: Console, reply: Reply) -> None:
    console.print(reply.text, markup=False)
    for one in reply.items:
        price = "" if one.item.price is None else f"  {one.item.price:,.2f}"
        console.print(f"{one.rank}. {one.item.title}{price}", style="bold", markup=False)
        console.print(f"   {one.reason}  [{one.item.item_id}]", markup=False)
    if reply.question is not None:
        console.print(reply.question, markup=False)


COMMANDS: dict[Callable[..., None], str] = {
    chat: 'Example: vitrine chat runs/demo "red wine under $10"\n\n'
    "Example: vitrine chat runs/demo --user 2042",
    mcp: "Example: vitrine mcp runs/demo --user 2042",
}
"""The commands, and the examples below their help."""
