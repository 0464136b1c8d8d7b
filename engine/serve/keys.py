"""API keys: who may do what. Only their hashes are ever stored."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from engine.serve.rates import Rate


class Scope(StrEnum):
    """What a key is good for; ``admin`` is good for everything."""

    READ = "read"
    EVENTS = "events"
    ITEMS = "items"
    ADMIN = "admin"


class ApiKey(BaseModel):
    """A key by its hash.

    Keys are long random texts, such as ``openssl rand -hex 32`` makes, so that one round of
    SHA-256 is enough: there is no dictionary of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,50}$")]
    """Who holds it; for logs, which never tell the key."""
    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-fA-F]{64}$", to_lower=True)]
    """Of the key's UTF-8 bytes: ``printf %s "$KEY" | sha256sum``."""
    scopes: Annotated[frozenset[Scope], Field(min_length=1)]
    rate: Rate | None = None
    """Overrides the rate that the settings give to every key."""


OPEN_PATHS = re.compile(
    r"/|/operator|/(?:page|pictures|docs)(?:/.*)?|/(?:health|ready|openapi\.json)"
)
"""What nobody needs a key for: the page, pictures, health, and what the interface is."""

_POSTS_THAT_READ = re.compile(r"/v1/(?:recommend|rank|search|complements|explain|scene|chat)")
_READS_FOR_OPERATORS = re.compile(r"/v1/(?:runs|policy|experiments)(?:/.*)?")


def needed_scope(method: str, path: str) -> Scope | None:
    """What a request needs; None where it needs nothing. What is not listed needs ``admin``."""
    if OPEN_PATHS.fullmatch(path):
        return None
    if method in {"GET", "HEAD"}:
        return Scope.ADMIN if _READS_FOR_OPERATORS.fullmatch(path) else Scope.READ
    if method == "POST" and path == "/v1/events":
        return Scope.EVENTS
    if method == "POST" and _POSTS_THAT_READ.fullmatch(path):
        return Scope.READ
    if method in {"PUT", "PATCH", "DELETE"} and path.startswith("/v1/items/"):
        return Scope.ITEMS
    return Scope.ADMIN


def allows(scopes: Iterable[Scope], needed: Scope | None) -> bool:
    """Whether some scopes are enough."""
    held = set(scopes)
    return needed is None or needed in held or Scope.ADMIN in held


def key_of(given: str, keys: Iterable[ApiKey]) -> ApiKey | None:
    """The key that a text is; compares with all of them, in a time that tells nothing."""
    digest = hashlib.sha256(given.encode("utf-8", "surrogateescape")).hexdigest()
    found = None
    for key in keys:
        if hmac.compare_digest(digest, key.sha256):
            found = key
    return found
