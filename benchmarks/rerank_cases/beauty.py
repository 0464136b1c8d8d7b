"""Amazon Beauty, the 5-core set of S3Rec: what comes next, ranked among all 12,101 items.

Leave one out: the last event of every user is asked for, the one before it chooses all settings.
Time: learn before the 90% quantile of the events' times, ask for the items new to a user after
it; the tenth before that chooses. In both, items that a user had before are not ranked (nobody
has one twice here), and order within a day is that of the file. Once chosen, a model is trained
anew on all that precedes the question, and test is ranked once per seed.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.graph_cases import baselines
from benchmarks.graph_cases.beauty import PENALTY, beauty_tables, protocols
from benchmarks.graph_cases.ranking import Question, Ranking, rank
from benchmarks.rerank_cases.asked import Asked
from benchmarks.rerank_cases.contest import HEADER, PLACES, Contest, Settings, contest, tuned
from benchmarks.rerank_cases.sequence_baselines import gru4rec, sas_rec
from benchmarks.rerank_cases.sequences import Pace, Split
from benchmarks.sections import Found, rows
from retrieval.sequence import SequenceConfig

OURS = Settings((SequenceConfig(),), Pace(recent_days=20.0, tau_days=60.0))
THEIRS = tuple(
    SequenceConfig(
        temperature=1.0,
        dropout=dropout,
        popularity_exponent=0.0,
        learning_rate=2e-3,
        patience=4,
        epochs=60,
    )
    for dropout in (0.2, 0.5)
)
"""Of SASRec and GRU4Rec: uniform negatives, as in the best published runs on this set."""


def run(asked: Asked) -> Found:
    """Both protocols."""
    tables = beauty_tables(asked.data)
    splits = {name: Split.of(earlier, later, tables) for name, earlier, later in protocols(tables)}
    last, time = splits["leave one out"], splits["time"]
    last_event = contest("leave one out", last, OURS, asked.seeds, (*_closed_form(last.asked),))
    others = (*_closed_form(time.asked), *_trained(time))
    by_time = contest("time", time, OURS, asked.seeds, others)
    cases = (
        *last_event.absolute_cases("beauty", ">= 0.095", ">= 0.0545"),
        *by_time.ratio_cases("beauty_time_vs_best_ratio"),
    )
    table = rows(HEADER, (*last_event.lines(), *by_time.lines()))
    return Found(cases, f"{table}\n\n{_note(asked.seeds, by_time)}")


def _trained(split: Split) -> Iterator[Ranking]:
    for method, make in (("SASRec", sas_rec), ("GRU4Rec", gru4rec)):
        yield tuned(method, make, THEIRS, split, seeds=(0,))


def _closed_form(asked: Question) -> Iterator[Ranking]:
    for name, score in (
        ("popularity", baselines.popularity(asked)),
        ("popularity, half-life 30 days", baselines.popularity(asked, 30.0)),
        ("popularity, half-life 7 days", baselines.popularity(asked, 7.0)),
        ("item-kNN", baselines.item_knn(asked)),
        ("item-kNN, shrunk", baselines.item_knn(asked, shrinkage=10.0)),
        ("EASE", baselines.ease(asked, PENALTY)),
    ):
        yield rank(name, score, asked, PLACES)


def _note(seeds: tuple[int, ...], by_time: Contest) -> str:
    return (
        f"Ours with seeds {', '.join(map(str, seeds))}, averaged per user; intervals are "
        f"bootstraps over users. Split by time, the best other is {by_time.best_other.method}. "
        "Ours weighs the sequence model with relations of the graph (items touched by the same "
        "users, in turn, alike in attributes, sold of late) by a conditional logit learned on the "
        "earlier question. SASRec and GRU4Rec are trained with a softmax over 512 uniform "
        "negatives and the better of two dropouts. Published on leave one out (Recall@10 / "
        "NDCG@10): eSASRec 0.0928 / 0.0523, SASRec with sampled softmax 0.0921 / 0.0531, "
        "TiCoSeRec 0.0740 / 0.0418, S3Rec 0.0647 / 0.0327; of these only S3Rec knows attributes."
    )
