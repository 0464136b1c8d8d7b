"""No body is read generously: a text that looks like a number is none, nor is 1 a truth value."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import BaseModel, ValidationError

from engine.policy_rules import Policy
from engine.serve.chat_schemas import ChatRequest
from engine.serve.item_schemas import ItemBody, ItemChangesBody
from engine.serve.people_schemas import ExplainRequest, RankRequest, SceneRequest
from engine.serve.policy_schemas import PreviewRequest
from engine.serve.schemas import (
    ComplementsRequest,
    EventBody,
    RecommendRequest,
    SearchRequest,
)

Path = tuple[str | int, ...]
BODIES: tuple[type[BaseModel], ...] = (
    ChatRequest,
    ComplementsRequest,
    EventBody,
    ExplainRequest,
    ItemBody,
    ItemChangesBody,
    Policy,
    PreviewRequest,
    RankRequest,
    RecommendRequest,
    SceneRequest,
    SearchRequest,
)
NEIGHBOURS = {
    "number": ("1", True),
    "integer": ("1", True, 1.5),
    "boolean": ("true", 1, 0),
    "date-time": (1, 1.5, True),
}


def leaves(schema: dict, defs: dict, at: Path = ()) -> Iterator[tuple[str, Path]]:
    """Type and place of every number, truth value and moment; an item of an array is its first."""
    if "$ref" in schema:
        schema = defs[schema["$ref"].rpartition("/")[2]]
    kind = schema.get("format") if schema.get("format") == "date-time" else schema.get("type")
    if kind in NEIGHBOURS:
        yield str(kind), at
    for choice in schema.get("anyOf", ()):
        yield from leaves(choice, defs, at)
    for name, below in schema.get("properties", {}).items():
        yield from leaves(below, defs, (*at, name))
    if "items" in schema:
        yield from leaves(schema["items"], defs, (*at, 0))


def nested(path: Path, value: object) -> object:
    for part in reversed(path):
        value = [value] if part == 0 else {part: value}
    return value


CASES = [
    pytest.param(body, path, value, id=f"{body.__name__}-{'.'.join(map(str, path))}-{value!r}")
    for body in BODIES
    for schema in [body.model_json_schema()]
    for kind, path in leaves(schema, schema.get("$defs", {}))
    for value in NEIGHBOURS[kind]
]


@pytest.mark.parametrize(("body", "path", "wrong"), CASES)
def test_a_neighbour_is_refused_where_it_stands(body: type[BaseModel], path: Path, wrong: object):
    with pytest.raises(ValidationError) as caught:
        body.model_validate(nested(path, wrong))
    assert path in [error["loc"] for error in caught.value.errors()]


def test_every_kind_of_leaf_is_among_the_cases():
    found = {(case.values[0], ".".join(map(str, case.values[1]))) for case in CASES}
    for expected in (
        (RecommendRequest, "scene.temperature"),
        (RecommendRequest, "events.0.value"),
        (RecommendRequest, "explain"),
        (ItemBody, "price"),
        (Policy, "boosts.0.starts_at"),
        (PreviewRequest, "policy.caps.0.most"),
        (ChatRequest, "conversation.price_below"),
    ):
        assert expected in found
