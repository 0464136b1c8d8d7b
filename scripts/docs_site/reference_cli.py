"""The reference of the command line, from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typer.main import get_command

from scripts.docs_site.markdown import cell, fenced


def cli_page() -> str:
    """Every command with its arguments, options, defaults and examples."""
    from engine.cli import app

    lines = ["# Commands", "", "`vitrine COMMAND --help` says the same.", ""]
    for path, command in commands(get_command(app)):
        lines += _section(path, command)
    return "\n".join(lines)


def commands(group: Any, path: tuple[str, ...] = ("vitrine",)) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """The commands of a group and of the groups in it, each with all its words."""
    for name, command in sorted(group.commands.items()):
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def _section(path: str, command: Any) -> list[str]:  # noqa: ANN401
    shown = [p for p in command.params if p.name != "help"]
    arguments = [p for p in shown if p.param_type_name == "argument"]
    options = [p for p in shown if p.param_type_name == "option"]
    usage = " ".join([path, *("[OPTIONS]" for _ in options[:1]), *map(_metavar, arguments)])
    lines = [f"## {path}", "", *_told(command.help or ""), "", fenced(usage, "text"), ""]
    if arguments or options:
        lines += ["| given | what | default |", "| --- | --- | --- |"]
        lines += [_row(f"`{_metavar(p)}`", p) for p in arguments]
        lines += [
            _row(", ".join(f"`{o}`" for o in (*p.opts, *p.secondary_opts)), p) for p in options
        ]
    examples = [e.removeprefix("Example: ") for e in (command.epilog or "").split("\n\n") if e]
    return [*lines, "", fenced("\n".join(examples), "console"), ""] if examples else [*lines, ""]


def _told(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


def _metavar(parameter: Any) -> str:  # noqa: ANN401
    return str(parameter.metavar or parameter.name.upper())


def _row(given: str, parameter: Any) -> str:  # noqa: ANN401
    default = parameter.default
    known = default is not None and not callable(default) and default is not False and default != ""
    shown = f"`{default}`" if known and not parameter.required else ""
    return f"| {given} | {cell(parameter.help or '')} | {cell(shown)} |"
