"""What the commands share: consoles, errors as one line, checks, a list as a table."""

from __future__ import annotations

import json
import os
import socket
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from engine.errors import DataError, SceneError, VitrineError

if TYPE_CHECKING:
    from engine.recommendation import Recommendation

# Before torch is imported: on a machine that does other things too, threads that spin while they
# wait for each other slow a training down several times over.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

console = Console()
complaints = Console(stderr=True)

# Said on import by a library's library; nobody at the terminal can do anything about it.
warnings.filterwarnings("ignore", ".*torch.jit.script.* is deprecated", FutureWarning)

BAD_INPUT, FAILED, INTERRUPTED = 2, 1, 130
"""Exit codes."""
RESUMABLE = ("encode", "tune-encoder", "train", "update", "evaluate", "demo")
"""Commands that keep what they have done."""


class Commands(TyperGroup):
    """Turns the errors that Vitrine raises on purpose into one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - the context type is private to typer
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except VitrineError as error:
            if ctx.params.get("debug"):
                raise
            line = f"error: {' '.join(str(error).split())}"
            complaints.print(Text(line, style="red"), soft_wrap=True)
            code = BAD_INPUT if isinstance(error, DataError | SceneError) else FAILED
            raise typer.Exit(code) from error
        except KeyboardInterrupt:
            again = " Run again: it resumes." if ctx.invoked_subcommand in RESUMABLE else ""
            complaints.print(Text(f"Interrupted.{again}", style="yellow"), soft_wrap=True)
            raise typer.Exit(INTERRUPTED) from None


@contextmanager
def checked() -> Iterator[None]:
    """Turn what pydantic finds wrong first into an error of the family.

    Raises:
        DataError: Names the field, what was got and what was expected.
    """
    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        message = first["msg"].removeprefix("Value error, ")
        raise DataError(f"{field}: {message}") from error


def must_be_free(address: str, port: int) -> None:
    """Find out that a port is taken before the engine is loaded, not after.

    Raises:
        BadParameter: The address and port cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise typer.BadParameter(
                f"{port} cannot be listened on ({error.strerror}): choose another with --port"
            ) from error


def show(found: Sequence[Recommendation], title: str, *, as_json: bool) -> None:
    """Print a list: a table for people, or everything as JSON."""
    if as_json:
        records = [asdict(recommendation) for recommendation in found]
        typer.echo(json.dumps(records, indent=2, ensure_ascii=False, default=str))
        return
    table = Table(title=Text(title), title_justify="left")
    table.add_column("", justify="right")
    table.add_column("item", no_wrap=True)
    table.add_column("title")
    table.add_column("score", justify="right")
    table.add_column("reason")
    for slot in found:
        cells = (str(slot.rank), slot.item.item_id, slot.item.title, f"{slot.score:.3f}")
        table.add_row(*map(Text, (*cells, slot.reason)))
    console.print(table)
