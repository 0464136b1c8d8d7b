"""Where a server may listen: what a caller writes, and the address that it means."""

from __future__ import annotations

HOSTS = {"localhost": "127.0.0.1", "127.0.0.1": "127.0.0.1", "0.0.0.0": "0.0.0.0", "::": "::"}  # noqa: S104
