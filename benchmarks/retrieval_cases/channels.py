"""What each retrieval channel finds: a run's candidates against the baskets that came after it.

    python -m benchmarks.retrieval_cases.channels [DATASET] [RUN]

The same figures stand in what ``vitrine evaluate`` writes; here they cost no reranking.
"""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from engine.dataset import Dataset
from engine.evaluate import first_baskets
from engine.evaluate.channels import ChannelReport, channel_report
from engine.evaluate.run import EngineRanker
from engine.recommend import Engine
from engine.vocabulary import Vocabulary, load_interactions

REQUESTS = 1_000
SEED = 0


def channels(engine: Engine, dataset: Dataset, n_requests: int = REQUESTS) -> ChannelReport:
    """Recall of every channel, of all, and of all without each.

    Args:
        engine: Opened on a run that learned nothing of the baskets asked for.
        dataset: The run's.
        n_requests: First baskets after the run's moment, at most.
    """
    run = engine.run
    events = load_interactions(dataset, Vocabulary.of(dataset))
    asked = first_baskets(
        events, run.manifest.as_of_unix_s, min_users=max(1, run.config.min_users)
    ).sample(n_requests, SEED)
    ranker = EngineRanker(engine, asked, with_scene=True)
    return channel_report(asked, list(ranker.candidates(asked.requests)))


def main() -> None:
    """Measure the demo's run, print the table."""
    given = [Path(path) for path in sys.argv[1:]]
    dataset, run = given or (Path("data/complete-journey"), Path("runs/demo"))
    with Engine.open(run) as engine:
        Console().print(channels(engine, Dataset.open(dataset)).to_rich())


if __name__ == "__main__":
    main()
