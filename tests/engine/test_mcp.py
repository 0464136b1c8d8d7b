"""The MCP server: a client of the protocol lists the tools and shops with them."""

from __future__ import annotations

import asyncio
import base64

import planted
import pytest

from engine.assistant.kit import KIT
from engine.assistant.mcp_server import mcp_server
from engine.recommend import Engine
from engine.serve.examples import PIXEL

pytest.importorskip("mcp")


def test_a_client_lists_the_tools_and_narrows_candidates(shop: Engine):
    from mcp import Client

    async def work() -> tuple[set[str], dict, list[str]]:
        server = mcp_server(shop, planted.user_id(1))
        async with Client(server) as client:
            tools = (await client.list_tools()).tools
            search = next(tool for tool in tools if tool.name == "search")
            said = []
            for name, arguments in (
                ("search", {"words": "garden"}),
                ("narrow", {"max_price": 40}),
                ("narrow", {"category": "no such shelf"}),
                ("why", {"item_ids": ["no-such-item"]}),
                ("search_by_photo", {"photo": PIXEL}),
            ):
                answer = await client.call_tool(name, arguments)
                said.append("".join(block.text for block in answer.content))
            return {tool.name for tool in tools}, search.input_schema, said

    names, schema, (found, narrowed, none, unknown, pictured) = asyncio.run(work())
    assert names == set(KIT)
    assert schema["required"] == ["words"]
    assert int(narrowed.split()[0]) < int(found.split()[0])
    assert none == "0 candidates"
    assert unknown.startswith(("error", "no such"))
    nearest = shop.search(image=base64.b64decode(PIXEL), k=1)[0]
    assert pictured.splitlines()[1].startswith(f"[{nearest.item.item_id}]")
