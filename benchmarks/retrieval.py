"""Retrieval: one search, filters, changes, memory, crashes, and what reaches a shopper.

    python -m benchmarks.retrieval [SECTION ...] [--vectors 1000000]

Without a section all are measured; figures of sections that were measured before stay. The peers
need the extra ``peers``; the sections about items need the demo's run.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from benchmarks import pages
from benchmarks.cases import measured
from benchmarks.retrieval_cases.channels import channels
from benchmarks.retrieval_cases.crash import measure_crashes
from benchmarks.retrieval_cases.filters import measure_filter
from benchmarks.retrieval_cases.hybrid import fashion_cases, hybrid_figures, journey_case
from benchmarks.retrieval_cases.memory import measure_memory
from benchmarks.retrieval_cases.new_item import new_item_seconds
from benchmarks.retrieval_cases.open_saved import measure_open
from benchmarks.retrieval_cases.similar import similar
from benchmarks.retrieval_cases.vectors import DIM, Catalogue, catalogue
from benchmarks.retrieval_cases.write_load import measure_write_load
from benchmarks.sections import Found, Section, rows, run
from encoders import Encoder
from engine.dataset import Dataset
from engine.recommend import Engine
from retrieval.index import build_index
from retrieval.index.plan import plan_index

COMMAND = "make bench-retrieval"
WORK = Path("runs/retrieval-benchmark")
GOAL_RECALL = 0.95
case = partial(measured, command=COMMAND)


def main() -> None:
    """Measure and write ``benchmarks/results/retrieval*``, ``retrieval.md`` and the README."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retrieval", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION")
    parser.add_argument("--vectors", type=int, default=1_000_000)
    parser.add_argument("--peers", nargs="*", default=["hnswlib", "usearch"])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--demo", type=Path, default=Path("data/complete-journey"))
    parser.add_argument("--run", type=Path, default=Path("runs/demo"))
    given = parser.parse_args()
    shop = cache(lambda: catalogue(given.vectors))
    sections = (
        Section("search", "One search", lambda: _search(shop(), given.peers)),
        Section("filters", "Filters", lambda: _filters(shop())),
        Section("changes", "Changes while searching", lambda: _changes(shop())),
        Section("memory", "Bytes per item", lambda: _memory(shop())),
        Section("open", "From a folder to an answer", lambda: _open(shop())),
        Section("crash", "kill -9", _crash),
        Section("new_item", "A new item", lambda: _new_item(given.run)),
        Section("words", "Words: vectors and BM25", lambda: _words(given.data, given.demo)),
        Section("channels", "Channels", lambda: _channels(given.run, given.demo)),
        Section("similar", "Similar and complements", lambda: _similar(given.run, given.demo)),
    )
    run("retrieval", sections, given.sections)
    pages.main()


def _built(shop: Catalogue) -> Path:
    """The index over the catalogue; built once, kept between calls."""
    folder = WORK / f"planned-{len(shop.vectors)}"
    if not folder.exists():
        plan = plan_index(len(shop.vectors), DIM, recall=GOAL_RECALL)
        build_index(np.arange(len(shop.vectors)), shop.vectors, plan=plan).save(folder)
    return folder


def _search(shop: Catalogue, names: Sequence[str]) -> Found:
    try:
        from benchmarks.retrieval_cases.search import hnswlib_peer, measure_search, usearch_peer
    except ImportError as error:
        raise SystemExit(f"{error.name} is missing: pip install 'vitrine-rec[peers]'") from error
    n = len(shop.vectors)
    makers = {"hnswlib": hnswlib_peer, "usearch": usearch_peer}
    peers = tuple(makers[name](shop, WORK / f"{name}-{n}") for name in names)
    found = measure_search(shop, _built(shop), peers, recall=GOAL_RECALL)
    cases = (
        case("p50_vs_raw", found.vs_raw, "x", "<= 1.15"),
        case("p50_vs_best_peer", found.vs_best_peer, "x", "<= 1"),
        case("p50_ms", found.ours.p50_ms, "ms"),
    )
    contenders = (found.ours, found.raw, *found.peers)
    lines = (
        (c.name, f"{c.p50_ms:.3f}", f"{c.recall:.3f}", f"{c.bytes_per_item:.0f}", c.effort)
        for c in contenders
    )
    table = rows(("", "p50 ms", "recall@100", "bytes per item", "breadth"), lines)
    return Found(cases, f"{table}\n\n{_shop_told(shop)}")


def _filters(shop: Catalogue) -> Found:
    folder = _built(shop)
    found = [measure_filter(shop, folder, share=share) for share in (0.001, 0.01, 0.1, 0.5)]
    of_one_percent = found[1]
    cases = (case("filter_1pct_vs_postfilter", of_one_percent.vs_postfilter, "x", "<= 0.2"),)
    lines = (
        (
            f"{f.share:.1%}",
            f"{f.p50_ms:.2f}",
            f"{f.recall:.3f}",
            f"{f.post_p50_ms:.2f}",
            f"{f.post_recall:.3f}",
            f"{f.vs_postfilter:.2f}",
        )
        for f in found
    )
    header = ("left by the filter", "p50 ms", "recall", "post-filtering", "recall", "ratio")
    return Found(cases, f"{rows(header, lines)}\n\n{_shop_told(shop)}")


def _changes(shop: Catalogue) -> Found:
    WORK.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=WORK) as work:
        found = measure_write_load(shop, _built(shop), Path(work) / "live")
    cases = (
        case("write_load_p99_ratio", found.p99_ratio, "x", "<= 2"),
        case("write_load_short_answers", found.short, "", "<= 0"),
    )
    note = (
        f"10,000 vectors, {found.added_per_second:.0f} a second, each batch of 100 durable before "
        f"it is acknowledged: p50 {found.quiet_p50_ms:.2f} ms quiet, {found.loaded_p50_ms:.2f} "
        f"loaded; p99 {found.quiet_p99_ms:.2f} and {found.loaded_p99_ms:.2f}; "
        f"{found.searches:,} searches, {found.short} of them with fewer answers than asked for."
    )
    return Found(cases, note)


def _memory(shop: Catalogue) -> Found:
    n = len(shop.vectors)
    budgets = (40, 72, 160)
    plans = [plan_index(n, DIM, memory_bytes=n * budget, recall=GOAL_RECALL) for budget in budgets]
    found = measure_memory(shop, list(dict.fromkeys(plans)), WORK / f"memory-{n}")
    good = [f for f in found if f.recall >= GOAL_RECALL]
    least = min(f.bytes_without_ids for f in good or found)
    lines = (
        (
            f"{f.kind} {f.code or ''}".strip(),
            f"{f.bytes_per_item:.0f}",
            f"{f.recall:.3f}",
            f"{f.p50_ms:.2f}",
        )
        for f in found
    )
    table = rows(("codes", "bytes per item, ids too", "recall@100", "p50 ms"), lines)
    note = f"Re-scored exactly from a file that is mapped. {_shop_told(shop)}"
    return Found((case("bytes_per_item", least, "B", "<= 64"),), f"{table}\n\n{note}")


def _open(shop: Catalogue) -> Found:
    found = measure_open(_built(shop), DIM)
    cases = (case("open_first_answer_s", found.first_answer_s, "s", "<= 1"),)
    return Found(cases, f"Opened in {found.open_s:.3f} s, in a new process; {_shop_told(shop)}")


def _crash() -> Found:
    found = measure_crashes(50, 1000)
    cases = (case("crash_lost_changes", found.lost + found.unopened, "", "<= 0"),)
    note = (
        f"{found.rounds} processes killed at random moments of 1,000 random changes: "
        f"{found.acknowledged:,} acknowledged, {found.lost} lost, {found.unopened} indexes that "
        f"did not open; {found.compactions} had been compacted before."
    )
    return Found(cases, note)


def _new_item(folder: Path) -> Found:
    found = new_item_seconds(folder)
    slowest = max(found.searched, found.similar, found.recommended)
    cases = (
        case("new_item_seconds", slowest, "s", "<= 1"),
        case("new_item_rank_searched", found.rank_searched, ""),
        case("new_item_rank_similar", found.rank_similar, ""),
        case("new_item_rank_recommended", found.rank_recommended, ""),
    )
    note = (
        f"After `add_item` returned ({found.added:.2f} s: encoded, placed, durable) a search found "
        f"it at {found.searched:.2f} s (rank {found.rank_searched}), its sibling's similar items "
        f"at {found.similar:.2f} s (rank {found.rank_similar}), and the list of a shopper who took "
        f"its siblings at {found.recommended:.2f} s (rank {found.rank_recommended}); the second "
        f"item took {found.again:.2f} s in all."
    )
    return Found(cases, note)


def _words(data: Path, demo: Path) -> Found:
    encoder = Encoder.open("bundled")
    asked = [*fashion_cases(data), journey_case(demo)]
    figures = [figure for one in asked for figure in hybrid_figures(one, encoder.encode_texts)]
    ways = ("vectors", "words", "rrf", "blend_0.5_power_3")
    of: dict[tuple[str, str], tuple[float, float]] = {
        (f.case, f.method): (f.recall_10, f.missed) for f in figures
    }
    lines = [
        (one.case, *(f"{of[one.case, way][0]:.3f} ({of[one.case, way][1]:.0%})" for way in ways))
        for one in asked
    ]
    models = asked[0].case
    cases = (
        case("hybrid_model_numbers_missed", of[models, ways[-1]][1], "", "<= 0.01"),
        case("hybrid_model_numbers_recall10", of[models, ways[-1]][0], ""),
        case("vectors_model_numbers_recall10", of[models, "vectors"][0], ""),
    )
    table = rows(("queries", "vectors", "BM25", "rank fusion", "**ours**"), lines)
    note = "Recall@10, and in brackets the share of queries without one right answer among ten."
    return Found(cases, f"{table}\n\n{note}")


def _channels(folder: Path, demo: Path) -> Found:
    with Engine.open(folder) as engine:
        report = channels(engine, Dataset.open(demo))
    return Found((), report.to_markdown())


def _similar(folder: Path, demo: Path) -> Found:
    with Engine.open(folder) as engine:
        found = similar(engine, Dataset.open(demo))
    lines = (
        (
            f"{f.way} of {f.shown}",
            f"{f.same_category:.3f}",
            f"{f.hit.estimate:.3f}",
            f"{f.recall.estimate:.4f}",
            f"{f.recall_over_popularity.estimate:+.4f} [{f.recall_over_popularity.low:+.4f}, "
            f"{f.recall_over_popularity.high:+.4f}]",
        )
        for f in found
    )
    header = ("way", "same category", "hit@10", "recall@10", "recall less popularity's")
    half = next(f for f in found if f.shown == "half" and f.way == "complements")
    cases = (
        case("complements_recall_over_popularity_low", half.recall_over_popularity.low, "", ">= 0"),
    )
    return Found(cases, rows(header, lines))


def _shop_told(shop: Catalogue) -> str:
    return (
        f"{len(shop.vectors):,} vectors of {DIM}, clustered, one query at a time, one thread; "
        f"{len(shop.queries):,} queries, k = {shop.k}."
    )


if __name__ == "__main__":
    main()
