"""``python -m engine.serve RUN``: serve one run or a family; ``vitrine serve`` does the same."""

from __future__ import annotations

import argparse
from pathlib import Path

from engine.serve.line_settings import LineSettings
from engine.serve.nursery import start_nursery


def main() -> None:
    """Read the command line and serve until stopped."""
    usual = LineSettings()
    parser = argparse.ArgumentParser(
        prog="python -m engine.serve",
        description="Serve a run over HTTP until the process is stopped.",
    )
    parser.add_argument(
        "run", type=Path, help="run folder that training wrote, or a family of runs"
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--store-url", help="SQLAlchemy URL; the run's own SQLite file if absent")
    parser.add_argument("--workers", type=int, default=1, help="engine processes")
    parser.add_argument("--threads", type=int, default=1, help="compute threads of each worker")
    parser.add_argument("--batch", type=int, default=usual.batch, help="calls in one pass")
    parser.add_argument("--queue", type=int, default=usual.longest, help="calls that wait")
    parser.add_argument("--drain-s", type=float, default=10.0, help="for calls in hand at the end")
    parser.add_argument("--update-every-s", type=float, help="learn from the store, and publish")
    parser.add_argument("--rules", type=Path, help="folder of policy.yaml and experiments.yaml")
    given = parser.parse_args()
    start_nursery(given.threads)
    from engine.serve.app import serve  # a second of imports, while the nursery does its own

    serve(
        given.run,
        host=given.host,
        port=given.port,
        store_url=given.store_url,
        workers=given.workers,
        threads=given.threads,
        line=LineSettings(longest=given.queue, batch=given.batch),
        drain_s=given.drain_s,
        update_every_s=given.update_every_s,
        rules=given.rules,
    )


if __name__ == "__main__":
    main()
