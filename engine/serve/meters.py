"""What the server counts, as Prometheus reads it.

All of it lives in the HTTP process: workers send with each answer what it took and what it was
made from, so that a worker which is killed leaves no counter behind, and nobody has to add up
files of processes that are long gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil  # type: ignore[import-untyped]
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from engine.drift_file import read_drift
from engine.errors import DataError
from engine.explain.writers import Source, Why
from engine.serve.line import Line, Ticket
from engine.serve.messages import Answered
from engine.serve.scribe import Scribe

SECONDS = (0.001, 0.0025, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.04, 0.075, 0.15, 0.3, 1.0, 3.0, 10.0)
disable_created_metrics()  # type: ignore[no-untyped-call] # nobody draws them
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Meters:
    """Counters of one HTTP process."""

    def __init__(
        self,
        line: Line,
        wanted_workers: int,
        drift_file: Path | None = None,
        scribe: Scribe | None = None,
    ) -> None:
        """Begin at zero.

        Args:
            line: Tells what its workers answered, and who they are.
            wanted_workers: How many there should be.
            drift_file: Where ``vitrine drift`` leaves what it found.
            scribe: Has sentences written; None counts none.
        """
        self.registry = CollectorRegistry()
        self.requests = self._counter(
            "requests", "Answers by endpoint and status", "endpoint", "status"
        )
        self.seconds = Histogram(
            "vitrine_request_seconds",
            "Whole time of a request in the server",
            ("endpoint",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self.stages = Histogram(
            "vitrine_stage_seconds",
            "Time of a call by stage: waiting for a worker, in the engine, being written",
            ("call", "stage"),
            buckets=SECONDS,
            registry=self.registry,
        )
        refused = self._counter("refused", "Calls that were turned away", "why")
        self.busy, self.draining = refused.labels("busy"), refused.labels("draining")
        self.slots = self._counter(
            "slots", "Slots of lists by the channel that proposed them", "channel"
        )
        self.batch = Histogram(
            "vitrine_batch_calls",
            "Calls that a worker was handed at once",
            buckets=(1, 2, 4, 8, 16, 32),
            registry=self.registry,
        )
        self.registry.register(_Processes(line, wanted_workers))
        if drift_file is not None:
            self.registry.register(_Drifts(drift_file))
        if scribe is not None:
            self.registry.register(_Writing(scribe))
        line.observers.append(self._answered)
        line.on_refusal = self.busy.inc

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self.registry)

    def _counter(self, name: str, told: str, *labels: str) -> Counter:
        return Counter(f"vitrine_{name}", told, labels, registry=self.registry)

    def _answered(self, ticket: Ticket, answered: Answered, waited_s: float) -> None:
        call = type(ticket.call).__name__.removesuffix("Request").lower()
        self.stages.labels(call, "queue").observe(waited_s)
        for stage, seconds in answered.spent.stages:
            self.stages.labels(call, stage).observe(seconds)
        for channel, slots in answered.spent.channels:
            self.slots.labels(channel).inc(slots)
        if call == "recommend":
            self.batch.observe(answered.spent.together)


class _Processes(Collector):
    """What is looked up when somebody asks, not counted on the way."""

    def __init__(self, line: Line, wanted_workers: int) -> None:
        self._line, self._wanted = line, wanted_workers

    def collect(self) -> Iterator[Metric]:
        """The line, the workers, the memory of each, and the run that they serve."""
        yield GaugeMetricFamily(
            "vitrine_line_calls", "Calls that wait for a worker", self._line.waiting
        )
        yield GaugeMetricFamily("vitrine_workers_wanted", "Engine workers to be", self._wanted)
        workers = self._line.workers
        yield GaugeMetricFamily("vitrine_workers", "Engine workers that answer", len(workers))
        since = GaugeMetricFamily(
            "vitrine_worker_ready_since_unix_seconds", "When it became ready", labels=("worker",)
        )
        memory = GaugeMetricFamily(
            "vitrine_process_resident_bytes", "Memory of a process", labels=("process",)
        )
        memory.add_metric(("http",), psutil.Process().memory_info().rss)
        for worker in list(workers):
            name = str(worker.hello.slot)
            since.add_metric((name,), worker.hello.since_unix_s)
            if psutil.pid_exists(worker.hello.pid):
                rss = psutil.Process(worker.hello.pid).memory_info().rss
                memory.add_metric((f"worker-{name}",), rss)
        yield since
        yield memory
        for run_id in sorted({worker.hello.run_id for worker in workers}):
            yield InfoMetricFamily("vitrine_run", "The run that is served", {"run_id": run_id})


class _Writing(Collector):
    """What a language model wrote, what the checker kept of it, and what it took."""

    def __init__(self, scribe: Scribe) -> None:
        self._scribe = scribe

    def collect(self) -> Iterator[Metric]:
        """Sentences by who wrote them, refusals, and calls, tokens, seconds and money."""
        tally = self._scribe.tally()
        sources, used = tally.sources, tally.usage
        written = {source.value: sources[source] for source in Source}
        yield _counted("written_sentences", "Sentences by who wrote them", "by", written)
        refused = {why.value: tally.rejected[why] for why in Why}
        yield _counted("rejected_sentences", "Sentences that rules wrote instead", "why", refused)
        lookups = CounterMetricFamily(
            "vitrine_cache_lookups", "Look-ups by cache and outcome", labels=("cache", "outcome")
        )
        if sources.total():  # a share of nothing is no share
            lookups.add_metric(("sentences", "hit"), sources[Source.CACHE])
            lookups.add_metric(("sentences", "miss"), sources.total() - sources[Source.CACHE])
        yield lookups
        calls = {"answered": used.calls - used.failures, "failed": used.failures}
        yield _counted("model_calls", "Calls of the language model", "outcome", calls)
        tokens = {"in": used.tokens_in, "out": used.tokens_out}
        yield _counted("model_tokens", "Tokens of the language model", "way", tokens)
        yield CounterMetricFamily("vitrine_model_seconds", "Its time", used.seconds)
        yield CounterMetricFamily("vitrine_model_usd", "Its price, by the settings", used.usd)


def _counted(name: str, told: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"vitrine_{name}", told, labels=(label,))
    for value, n in counts.items():
        family.add_metric((value,), n)
    return family


class _Drifts(Collector):
    """What ``vitrine drift`` found last."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def collect(self) -> Iterator[Metric]:
        """The stability index of what moved, and the hit rates; nothing before the first look."""
        try:
            found = read_drift(self._path)
        except DataError:
            return
        psi = GaugeMetricFamily("vitrine_drift_psi", "PSI against training", labels=("what",))
        for shift in found.shifts:
            if shift.psi is not None:
                psi.add_metric((shift.what,), shift.psi)
        yield psi
        rate = GaugeMetricFamily(
            "vitrine_hit_rate", "Share of lists that led to an event", labels=("window",)
        )
        for one in found.hit_rates:
            rate.add_metric((one.name,), one.rate)
        yield rate
