"""Keys, scopes and rates: who is let through, and what the others are told."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from engine.errors import DataError
from engine.serve.gate import Gate
from engine.serve.keys import Scope, key_of, needed_scope
from engine.serve.rates import MOST_BUCKETS, Buckets, Rate
from engine.serve.safety import Safety

HERE, ELSEWHERE = ("127.0.0.1", 5000), ("203.0.113.7", 5000)
READ = ("POST", "/v1/recommend")


def sha256(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def key(name: str, *scopes: str, **more: object) -> dict[str, object]:
    return {"name": name, "sha256": sha256(f"secret-{name}"), "scopes": scopes, **more}


def safety(**settings: object) -> Safety:
    return Safety.model_validate(settings)


async def asked_by(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.state.asked_by)


def ask(rules: Safety, *requests: tuple[str, str, dict[str, str]], client=ELSEWHERE) -> list:
    """The answers of one server to several requests."""
    methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
    app = Gate(Starlette(routes=[Route("/{path:path}", asked_by, methods=methods)]), rules)

    async def all_of_them() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=app, client=client)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            return [await http.request(m, p, headers=headers) for m, p, headers in requests]

    return asyncio.run(all_of_them())


def status(rules: Safety, method: str, path: str, client=ELSEWHERE, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return ask(rules, (method, path, named), client=client)[0].status_code


# ---------------------------------------------------------------- without keys


def test_without_keys_this_machine_may_do_everything_and_nobody_else_anything():
    for request in (READ, ("DELETE", "/v1/users/u"), ("GET", "/v1/items/a")):
        assert status(safety(), *request, client=HERE) == 200
        assert status(safety(), *request, client=("::1", 1)) == 200
        assert status(safety(), *request, client=ELSEWHERE) == 401


def test_whoever_is_asked_for_by_a_proxy_of_this_machine_is_not_of_this_machine():
    for name in ("X-Forwarded-For", "Forwarded"):
        assert status(safety(), *READ, client=HERE, **{name: "203.0.113.7"}) == 401


def test_a_name_that_leads_to_this_machine_is_not_enough():
    assert status(safety(), *READ, client=HERE, host="evil.example") == 401
    assert status(safety(), *READ, client=HERE, host="localhost:8000") == 200
    assert status(safety(), *READ, client=HERE, host="[::1]:8000") == 200


def test_pages_and_probes_need_nothing():
    for path in ("/", "/health", "/ready", "/page/app.js", "/pictures/a/b", "/openapi.json"):
        assert status(safety(keys=[key("a", "read")]), "GET", path) == 200


def test_what_anyone_may_do_can_be_said():
    rules = safety(anonymous=["read", "events"])
    assert status(rules, *READ) == 200
    assert status(rules, "POST", "/v1/events") == 200
    assert status(rules, "PUT", "/v1/items/a") == 401


# ---------------------------------------------------------------- keys and scopes

CALLS = {
    Scope.READ: [
        READ,
        ("POST", "/v1/rank"),
        ("POST", "/v1/search"),
        ("POST", "/v1/explain"),
        ("POST", "/v1/scene"),
        ("GET", "/v1/users/u"),
        ("GET", "/v1/items/a/similar"),
    ],
    Scope.EVENTS: [("POST", "/v1/events")],
    Scope.ITEMS: [(m, "/v1/items/a/b") for m in ("PUT", "PATCH", "DELETE")],
    Scope.ADMIN: [
        ("DELETE", "/v1/users/u"),
        ("POST", "/v1/runs/publish"),
        ("GET", "/v1/runs"),
        ("PUT", "/v1/policy"),
        ("POST", "/v1/whatever-comes-later"),
        ("DELETE", "/v1/events"),
        ("POST", "//v1/recommend"),
    ],
}


@pytest.mark.parametrize("held", Scope)
@pytest.mark.parametrize("needed", Scope)
def test_a_key_opens_its_scopes_and_no_other(held, needed):
    rules = safety(keys=[key("shop", held)])
    expected = 200 if held in (needed, Scope.ADMIN) else 403
    for method, path in CALLS[needed]:
        assert status(rules, method, path, authorization="Bearer secret-shop") == expected
        assert status(rules, method, path, x_api_key="secret-shop") == expected
        assert status(rules, method, path) == 401
        assert status(rules, method, path, authorization="Bearer other") == 401


def test_a_refusal_says_what_is_missing_and_never_the_key():
    rules = safety(keys=[key("shop", "read")])
    headers = {"Authorization": "Bearer secret-shop"}
    wrong = {"Authorization": "Bearer secret-other"}
    forbidden, unknown = ask(rules, ("POST", "/v1/events", headers), ("POST", "/v1/events", wrong))
    assert forbidden.headers["content-type"] == "application/problem+json"
    assert forbidden.json()["detail"] == "key 'shop' has read; this needs events"
    assert unknown.headers["www-authenticate"] == "Bearer"
    assert "secret" not in forbidden.text + unknown.text


def test_routes_learn_who_asks():
    rules = safety(keys=[key("office", "admin")], anonymous=["read"])
    headers = {"Authorization": "bearer secret-office"}
    known, unknown = ask(rules, (*READ, headers), (*READ, {}))
    assert (known.text, unknown.text) == ("office", "anonymous")


def test_with_keys_this_machine_needs_one_too():
    assert status(safety(keys=[key("shop", "read")]), *READ, client=HERE) == 401


@given(st.text(max_size=80))
def test_no_other_text_is_the_key(text):
    keys = safety(keys=[key("shop", "read"), key("office", "admin")]).keys
    found = key_of(text, keys)
    assert (found.name if found else None) == {
        "secret-shop": "shop",
        "secret-office": "office",
    }.get(text)


@given(st.sampled_from(["GET", "POST", "PUT", "DELETE", "TRACE"]), st.text())
def test_nothing_under_v1_is_open(method, rest):
    assert needed_scope(method, "/v1/" + rest) is not None


# ---------------------------------------------------------------- rates


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate():
    clock, rate = Clock(), Rate(per_s=2, burst=3)
    buckets = Buckets(clock)
    assert [buckets.wait_s("a", rate) for _ in range(4)] == [0, 0, 0, 1]
    assert buckets.wait_s("b", rate) == 0  # another's bucket is another's
    clock.now += 0.5  # one token at two a second
    assert [buckets.wait_s("a", rate) for _ in range(2)] == [0, 1]
    clock.now += 1_000  # no more than the burst is ever saved
    assert [buckets.wait_s("a", rate) for _ in range(4)] == [0, 0, 0, 1]


def test_the_wait_that_is_told_is_long_enough():
    clock, rate = Clock(), Rate(per_s=0.25, burst=1)
    buckets = Buckets(clock)
    assert buckets.wait_s("a", rate) == 0
    clock.now += buckets.wait_s("a", rate)
    assert buckets.wait_s("a", rate) == 0


@given(
    st.floats(0.1, 50),
    st.floats(1, 20),
    st.lists(st.floats(0, 3), min_size=1, max_size=60),
)
def test_no_span_of_time_lets_more_through_than_rate_and_burst(per_s, burst, gaps):
    clock, rate = Clock(), Rate(per_s=per_s, burst=burst)
    buckets, passed = Buckets(clock), 0
    for gap in gaps:
        clock.now += gap
        passed += buckets.wait_s("a", rate) == 0
    assert passed <= burst + per_s * sum(gaps) + 1e-6


def test_memory_is_bounded_whoever_asks():
    buckets = Buckets(Clock())
    for address in range(MOST_BUCKETS + 500):
        buckets.wait_s(str(address), Rate(per_s=1, burst=1))
    assert len(buckets._levels) == MOST_BUCKETS


def test_too_many_requests_are_told_when_to_come_again():
    rules = safety(
        keys=[key("slow", "read", rate={"per_s": 0.1, "burst": 2}), key("fast", "read")],
        rate={"per_s": 1000, "burst": 1000},
    )
    slow, fast = ({"X-API-Key": f"secret-{name}"} for name in ("slow", "fast"))
    answers = ask(rules, *[(*READ, slow)] * 3, *[(*READ, fast)] * 3)
    assert [a.status_code for a in answers] == [200, 200, 429, 200, 200, 200]
    assert 1 <= int(answers[2].headers["retry-after"]) <= 10
    assert answers[2].json()["status"] == 429


def test_an_address_without_a_key_has_one_bucket_whichever_key_it_guesses():
    rules = safety(keys=[key("a", "read")], anonymous_rate={"per_s": 0.01, "burst": 2})
    guesses = [(*READ, {"X-API-Key": f"guess-{n}"}) for n in range(4)]
    assert [a.status_code for a in ask(rules, *guesses)] == [401, 401, 429, 429]
    known = (*READ, {"X-API-Key": "secret-a"})
    assert ask(rules, *guesses, known)[-1].status_code == 200


def test_only_the_shops_own_proxies_are_believed():
    limits = {"anonymous": ["read"], "anonymous_rate": {"per_s": 0.01, "burst": 1}}
    forged = [(*READ, {"X-Forwarded-For": f"10.0.0.{n}"}) for n in range(3)]
    assert [a.status_code for a in ask(safety(**limits), *forged)] == [200, 429, 429]
    told = [(*READ, {"X-Forwarded-For": f"1.1.1.1, 10.0.0.{n}"}) for n in range(3)]
    assert [a.status_code for a in ask(safety(**limits, proxies=1), *told)] == [200, 200, 200]


# ---------------------------------------------------------------- settings


def test_settings_come_from_a_file_and_the_environment(tmp_path):
    (tmp_path / "pseudonym.key").write_text("0123456789abcdef\n")
    path = tmp_path / "safety.yaml"
    path.write_text(
        f"""
keys:
  - {{name: shop, sha256: {sha256("a")}, scopes: [read, events]}}
rate: {{per_s: 5, burst: 10}}
image_origins: [https://CDN.shop.example]
pseudonym_key: pseudonym.key
"""
    )
    environment = {
        "VITRINE_SAFETY": str(path),
        "VITRINE_API_KEYS": f"office:admin:{sha256('b')}, till:events+read:{sha256('c')}",
    }
    found = Safety.from_environment(environment)
    assert [k.name for k in found.keys] == ["shop", "office", "till"]
    assert found.keys[2].scopes == {Scope.EVENTS, Scope.READ}
    assert found.image_origins == ("https://cdn.shop.example",)
    assert found.pseudonyms is not None
    assert found.pseudonyms.of("u").startswith("p-")
    assert Safety.from_environment({}) == Safety()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("keyz: []", "keyz"),
        ("keys: [{name: a, sha256: secret-in-clear, scopes: [read]}]", "keys.0.sha256"),
        (f"keys: [{{name: a, sha256: {'0' * 64}, scopes: [write]}}]", "keys.0.scopes"),
        (f"keys: [{{name: a, sha256: {'0' * 64}, scopes: []}}]", "keys.0.scopes"),
        ("rate: {per_s: 0, burst: 1}", "rate.per_s"),
        ("image_origins: ['https://cdn.example/path']", "image_origins.0"),
        ("[", "cannot be read"),
    ],
)
def test_a_wrong_setting_is_named_and_no_secret_told(tmp_path, text, told):
    path = tmp_path / "safety.yaml"
    path.write_text(text)
    with pytest.raises(DataError, match=told) as caught:
        Safety.read(path)
    assert "secret-in-clear" not in str(caught.value)


def test_listening_elsewhere_without_keys_is_warned_of(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        safety().warn_of("127.0.0.1")
        safety(keys=[key("a", "read")]).warn_of("0.0.0.0")
        assert caplog.messages == []
        safety().warn_of("0.0.0.0")
        safety(anonymous=["read"]).warn_of("0.0.0.0")
    assert "without API keys" in caplog.messages[0]
    assert caplog.messages[1].endswith("without a key: read")


def test_a_secret_that_is_too_short_is_refused(tmp_path: Path):
    (tmp_path / "k").write_text("short")
    with pytest.raises(DataError, match="5 bytes, expected 16 to 64"):
        _ = safety(pseudonym_key=tmp_path / "k").pseudonyms
