"""Filters as parameters of a query: ``?category=Food&brands=Alba&max_price=5&attributes=a=b``."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query
from fastapi.exceptions import RequestValidationError
from pydantic import StringConstraints, ValidationError

from engine.serve.fields import FiltersBody, Id

Pair = Annotated[
    str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f=]{1,200}=[^\x00-\x1f\x7f]{1,200}$")
]
Amount = Annotated[float | None, Query(ge=0, le=1e12, allow_inf_nan=False)]


def _filters(
    category: Annotated[
        list[Id] | None, Query(max_length=20, description="Path, most general first; repeat it.")
    ] = None,
    brands: Annotated[
        list[Id] | None, Query(max_length=100, description="Any of these; repeat it.")
    ] = None,
    min_price: Amount = None,
    max_price: Amount = None,
    attributes: Annotated[
        list[Pair] | None, Query(max_length=50, description="All of these, as `key=value`.")
    ] = None,
) -> FiltersBody | None:
    """The conditions of a query; None where it names none.

    Raises:
        RequestValidationError: They contradict each other.
    """
    pairs = [pair.partition("=") for pair in attributes or ()]
    named: dict[str, object] = {
        "category": tuple(category or ()),
        "brands": tuple(brands or ()),
        "min_price": min_price,
        "max_price": max_price,
        "attributes": {key: value for key, _, value in pairs},
    }
    given = {name: value for name, value in named.items() if value not in (None, (), {})}
    try:
        return FiltersBody.model_validate(given) if given else None
    except ValidationError as error:
        found = [{**one, "loc": ("query", *one["loc"])} for one in error.errors()]
        raise RequestValidationError(found) from error


QueryFilters = Annotated[FiltersBody | None, Depends(_filters)]
"""Of a route: the filters that its query names."""
