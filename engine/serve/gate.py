"""The gate before every route: who asks, may they, and not too often."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from engine.serve.keys import ApiKey, allows, key_of, needed_scope
from engine.serve.keys import Scope as KeyScope
from engine.serve.problems import Problem, problem_response
from engine.serve.rates import Buckets
from engine.serve.safety import LOCAL_HOSTS, Safety

EVERYTHING = frozenset(KeyScope)
ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class _Asker:
    name: str
    """Of the key, or ``anonymous``."""
    bucket: str
    scopes: frozenset[KeyScope]
    key: ApiKey | None


class Gate:
    """ASGI middleware: 401 for a wrong key or none, 403 for the wrong scope, 429 for too often.

    Routes find the name of the key in ``request.state.asked_by``.
    """

    def __init__(self, app: ASGIApp, safety: Safety) -> None:
        self.app = app
        self._safety = safety
        self._buckets = Buckets()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or answer it with a problem."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is None:
            await self.app(scope, receive, send)
        else:
            problem, headers = refusal
            await problem_response(problem, headers)(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[Problem, dict[str, str]] | None:
        headers = Headers(scope=scope)
        given = _given_key(headers)
        address = self._address(scope, headers)
        key = key_of(given, self._safety.keys) if given else None
        asker = self._asker(key, address, is_here=_is_here(scope, headers, address))
        scope.setdefault("state", {})["asked_by"] = asker.name
        needed = needed_scope(scope["method"], scope["path"])
        if needed is None:
            return None
        if (wait_s := self._wait_s(asker)) > 0:
            detail = f"too many requests: ask again in {wait_s} s"
            return Problem(status=429, detail=detail), {"Retry-After": str(wait_s)}
        if given and key is None and self._safety.keys:
            return _unauthorized("the API key is not known here")
        if allows(asker.scopes, needed):
            return None
        if key is None:
            return _unauthorized(self._how_to_ask(needed))
        scopes = ", ".join(sorted(key.scopes))
        detail = f"key {key.name!r} has {scopes}; this needs {needed}"
        return Problem(status=403, detail=detail), {}

    def _asker(self, key: ApiKey | None, address: str, *, is_here: bool) -> _Asker:
        if key is not None:
            return _Asker(key.name, f"key {key.name}", key.scopes, key)
        scopes = EVERYTHING if is_here and self._safety.is_local_only else self._safety.anonymous
        return _Asker(ANONYMOUS, f"address {_network(address)}", scopes, None)

    def _wait_s(self, asker: _Asker) -> int:
        key, safety = asker.key, self._safety
        rate = safety.anonymous_rate if key is None else key.rate or safety.rate
        return 0 if rate is None else self._buckets.wait_s(asker.bucket, rate)

    def _address(self, scope: Scope, headers: Headers) -> str:
        """Of whoever asks: of the connection, or as the shop's own proxies tell."""
        told = headers.get("x-forwarded-for", "").split(",")
        if 0 < self._safety.proxies <= len(told) and told[0]:
            return told[-self._safety.proxies].strip()
        client = scope.get("client")
        return str(client[0]) if client else ""

    def _how_to_ask(self, needed: KeyScope) -> str:
        if self._safety.is_local_only:
            return "no API keys are configured, so only requests from this machine are answered"
        return f"this needs an API key with {needed}: send 'Authorization: Bearer KEY'"


def _given_key(headers: Headers) -> str:
    scheme, _, credentials = headers.get("authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")


def _unauthorized(detail: str) -> tuple[Problem, dict[str, str]]:
    return Problem(status=401, detail=detail), {"WWW-Authenticate": "Bearer"}


def _is_here(scope: Scope, headers: Headers, address: str) -> bool:
    """Whether a program of this machine asks, and for no one else.

    A proxy on this machine names whom it asks for. The name that was asked for is looked at
    because a page of anybody may resolve its own name to this machine.
    """
    if "x-forwarded-for" in headers or "forwarded" in headers:
        return False
    host = headers.get("host", "").rsplit(":", 1)[0].strip("[]")
    return _is_loopback(address) and host in LOCAL_HOSTS


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _network(address: str) -> str:
    """The address; of an IPv6 one its /64, which one asker may have all of."""
    try:
        known = ip_address(address)
    except ValueError:
        return address[:50]
    if isinstance(known, IPv6Address):
        return known.exploded[:19]
    return str(known)
