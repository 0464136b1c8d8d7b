"""Filters in the query of an item's lists."""

from __future__ import annotations

from typing import Any

import planted
import pytest
from fastapi import FastAPI, Response
from fastapi.testclient import TestClient

from engine.filters import Filters
from engine.recommend import Engine
from engine.serve.fields import Request
from engine.serve.item_routes import item_routes
from engine.serve.problems import install_problem_handlers
from engine.serve.verbs import answer

ITEM = planted.item_id(0)
"""Of the kitchen, on its first shelf, with no brand."""


class OwnDesk:
    """A desk without workers: the engine of this process answers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def ask_for_list(self, call: Request) -> Response:
        return Response(answer(call, self._engine).model_dump_json(), media_type="application/json")


@pytest.fixture
def client(shop: Engine) -> TestClient:
    web = FastAPI()
    web.include_router(item_routes(OwnDesk(shop)))
    install_problem_handlers(web)
    return TestClient(web)


@pytest.mark.parametrize("verb", ["similar", "complements"])
@pytest.mark.parametrize(
    ("query", "filters"),
    [
        ({"max_price": 20}, Filters(max_price=20)),
        ({"min_price": "2.5", "max_price": 9}, Filters(min_price=2.5, max_price=9)),
        ({"brands": ["Brand 1", "Brand 2"]}, Filters(brands=("Brand 1", "Brand 2"))),
        ({"category": ["Kitchen", "Kitchen dry"]}, Filters(("Kitchen", "Kitchen dry"))),
        ({"attributes": ["colour=a=b"]}, Filters(attributes={"colour": "a=b"})),
        ({}, None),
    ],
)
def test_a_list_keeps_to_the_filters_of_its_query(
    shop: Engine, client: TestClient, verb: str, query: dict[str, Any], filters: Filters | None
):
    answered = client.get(f"/v1/items/{ITEM}/{verb}", params={"k": 5, **query}).json()
    there = [slot["item"]["item_id"] for slot in answered["items"]]
    asked = shop.similar if verb == "similar" else shop.complements
    assert there == [r.item.item_id for r in asked(ITEM, k=5, filters=filters)]
    assert all(filters is None or filters.met_by(shop.item(item_id)) for item_id in there)
    assert there or verb == "complements" or "attributes" in query


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"min_price": 3, "max_price": 2}, "query"),
        ({"attributes": "red"}, "attributes.0"),
        ({"attributes": "=red"}, "attributes.0"),
        ({"max_price": "nan"}, "max_price"),
        ({"min_price": -1}, "min_price"),
        ({"brands": ""}, "brands.0"),
    ],
)
def test_a_filter_that_cannot_be_is_named(
    client: TestClient, query: dict[str, Any], parameter: str
):
    refused = client.get(f"/v1/items/{ITEM}/similar", params=query)
    assert refused.status_code == 422
    assert [fault["parameter"] for fault in refused.json()["errors"]] == [parameter]
