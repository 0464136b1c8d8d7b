"""``python -m engine.serve RUN``: serve one run; ``vitrine serve`` does the same."""

from __future__ import annotations

import argparse
from pathlib import Path

from engine.serve.app import serve


def main() -> None:
    """Read the command line and serve until stopped."""
    parser = argparse.ArgumentParser(prog="python -m engine.serve", description=serve.__doc__)
    parser.add_argument("run", type=Path, help="run folder that training wrote")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--store-url", help="SQLAlchemy URL; the run's own SQLite file if absent")
    parser.add_argument("--workers", type=int, default=1, help="engine processes")
    parser.add_argument("--threads", type=int, default=1, help="compute threads of each worker")
    arguments = parser.parse_args()
    serve(
        arguments.run,
        host=arguments.host,
        port=arguments.port,
        store_url=arguments.store_url,
        workers=arguments.workers,
        threads=arguments.threads,
    )


if __name__ == "__main__":
    main()
