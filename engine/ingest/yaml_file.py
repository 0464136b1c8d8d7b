"""YAML whose problems are told with their line."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

from engine.errors import MappingError


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """A file's content, and the nodes that know its lines."""

    path: Path
    content: object
    root: yaml.Node

    def line(self, location: Sequence[int | str]) -> int:
        """Line, from 1, of the deepest part of a location that the file has."""
        node, line = self.root, self.root.start_mark.line
        for step in location:
            found = _child(node, step)
            if found is None:
                break
            key, node = found
            line = key.start_mark.line
        return line + 1


def read_yaml(path: Path) -> YamlDocument:
    """Read a YAML file of one mapping.

    Raises:
        MappingError: The file is missing, is no UTF-8 or no YAML, is empty, has a key twice,
            or uses an alias.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except OSError as error:
        raise MappingError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise MappingError(f"{path} is not UTF-8: save it as UTF-8") from error
    except (yaml.YAMLError, ValueError) as error:
        raise MappingError(f"{path} is not YAML: {error}") from error
    if root is None or not isinstance(content, dict):
        raise MappingError(
            f"{path}: expected keys such as settings and events; got {content!r:.80}"
        )
    _refuse_twins(path, root)
    return YamlDocument(path=path, content=content, root=root)


def problem_at(location: tuple[str, ...], text: str) -> PydanticCustomError:
    """A validation error for a place below the model that finds it."""
    return PydanticCustomError("located", "{text}", {"text": text, "at": location})


def describe_problem(document: YamlDocument, error: ValidationError, model: type[BaseModel]) -> str:
    """What is wrong in a document that a model refused, one line a problem."""
    lines = []
    for problem in error.errors(include_url=False):
        location = problem.get("ctx", {}).get("at", problem["loc"])
        key = ".".join(map(str, location)) or "the file"
        text = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            text = f"unknown key; {_nearest(str(location[-1]), _fields(model, location[:-1]))}"
        elif problem["type"] not in ("value_error", "located"):
            text = f"{text}; got {problem['input']!r:.80}"
        lines.append(f"{document.path}, line {document.line(location)}: {key}: {text}")
    return "\n".join(lines)


def _child(node: yaml.Node, step: int | str) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        return next((pair for pair in node.value if pair[0].value == step), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


def _refuse_twins(path: Path, node: yaml.Node) -> None:
    """Refuse a key that comes twice, and an alias (``*name``), which nothing here needs."""
    waiting, met = [node], {id(node)}
    while waiting:
        current = waiting.pop()
        pairs = current.value if isinstance(current, yaml.MappingNode) else []
        seen: dict[str, int] = {}
        for key, _ in pairs:
            line = key.start_mark.line + 1
            if key.value in seen:
                first = seen[key.value]
                raise MappingError(f"{path}, line {line}: {key.value!r} is already on line {first}")
            seen[key.value] = line
        children = current.value if isinstance(current, yaml.SequenceNode) else []
        for child in [*children, *(value for _, value in pairs)]:
            if id(child) in met:
                raise MappingError(f"{path}: a YAML alias is used; write the value out")
            met.add(id(child))
            waiting.append(child)


def _fields(model: type[BaseModel], location: Sequence[int | str]) -> list[str]:
    """Keys that the model allows at a location."""
    current = model
    for step in location:
        field = current.model_fields.get(str(step))
        if field is None:
            continue
        current = _model_in(field.annotation) or current
    return [name for name, field in current.model_fields.items() if not field.exclude]


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(part) for part in get_args(annotation))
    return next((model for model in found if model is not None), None)


def _nearest(wrong: str, known: list[str]) -> str:
    near = difflib.get_close_matches(wrong, known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    return f"expected one of {', '.join(known)}"
