"""Thousands of calls that nobody would make, against the interface's own description.

    python -m benchmarks.serving_cases.fuzz [--run runs/demo] [--cases 2000] [--only /v1/items]

Half of the cases keep to the OpenAPI document and half break it in one place. Counted are answers
from 500 on, and answers that the document does not allow: a status or a content type that it does
not name, a body or a header of another shape, a broken request that was accepted.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi import checks

CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
    checks.negative_data_rejection,
]
STARTUP_S = 300.0


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """What came of it."""

    operations: int
    cases: int
    server_errors: int
    """Answers from 500 on."""
    violations: Mapping[str, int]
    """What the document does not allow, by operation and message, with how often it came."""


def fuzz(url: str, cases_per_operation: int, *, at_seed: int = 0, only: str = "") -> Fuzzed:
    """Ask every operation of a server so many times.

    Args:
        url: Of the server.
        cases_per_operation: Half keep to the document, half do not; fewer where there are no
            more, as a path without a parameter is one case.
        at_seed: Of the cases; the same seed asks the same.
        only: Operations whose label holds this, such as ``/v1/items``; empty is all.
    """
    document = httpx.get(f"{url}/openapi.json", timeout=60).raise_for_status().json()
    operations = [one for one in _operations(document) if only in one.label]
    tally = _Tally(url)
    for operation in operations:
        for mode in GenerationMode:
            tally.ask(operation, mode, cases_per_operation // 2, at_seed)
    return Fuzzed(len(operations), tally.asked, tally.server_errors, dict(tally.violations))


def _operations(document: dict[str, Any]) -> Iterator[APIOperation]:
    for result in schemathesis.openapi.from_dict(document).get_all_operations():
        yield result.ok()


class _Tally:
    """Asks, and counts instead of stopping at the first thing that is wrong."""

    def __init__(self, url: str) -> None:
        self._url, self._session = url, requests.Session()
        self.violations: Counter[str] = Counter()
        self.asked = self.server_errors = 0

    def ask(self, operation: APIOperation, mode: GenerationMode, n: int, at_seed: int) -> None:
        """So many cases of one operation."""

        @seed(at_seed)
        @settings(
            max_examples=n,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(generation_mode=mode))
        def each(case: Case) -> None:
            self._one(case, operation.label)

        try:
            each()
        except Unsatisfiable:  # nothing about this operation can be broken
            return

    def _one(self, case: Case, label: str) -> None:
        response = case.call(base_url=self._url, session=self._session, timeout=60)
        self.asked += 1
        self.server_errors += response.status_code >= 500
        try:
            case.validate_response(response, checks=CHECKS)
        except FailureGroup as group:
            for failure in group.exceptions:
                told = " ".join(str(failure).split())[:200]
                self.violations[f"{label}: {type(failure).__name__}: {told}"] += 1


@contextmanager
def served(run: Path, folder: Path) -> Iterator[str]:
    """The URL of a server of a run, with its store in a folder, while the block runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "engine.serve", str(run), "--port", str(port)]
    command += ["--store-url", f"sqlite:///{folder / 'store.db'}"]
    server, url = subprocess.Popen(command), f"http://127.0.0.1:{port}"
    try:
        give_up_at = time.monotonic() + STARTUP_S
        while not _is_ready(url):
            if server.poll() is not None or time.monotonic() > give_up_at:
                raise RuntimeError("the server did not come up")
            time.sleep(0.5)
        yield url
    finally:
        server.terminate()
        server.wait()


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def main() -> None:
    """Serve a copy of a run, fuzz it, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving_cases.fuzz")
    parser.add_argument("--run", type=Path, default=Path("runs/demo"))
    parser.add_argument("--cases", type=int, default=2_000)
    parser.add_argument("--only", default="")
    parser.add_argument("--url", help="a server that runs already; its store will hold the cases")
    options = parser.parse_args()
    if options.url is not None:
        _tell(fuzz(options.url, options.cases, only=options.only))
        return
    with tempfile.TemporaryDirectory() as name:
        copy = shutil.copytree(options.run, Path(name) / "run")
        with served(copy, Path(name)) as url:
            _tell(fuzz(url, options.cases, only=options.only))


def _tell(found: Fuzzed) -> None:
    figures = {"fuzz_cases": found.cases, "fuzz_5xx": found.server_errors}
    print(json.dumps({**figures, "fuzz_violations": sum(found.violations.values())}))
    for message, times in sorted(found.violations.items()):
        print(f"{times:6d}  {message}")


if __name__ == "__main__":
    main()
