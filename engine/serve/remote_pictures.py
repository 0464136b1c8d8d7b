"""Pictures that a request names by URL: fetched from listed origins alone."""

from __future__ import annotations

from collections.abc import Collection

import httpx

from engine.serve.item_schemas import MAX_PICTURE_BYTES
from engine.serve.problems import body_problem

TIMEOUT_S = 5.0
FIELD = "picture_url"
_DEFAULT_PORTS = {"http": 80, "https": 443}


async def fetch_picture(url: str, origins: Collection[str]) -> bytes:
    """The bytes of a picture.

    No redirect is followed, no proxy of the environment asked, and no credentials are sent.

    Args:
        url: Its scheme, host and port must be those of an origin.
        origins: Such as ``https://cdn.shop.example``.

    Raises:
        HTTPException: 422 where the URL may not be fetched, or does not lead to a picture.
    """
    try:
        target = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise _refused(f"not a URL: {error}") from error
    if target.userinfo or _origin(target) not in {_origin(httpx.URL(one)) for one in origins}:
        raise _refused(
            f"pictures are not fetched from {target.host!r}: send the file in 'picture', or have "
            "the origin listed in the server's safety settings"
        )
    try:
        return await _read(target)
    except httpx.HTTPError as error:
        raise _refused(f"cannot be fetched: {type(error).__name__}") from error


async def _read(target: httpx.URL) -> bytes:
    content = bytearray()
    async with (
        httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False, follow_redirects=False) as client,
        client.stream("GET", target) as response,
    ):
        media_type = response.headers.get("content-type", "")
        if response.status_code != 200 or not media_type.startswith("image/"):
            raise _refused(f"got {response.status_code} and {media_type!r}, expected a picture")
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > MAX_PICTURE_BYTES:
                raise _refused(f"the picture is over {MAX_PICTURE_BYTES:,} bytes")
    return bytes(content)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host.lower(), url.port or _DEFAULT_PORTS.get(url.scheme)


def _refused(detail: str) -> Exception:
    return body_problem(422, detail, FIELD).as_exception()
