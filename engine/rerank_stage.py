"""The reranker's two stages: past sessions become training requests, and these a network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from engine import layout
from engine.artifacts import write_json
from engine.content import Content
from engine.interactions import Floats, Ints
from engine.job import Job, fixed
from engine.learn import Teacher, WeeklyWorlds, choose_sessions, sessions_between, tasks_of
from engine.stages import key_of
from retrieval.index import open_index
from retrieval.recall import Tables, token_vectors
from retrieval.rerank.checkpoint import Epoch
from retrieval.rerank.config import RerankConfig
from retrieval.rerank.examples import Examples
from retrieval.rerank.features import feature_names
from retrieval.rerank.offers import OfferCalendar
from retrieval.rerank.records import ItemTable
from retrieval.rerank.train import Columns, Fitted, fit_reranker

REQUEST_SETTINGS = {"weeks", "max_requests", "half_life_days", "negatives", "history"}
"""What of the reranker's settings decides its training requests; the rest is its own."""


@dataclass(frozen=True, slots=True)
class Lessons:
    """What the reranker is trained on."""

    requests: Path
    """Folder of the training requests."""
    vectors: Floats
    """What tokens carry of each item, float32 ``[I, W]``, from before the first request."""
    group: Ints
    """Finest group of each item, int64 ``[I]``."""
    columns: Columns

    def fit(
        self,
        examples: Examples,
        config: RerankConfig,
        seed: int,
        *,
        checkpoint: Path | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
        on_step: Callable[[int, int], None] | None = None,
    ) -> Fitted:
        """Train on the requests, which the caller has read; see :func:`fit_reranker`."""
        return fit_reranker(
            examples,
            self.vectors,
            self.group,
            config,
            columns=self.columns,
            seed=seed,
            checkpoint=checkpoint,
            on_epoch=on_epoch,
            on_step=on_step,
        )


def prepare_lessons(
    job: Job, items: ItemTable, offers: OfferCalendar, content: Content, early: Path
) -> Lessons:
    """Ask past sessions as if they were made now, with what ``early`` knew before the first.

    Args:
        job: The training.
        items: Of its catalogue.
        offers: Of all times; a request sees those that run at its moment.
        content: Vectors of what items look and read like.
        early: Graph stage as of the moment before the requests.
    """
    config = job.config
    facets = [kind.name for kind in job.past.events.facet_kinds]
    names = feature_names(len(items.n_groups), facets, needs=True, linear=True)
    reads = {
        "early": early.name,
        "until": str(job.as_of_unix_s),
        "candidates": config.candidates.model_dump_json(),
        "requests": config.rerank.model_dump_json(include=REQUEST_SETTINGS),
        "min_users": str(config.min_users),
        "features": ",".join(names),
    }
    vectors = layout.item_vectors(early)

    def ask(folder: Path) -> None:
        known = fixed(job, items, offers, early, job.since_unix_s)
        tables = Tables(layout.neighbours(early), vectors, content.vectors, layout.partners(early))
        teacher = Teacher(
            past=job.past,
            items=items,
            tables=tables,
            index=open_index(early / "index"),
            world_at=WeeklyWorlds(job.past, known, job.as_of_unix_s),
            candidates=config.candidates,
            rerank=config.rerank,
            user_half_life_days=config.graph.half_life_days,
        )
        layout.save_examples(folder, _asked(job, teacher))

    return Lessons(
        requests=job.stages.run("requests", reads, ask),
        vectors=token_vectors(vectors, content.vectors),
        group=items.groups[0],
        columns=Columns(names, tasks_of(job.past.events)),
    )


def train_reranker(job: Job, lessons: Lessons) -> Path:
    """The network's stage; an interrupted one goes on after its last whole epoch."""
    config, reporter = job.config.rerank, job.stages.reporter
    reads = {"asked": lessons.requests.name, "config": config.model_dump_json()}
    checkpoint = job.stages.folder / f"rerank-{key_of('rerank', reads)}.unfinished"

    def train(folder: Path) -> None:
        fitted = lessons.fit(
            layout.load_examples(lessons.requests),
            config,
            job.seed,
            checkpoint=checkpoint,
            on_epoch=lambda epoch: reporter.note(told(epoch)),
            on_step=reporter.advance,
        )
        layout.save_reranker(folder, fitted.model)
        epochs = [asdict(epoch) for epoch in fitted.epochs]
        write_json(folder / "metrics.json", {"epochs": epochs, "best": fitted.best})

    trained = job.stages.run("rerank", reads, train)
    checkpoint.unlink(missing_ok=True)
    return trained


def told(epoch: Epoch) -> str:
    """An epoch in words."""
    return (
        f"epoch {epoch.number}: loss {epoch.loss:.3f}, held-out NDCG@10 {epoch.ndcg:.4f}, "
        f"of new items {epoch.ndcg_new:.4f}"
    )


def _asked(job: Job, teacher: Teacher) -> Examples:
    events, until = job.past.events, job.as_of_unix_s
    sessions = sessions_between(events, job.since_unix_s, until)
    chosen = choose_sessions(sessions, events, job.config.rerank, until, job.seed)
    taught = []
    for i, example in enumerate(teacher.examples(chosen, job.seed)):
        job.stages.reporter.advance(i + 1, len(chosen))
        if example is not None:
            taught.append(example)
    return Examples.stack(taught)
