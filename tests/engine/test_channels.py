"""What each channel finds, by hand and on the planted shop."""

import json

import numpy as np
import planted
import pytest

from engine.evaluate import EvaluationSet, Requests, first_baskets
from engine.evaluate.channels import UNION, channel_report
from engine.evaluate.run import EngineRanker
from engine.interactions import Interactions
from engine.recommend import Engine
from engine.scene import Scene
from engine.vocabulary import Vocabulary, load_interactions
from retrieval.candidates import Channel, merge

N_ITEMS = 10


def asked(targets: list[list[int]], had: list[tuple[int, int]] = ()) -> EvaluationSet:
    """One request per list of targets; before it, users had some items."""
    pairs = np.array(sorted(had), dtype=np.int64).reshape(-1, 2)
    n = len(pairs)
    history = Interactions(
        user=pairs[:, 0],
        item=pairs[:, 1],
        kind=np.full(n, 3, np.int8),
        at_unix_s=np.zeros(n, np.int64),
        value=np.ones(n, np.float32),
        session=np.arange(n),
        place=np.zeros(n, np.int64),
        n_users=len(targets),
        n_items=N_ITEMS,
        n_places=1,
    )
    users = np.arange(len(targets))
    requests = Requests(users, np.ones(len(targets), np.int64), np.zeros(len(targets), np.int64))
    rows = tuple(np.array(t, np.int64) for t in targets)
    return EvaluationSet(history, requests, rows, np.ones(N_ITEMS, np.bool_), 1)


def channel(name: str, *rows: int) -> Channel:
    return Channel(name, np.array(rows, np.int64), np.ones(len(rows), np.float32))


def test_recall_of_each_alone_of_all_and_without_it():
    report = channel_report(
        asked([[1, 2, 3], [4]], had=[(0, 1), (1, 9)]),
        [
            merge([channel("a", 1, 2, 7), channel("b", 2, 8)]),
            merge([channel("a", 5), channel("b", 4, 6), channel("words", 4)]),
        ],
    )
    a, b, words, union = report.rows
    assert [row.channel for row in report.rows] == ["a", "b", "words", UNION]
    assert (report.n_requests, report.n_targets, report.n_targets_new) == (2, 4, 3)
    assert (a.recall, a.lost, a.size, a.only) == (2 / 4, 1 / 4, 4 / 2, 3 / 2)
    assert (b.recall, b.lost, b.size, b.only) == (2 / 4, 0 / 4, 4 / 2, 2 / 2)
    assert (words.recall, words.lost) == (1 / 4, 0)
    assert (union.recall, union.size) == (3 / 4, 7 / 2)
    assert (a.recall_new, a.lost_new) == (1 / 3, 0)
    assert (b.recall_new, union.recall_new) == (2 / 3, 2 / 3)


def test_the_union_without_a_channel_is_what_it_is_without_it():
    rng = np.random.default_rng(0)
    targets = [np.sort(rng.choice(N_ITEMS, 3, replace=False)).tolist() for _ in range(20)]
    lists = [
        [channel(name, *rng.choice(N_ITEMS, 3, replace=False)) for name in ("a", "b", "c")]
        for _ in targets
    ]
    whole = channel_report(asked(targets), [merge(listed) for listed in lists])
    for at, row in enumerate(whole.rows[:-1]):
        less = channel_report(
            asked(targets), [merge([*listed[:at], *listed[at + 1 :]]) for listed in lists]
        )
        assert whole.rows[-1].recall - row.lost == pytest.approx(less.rows[-1].recall)
        assert whole.rows[-1].size - row.only == pytest.approx(less.rows[-1].size)


def test_no_new_target_no_figure_and_no_candidate_no_recall():
    report = channel_report(asked([[1]], had=[(0, 1)]), [merge([channel("a")])])
    assert report.rows[0].recall_new is None
    assert report.rows[-1].recall == 0
    assert "–" in report.to_markdown()


def test_every_request_needs_its_candidates():
    with pytest.raises(ValueError, match="zip"):
        channel_report(asked([[1], [2]]), [merge([channel("a", 1)])])


@pytest.fixture(scope="module")
def report(planted_shop, loaded, tmp_path_factory):
    from engine.store import EventStore

    store = EventStore.open(f"sqlite:///{tmp_path_factory.mktemp('channels') / 'events.sqlite'}")
    with Engine(loaded, store) as engine:
        events = load_interactions(planted_shop, Vocabulary.of(planted_shop))
        requests = first_baskets(events, planted.CUT_UNIX_S, min_users=1)
        ranker = EngineRanker(engine, requests, with_scene=True)
        yield channel_report(requests, list(ranker.candidates(requests.requests)))


def test_habits_come_from_the_history_and_all_of_the_shop_is_found(report):
    rows = {row.channel: row for row in report.rows}
    assert report.n_requests == planted.N_USERS
    assert rows["history"].recall > 0.5  # two of five are habits, the rest repeats by chance
    assert rows["history"].recall_new in (None, 0)
    assert rows[UNION].recall == max(row.recall for row in report.rows)
    assert rows[UNION].recall > 0.95
    assert rows["basket"].recall + rows["together"].recall > 0
    assert {"basket", "week"} <= set(rows)


def test_the_report_is_a_table_and_json(report):
    text = report.to_markdown()
    assert text.count("\n| ") >= len(report.rows)
    assert report.to_rich().row_count == len(report.rows)
    from dataclasses import asdict

    assert (
        json.loads(json.dumps(asdict(report), allow_nan=False))["n_requests"] == report.n_requests
    )


def test_words_are_found_by_meaning_and_to_the_letter(shop):
    listed = shop.recommend("a stranger", Scene(query="Brand 3 lawnmower"), k=40)
    hits = {h.channel: h for r in listed if r.item.title == "Lawnmower" for h in r.trace.channels}
    assert hits["terms"].rank == 1
    assert "words" in hits
    assert shop.search("lawnmower", k=1)[0].item.title == "Lawnmower"
    found = shop.search("Brand 3", k=10)
    assert {r.item.brand for r in found} == {"Brand 3"}
