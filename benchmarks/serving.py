"""Serving: how fast over HTTP, what floods, kills and nonsense do, what a day does to memory.

    python -m benchmarks.serving [SECTION ...] [--minutes 2] [--kills 10] [--cases 100]

Without a section all are measured, one after the other; figures of sections that were measured
before stay. Every server runs on a copy of the demo's run, with a store of its own.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import pages
from benchmarks.cases import measured
from benchmarks.sections import Found, Section, rows, run
from benchmarks.serving_cases import fuzz
from benchmarks.serving_cases.events import durable_per_s, event_visible
from benchmarks.serving_cases.kill import kill_under_load
from benchmarks.serving_cases.overload import TIMES, overload
from benchmarks.serving_cases.servers import copy_of
from benchmarks.serving_cases.soak import soak
from benchmarks.serving_cases.throughput import CONNECTIONS, Compared, compare, http_against_process

COMMAND = "make bench-serving"
case = partial(measured, command=COMMAND)


@dataclass(frozen=True, slots=True)
class Given:
    """How much is measured."""

    run: Path
    workers: int
    seconds: int
    kills: int
    minutes: float
    cases: int


def main() -> None:
    """Measure and write ``benchmarks/results/serving*``, ``serving.md`` and the README."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION")
    parser.add_argument("--run", type=Path, default=Path("runs/demo"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=15, help="of each load")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=20, help="of the soak")
    parser.add_argument("--cases", type=int, default=2_000, help="of each operation, fuzzed")
    told = parser.parse_args()
    given = Given(told.run, told.workers, told.seconds, told.kills, told.minutes, told.cases)
    sections = (
        Section("http", "Over HTTP, against the engine in process", _on(_http, given)),
        Section("fastapi", "LitServe with batches against a FastAPI app", _on(_fastapi, given)),
        Section("events", "Events: visible, durable", _on(_events, given)),
        Section("overload", f"{TIMES} times what it can answer", _on(_overload, given)),
        Section("kill", "kill -9 under load", _on(_kill, given)),
        Section("fuzz", "Calls that nobody would make", _on(_fuzz, given)),
        Section("soak", "A day of traffic in minutes", _on(_soak, given)),
    )
    run("serving", sections, told.sections)
    pages.main()


def _on(measure: Callable[[Path, Given], Found], given: Given) -> Callable[[], Found]:
    def measured_on_a_copy() -> Found:
        with copy_of(given.run) as copied:
            return measure(copied, given)

    return measured_on_a_copy


def _http(copied: Path, given: Given) -> Found:
    busy, alone = http_against_process(copied, workers=given.workers, seconds=given.seconds)
    cases = (
        case("http_p99_ms", busy.p99_ms, "ms", "<= 40"),
        case("http_p50_ms", busy.p50_ms, "ms"),
        case("http_per_s", busy.per_s, "/s"),
        case("in_process_per_s", alone, "/s"),
        case("http_throughput_ratio", busy.per_s / alone, "x", ">= 0.8"),
        case("http_wrong", busy.wrong + busy.lost, "", "<= 0"),
    )
    note = (
        f"wrk, {CONNECTIONS} connections that ask again as soon as they are answered, k = 10, "
        f"{given.workers} workers of one thread. In process: as many processes, each asking its "
        "own engine for logged lists, without JSON and without a server."
    )
    return Found(cases, note)


def _fastapi(copied: Path, given: Given) -> Found:
    found = list(compare(copied, workers=given.workers, seconds=given.seconds))
    ours, single, fastapi = found[0], found[1], found[-1]
    cases = (
        case("litserve_vs_fastapi", ours.busy.per_s / fastapi.busy.per_s, "x", ">= 1"),
        case("litserve_vs_fastapi_p99", ours.busy.p99_ms / fastapi.busy.p99_ms, "x", "<= 1"),
        case("litserve_vs_one_fastapi", ours.busy.per_s / found[2].busy.per_s, "x"),
        case("batching_gain", ours.busy.per_s / single.busy.per_s, "x", ">= 1"),
    )
    header = ("server", "1 conn.: /s", "p50 ms", f"{CONNECTIONS} conn.: /s", "p50 ms", "p99 ms")
    note = (
        "The FastAPI app is benchmarks/serving_cases/bare_app.py under uvicorn: it has no limits, "
        "no health, no metrics, and nobody who replaces it when it dies."
    )
    return Found(cases, f"{rows(header, [_line(one) for one in found])}\n\n{note}")


def _line(one: Compared) -> tuple[object, ...]:
    return (
        one.name,
        f"{one.alone.per_s:.0f}",
        f"{one.alone.p50_ms:.1f}",
        f"{one.busy.per_s:.0f}",
        f"{one.busy.p50_ms:.1f}",
        f"{one.busy.p99_ms:.1f}",
    )


def _events(copied: Path, given: Given) -> Found:
    seen = event_visible(copied, workers=given.workers, rounds=40 * given.seconds)
    per_s, lost = durable_per_s(copied, seconds=given.seconds)
    cases = (
        case("event_visible_p99_ms", seen.seen_ms_p99, "ms", "<= 10"),
        case("event_visible_p50_ms", seen.seen_ms_p50, "ms"),
        case("event_acknowledged_p99_ms", seen.stored_ms_p99, "ms"),
        case("event_unseen", seen.unseen, "", "<= 0"),
        case("durable_events_per_s", per_s, "/s", ">= 2000"),
        case("durable_events_lost", lost, "", "<= 0"),
    )
    note = (
        "Visible: from posting a dismissal to having received the next list, which must not hold "
        "the item; one shopper at a time. Durable: batches of 500 from four connections into "
        "SQLite with synchronous=FULL."
    )
    return Found(cases, note)


def _overload(copied: Path, given: Given) -> Found:
    found = overload(copied, workers=given.workers, seconds=given.seconds)
    cases = (
        case("overload_lost_events", found.lost, "", "<= 0"),
        case("overload_refusal_p99_ms", found.refusal_ms_p99, "ms"),
        case("overload_answer_p99_ms", found.answer_ms_p99, "ms"),
        case("overload_broken", found.broken, "", "<= 0"),
        case("overload_unsent", found.unsent, ""),
        case("overload_recovery_s", found.recovered_s, "s", "<= 5"),
        case("overload_growth_mb", found.growth_mb, "MB"),
    )
    note = (
        f"{found.capacity_per_s:.0f}/s answered in a closed loop; asked {TIMES} times that without "
        f"waiting, one request in five an event: {found.answered:,} answered, {found.refused:,} "
        "refused with Retry-After. The client shares the two cores."
    )
    return Found(cases, note)


def _kill(copied: Path, given: Given) -> Found:
    found = kill_under_load(copied, times=given.kills)
    cases = (
        case("kill_lost_events", found.lost, "", "<= 0"),
        case("kill_back_s_max", found.back_s_max, "s", "<= 10"),
        case("kill_back_s_p50", found.back_s_p50, "s"),
        case("kill_worker_back_s_max", found.worker_back_s_max, "s", "<= 10"),
        case("kill_worker_back_s_p50", found.worker_back_s_p50, "s"),
        case("kill_failed_by_worker", found.failed_by_workers, "", "<= 0"),
    )
    note = (
        f"{found.workers} times a worker, {found.servers} times the whole server; "
        f"{found.acknowledged:,} events acknowledged. Back is from the kill of the server to the "
        "next acknowledged event; that of a worker until there are two again that are warm."
    )
    return Found(cases, note)


def _fuzz(copied: Path, given: Given) -> Found:
    with tempfile.TemporaryDirectory() as folder, fuzz.served(copied, Path(folder)) as url:
        found = fuzz.fuzz(url, given.cases)
    cases = (
        case("fuzz_5xx", found.server_errors, "", "<= 0"),
        case("fuzz_violations", sum(found.violations.values()), "", "<= 0"),
        case("fuzz_cases", found.cases, ""),
    )
    note = (
        f"schemathesis over the {found.operations} operations of the OpenAPI document, "
        f"{given.cases:,} cases each, half of them broken in one place; fewer where an operation "
        "has no more. A violation is an answer that the document does not allow."
    )
    lines = (f"- {times} times {told}" for told, times in sorted(found.violations.items()))
    return Found(cases, "\n".join((note, "", *lines)).strip())


def _soak(copied: Path, given: Given) -> Found:
    found = soak(copied, workers=given.workers, minutes=given.minutes)
    cases = (
        case("soak_rss_growth", found.growth, "", "<= 0.02"),
        case("soak_warm_mb", found.warm_mb, "MB"),
        case("soak_end_mb", found.end_mb, "MB"),
        case("soak_wrong", sum(found.wrong.values()), "", "<= 0"),
    )
    note = (
        f"{found.requests:,} requests in {given.minutes:g} minutes; memory of all processes of the "
        f"server, what they share counted once (PSS). No 200, by status: {found.wrong or 'none'}."
    )
    return Found(cases, note)


if __name__ == "__main__":
    main()
