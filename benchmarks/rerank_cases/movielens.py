"""MovieLens latest-small: the film that a person rates next, ranked among all that were ever rated.

Leave one out: the last rating of every user is asked for, whatever its stars; the one before it
chooses all settings. Films that a user has rated are not ranked; there are no sampled negatives.
SASRec and GRU4Rec are trained with the full cross-entropy over all films, and each of the three
models may choose among as many settings.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.graph_cases import baselines
from benchmarks.graph_cases.beauty import protocols
from benchmarks.graph_cases.ranking import Question, Ranking, rank
from benchmarks.rerank_cases.asked import Asked
from benchmarks.rerank_cases.contest import HEADER, PLACES, Contest, Settings, contest, tuned
from benchmarks.rerank_cases.sequence_baselines import gru4rec, sas_rec
from benchmarks.rerank_cases.sequences import Pace, Split
from benchmarks.sections import Found, rows
from graph import FactTable, GraphTables
from retrieval.sequence import SequenceConfig

SHORT = SequenceConfig(max_events=100, batch_size=16)
SEQUENCE = tuple(SHORT.model_copy(update={"dropout": dropout}) for dropout in (0.2, 0.5))
OURS = Settings(SEQUENCE, Pace(recent_days=0.1, tau_days=0.1))
"""People rate in sittings: what was rated within hours says most of what is rated next."""
THEIRS = tuple(
    config.model_copy(update={"negatives": None, "temperature": 1.0}) for config in SEQUENCE
)


def run(asked: Asked) -> Found:
    """One protocol, three trained models and those in closed form."""
    tables = movie_tables(asked.data)
    splits = {name: Split.of(earlier, later, tables) for name, earlier, later in protocols(tables)}
    split = splits["leave one out"]
    others = (*_closed_form(split.asked), *_trained(split, asked.seeds))
    found = contest("leave one out", split, OURS, asked.seeds, others)
    cases = (*found.absolute_cases("movielens"), *found.ratio_cases("movielens_vs_best_ratio"))
    return Found(cases, f"{rows(HEADER, found.lines())}\n\n{_note(asked.seeds, found)}")


def movie_tables(data: Path) -> GraphTables:
    """Ratings as events, in the order of their times; genres and decades as facts."""
    events = pl.read_parquet(data / "movies_ratings.parquet").sort("timestamp", maintain_order=True)
    known, item = np.unique(events["movie_id"].to_numpy(), return_inverse=True)
    _, user = np.unique(events["user_id"].to_numpy(), return_inverse=True)
    films = pl.read_parquet(
        data / "movies_items.parquet", columns=["movieId", "title", "genres"]
    ).filter(pl.col("movieId").is_in(known.tolist()))
    films = films.with_columns(
        row=pl.Series(np.searchsorted(known, films["movieId"].to_numpy())),
        genre=pl.col("genres").str.split("|"),
        decade=pl.col("title").str.extract(r"\((\d{3})\d\)\s*$"),
    )
    return GraphTables(
        n_users=int(user.max()) + 1,
        n_items=len(known),
        user=user.astype(np.int64),
        item=item.astype(np.int64),
        at_unix_s=events["timestamp"].to_numpy().astype(np.int64),
        weight=np.ones(len(user), np.float32),
        session=user.astype(np.int64),
        item_facts=(
            _facts("in_genre", films.explode("genre").select("row", "genre")),
            _facts("from_decade", films.select("row", "decade").drop_nulls()),
        ),
        category_parent=np.zeros(0, np.int64),
    )


def _facts(relation: str, pairs: pl.DataFrame) -> FactTable:
    head, tail = pairs.columns
    names, row = np.unique(pairs[tail].to_numpy().astype(str), return_inverse=True)
    ones = np.ones(len(pairs), np.float32)
    return FactTable(
        relation,
        tail,
        pairs[head].to_numpy().astype(np.int64),
        row.astype(np.int64),
        len(names),
        ones,
    )


def _trained(split: Split, seeds: tuple[int, ...]) -> Iterator[Ranking]:
    for method, make in (("SASRec, cross-entropy", sas_rec), ("GRU4Rec, cross-entropy", gru4rec)):
        yield tuned(method, make, THEIRS, split, seeds)


def _closed_form(asked: Question) -> Iterator[Ranking]:
    for name, score in (
        ("popularity", baselines.popularity(asked)),
        ("popularity, half-life 365 days", baselines.popularity(asked, 365.0)),
        ("item-kNN", baselines.item_knn(asked)),
        ("EASE", baselines.ease(asked, 200.0)),
    ):
        yield rank(name, score, asked, PLACES)


def _note(seeds: tuple[int, ...], found: Contest) -> str:
    return (
        "671 users, 9,066 films, 100,004 ratings; models read up to 100 events. Ours, SASRec and "
        f"GRU4Rec with seeds {', '.join(map(str, seeds))}, averaged per user; for each seed each "
        f"takes the better of {len(THEIRS)} dropouts and stops by the rating before. Intervals are "
        f"bootstraps over users. The best other is {found.best_other.method}. Ours weighs the "
        "sequence model, which knows genres and decades, with relations of the graph. The figures "
        "that papers report are of MovieLens-1M, with 6,040 users, and stand beside none of these "
        "(Recall@10 / NDCG@10: eSASRec 0.3133 / 0.1772, SASRec with softmax 0.3058 / 0.1779)."
    )
