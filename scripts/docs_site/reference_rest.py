"""The reference of the REST interface, from the server's own OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from scripts.docs_site.markdown import cell, fenced

Json = dict[str, Any]
GROUPS = {
    "lists": "Lists",
    "items": "Items",
    "events": "Events",
    "people": "People, reasons and scenes",
    "assistant": "The assistant",
    "choices": "What a page offers to choose from",
    "policy": "Policy and experiments",
    "pictures": "Pictures",
    "": "For operators",
}


def rest_page() -> str:
    """Every call with its parameters, bodies, examples and problems; then every schema."""
    return rendered(openapi())


def openapi() -> Json:
    """The document that a server gives at ``/openapi.json``; no worker is started for it."""
    from engine.serve import create_server

    with TemporaryDirectory() as nothing:
        server = create_server(Path(nothing))
        try:
            document: Json = server.app.openapi()
        finally:
            server.line.close()
            server.line.remove_folder()
    return document


def rendered(document: Json) -> str:
    """An OpenAPI document as Markdown."""
    lines = [
        "# REST reference",
        "",
        "Made from `/openapi.json`, which every server gives. [REST](../rest.md) shows the calls "
        "in use.",
        "",
    ]
    operations = list(_operations(document))
    tags = dict.fromkeys([*GROUPS, *(tag for *_, tag in operations)])
    for tag in tags:
        chosen = [(m, p, o) for m, p, o, found in operations if found == tag]
        if chosen:
            lines += [f"## {GROUPS.get(tag, tag.title())}", ""]
            for method, path, operation in chosen:
                lines += _call(method, path, operation)
    lines += ["## Schemas", ""]
    for name, schema in sorted(document["components"]["schemas"].items()):
        lines += _schema(name, schema)
    return "\n".join(lines)


def _operations(document: Json) -> Iterator[tuple[str, str, Json, str]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation, (operation.get("tags") or [""])[0]


def _call(method: str, path: str, operation: Json) -> list[str]:
    told = operation.get("description") or operation.get("summary", "")
    lines = [f"### {method} {path}", "", told, ""]
    if operation.get("parameters"):
        lines += ["| parameter | in | type | what |", "| --- | --- | --- | --- |"]
        for one in operation["parameters"]:
            what = one.get("description", "") or one["schema"].get("description", "")
            name = f"`{one['name']}`{' (required)' if one.get('required') else ''}"
            lines.append(f"| {name} | {one['in']} | {_type(one['schema'])} | {cell(what)} |")
        lines.append("")
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body:
        lines += [f"Body: {_type(body['schema'])}.", "", *_examples(body)]
    lines += ["| status | answer |", "| --- | --- |"]
    for status, response in sorted(operation["responses"].items()):
        lines.append(f"| {status} | {_answer(response)} |")
    return [*lines, ""]


def _examples(body: Json) -> Iterator[str]:
    for example in body.get("examples", {}).values():
        if "summary" in example:
            yield from (f"{example['summary']}:", "")
        yield from (
            fenced(json.dumps(_short(example["value"]), indent=2, ensure_ascii=False), "json"),
            "",
        )


def _short(value: Any) -> Any:  # noqa: ANN401
    """The same without the length of pictures in base64."""
    if isinstance(value, dict):
        return {key: _short(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_short(one) for one in value]
    return f"{value[:40]}…" if isinstance(value, str) and len(value) > 200 else value


def _answer(response: Json) -> str:
    kinds = [_type(c["schema"]) for c in response.get("content", {}).values() if c.get("schema")]
    kinds = [kind for kind in kinds if kind != "anything"]
    return cell(" ".join([response.get("description", ""), *kinds]))


def _schema(name: str, schema: Json) -> list[str]:
    lines = [f"### {name}", "", *((schema["description"], "") if "description" in schema else ())]
    if "enum" in schema:
        return [*lines, "One of " + ", ".join(f"`{value}`" for value in schema["enum"]) + ".", ""]
    if not schema.get("properties"):
        return [*lines, f"{_type(schema)}", ""]
    required = set(schema.get("required", ()))
    lines += ["| field | type | default | what |", "| --- | --- | --- | --- |"]
    for field, one in schema["properties"].items():
        default = "required" if field in required else _default(one)
        what = cell(" ".join([one.get("description", ""), _bounds(one)]))
        lines.append(f"| `{field}` | {_type(one)} | {default} | {what} |")
    return [*lines, ""]


def _default(schema: Json) -> str:
    if "default" not in schema:
        return ""
    told = json.dumps(schema["default"], ensure_ascii=False)
    return f"`{cell(told)}`" if len(told) <= 40 else ""


def _bounds(schema: Json) -> str:
    names = {"minimum": "≥", "maximum": "≤", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}
    sizes = {"minLength": "at least {} long", "maxLength": "at most {} long"}
    counts = {"minItems": "at least {} of them", "maxItems": "at most {} of them"}
    for one in (schema, *schema.get("anyOf", ())):
        told = [f"{sign} {one[key]:g}" for key, sign in names.items() if key in one]
        told += [text.format(one[key]) for key, text in {**sizes, **counts}.items() if key in one]
        if told:
            return f"({', '.join(told)})"
    return ""


def _type(schema: Json) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(_type(one) for one in schema[several]))
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return ", ".join(f"`{json.dumps(value)}`" for value in values)
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"map to {_type(schema['additionalProperties'])}"
    form = schema.get("format")
    return f"{kind} ({form})" if form else str(kind)
