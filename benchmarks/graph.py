"""The graph: what its vectors find, how quickly, and what it weighs.

    python -m benchmarks.graph [SECTION ...]

Without a section all are measured, one after the other; figures of sections that were measured
before stay. Needs the real data (``--data``), and for ``update`` the demo's data and run.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks import pages
from benchmarks.cases import Case, measured
from benchmarks.graph_cases.ablations import ablations
from benchmarks.graph_cases.beauty import beauty
from benchmarks.graph_cases.cold import cold
from benchmarks.graph_cases.figures import Row
from benchmarks.graph_cases.gowalla import gowalla
from benchmarks.graph_cases.lastfm import lastfm
from benchmarks.graph_cases.lightgcn import EARLY_EPOCHS, epoch_ratio, time_to_lightgcn
from benchmarks.graph_cases.paths import measure_paths
from benchmarks.graph_cases.update import update_case
from benchmarks.sections import Found, Section, rows, run
from engine.evaluate.bootstrap import Interval

COMMAND = "make bench-graph"
case = partial(measured, command=COMMAND)


def main() -> None:
    """Measure and write ``benchmarks/results/graph*``, ``graph.md`` and the README."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.graph", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--demo", type=Path, default=Path("data/complete-journey"))
    parser.add_argument("--run", type=Path, default=Path("runs/demo"))
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    data, seeds = given.data, tuple(range(given.seeds))
    sections = (
        Section("gowalla", "Gowalla, the split of the LightGCN paper", lambda: _gowalla(data)),
        Section("race", "Time against LightGCN", lambda: _race(data)),
        Section("beauty", "Amazon Beauty", lambda: _beauty(data, seeds)),
        Section("lastfm", "Last.FM and its triples", lambda: _lastfm(data, seeds)),
        Section("cold", "Items that nobody has touched", lambda: _cold(data, seeds)),
        Section("ablations", "What each part is worth", lambda: _ablations(data, seeds)),
        Section("paths", "Paths and memory, ten million edges", _paths),
        Section("update", "An update against a training", lambda: _update(given.run, given.demo)),
    )
    run("graph", sections, given.sections)
    pages.main()


def _gowalla(data: Path) -> Found:
    found = gowalla(data, seed=0)
    ours = found.ours
    cases = (
        case("gowalla_recall20", float(ours.recall.mean()), "", ">= 0.195"),
        case("gowalla_ndcg20", float(ours.ndcg.mean()), "", ">= 0.162"),
        case("gowalla_minutes", found.minutes, "min", "<= 15"),
        case("gowalla_ranking_minutes", found.ranking_minutes, "min"),
        case("gowalla_cpu_minutes", found.cpu_minutes, "min"),
    )
    note = (
        "29,858 users, 40,981 items, full ranking without the training items. Everything was "
        "chosen on a part of the training rows. Published on this split: LightGCN 0.1830 / "
        "0.1554, SimpleX 0.1872 / 0.1557, UltraGCN 0.1862 / 0.1580, BSPM 0.1920 / 0.1597 (these "
        "chose on test); EASE 0.1765 / 0.1467 (BARS). The files carry no times, so there is no "
        "split by time."
    )
    return Found(cases, f"{_table(found.rows())}\n\n{note}")


def _race(data: Path) -> Found:
    race, epoch = time_to_lightgcn(data), epoch_ratio()
    cases = (
        case("time_to_lightgcn_ratio", race.ratio(), "x", "<= 0.002"),
        case("lightgcn_over_ours", 1 / race.ratio(), "x", ">= 500"),
        case("lightgcn_over_ours_300_epochs", 1 / race.ratio(EARLY_EPOCHS), "x", ">= 500"),
        case("time_to_lightgcn_recall20", float(race.closed.recall.mean()), "", ">= 0.183"),
        case("epoch_vs_pyg_ratio", epoch.ratio(), "x", ">= 1"),
        case("epoch_vs_pyg_same_batch", epoch.pyg / epoch.ours_same_batch, "x"),
    )
    note = (
        f"To LightGCN's published Recall@20 on Gowalla: {race.closed_s:.0f} s for our closed form, "
        f"ranking of all users included; PyG's LightGCN takes {race.epoch_s:.0f} s an epoch "
        "(batch 2,048, extrapolated from the median of 20 steps), and its authors train 1,000. "
        f"An epoch over a million edges at 64 dimensions: ours {epoch.ours:.1f} s "
        f"({epoch.ours_same_batch:.1f} s at the batch of PyG's example), theirs {epoch.pyg:.1f} s."
    )
    return Found(cases, note)


def _beauty(data: Path, seeds: tuple[int, ...]) -> Found:
    found = beauty(data, seeds)
    cases = [
        case("beauty_vs_best_ratio", found.vs_best, "x", ">= 1"),
        case("beauty_triples_gain_low", found.gain_low, "", ">= 0"),
    ]
    notes = []
    for protocol, gain, ratio, best in zip(
        ("time", "leave_one_out"), found.gains, found.ratios, found.best_others, strict=True
    ):
        cases += [*_bounds(f"beauty_{protocol}_gain", gain), *_bounds(f"beauty_{protocol}", ratio)]
        notes.append(
            f"{protocol.replace('_', ' ')}: {_told(ratio)} times the best other ({best}), "
            f"attributes add {_told(gain)} to Recall@20"
        )
    return Found(tuple(cases), f"{_table(found.rows)}\n\n{'; '.join(notes)}. {_seeds(seeds)}")


def _lastfm(data: Path, seeds: tuple[int, ...]) -> Found:
    found = lastfm(data, seeds)
    cases = (
        case("lastfm_triples_gain_low", found.gain.low, "", ">= 0"),
        case("lastfm_triples_gain_high", found.gain.high, ""),
    )
    note = f"The triples add {_told(found.gain)} to Recall@20. {_seeds(seeds)}"
    return Found(cases, f"{_table(found.rows)}\n\n{note}")


def _cold(data: Path, seeds: tuple[int, ...]) -> Found:
    found = cold(data, seeds)
    cases = (
        case("cold_vs_popularity", found.vs_popularity, "x", ">= 5"),
        case("cold_vs_content", found.vs_content.estimate, "x", ">= 1.3"),
        *_bounds("cold_vs_content", found.vs_content),
    )
    note = (
        "A tenth of Beauty's items lose all events of the training; those who touch one later are "
        "asked for it among all 12,101. An item that never sold is on no list of popular ones, so "
        f"the ratio to popularity is that to chance, 20 of 12,101. {_seeds(seeds)}"
    )
    return Found(cases, f"{_table(found.rows)}\n\n{note}")


def _ablations(data: Path, seeds: tuple[int, ...]) -> Found:
    found = ablations(data, seeds)
    lines = [
        (one.row.method, f"{one.row.recall.estimate:.4f}", "" if i == 0 else _told(one.worth))
        for i, one in enumerate(found)
    ]
    cases = [
        bound
        for one in found[1:]
        for bound in _bounds(
            one.row.method.replace(" ", "_").replace("without", "worth"), one.worth
        )
    ]
    table = rows(("Beauty, split by time", "Recall@20", "worth, 95 % interval"), lines)
    return Found(tuple(cases), f"{table}\n\nWidth 32, two epochs. {_seeds(seeds)}")


def _paths() -> Found:
    found = measure_paths(0)
    cases = (
        case("path_ms", found.path_ms_p99, "ms", "<= 5"),
        case("path_ms_p50", found.path_ms_p50, "ms"),
        case("path_cpu_ms_p99", found.path_cpu_ms_p99, "ms"),
        case("bytes_per_edge", found.bytes_per_edge, "B"),
        case("bytes_per_node", found.bytes_per_node, "B"),
    )
    note = (
        f"{found.n_edges:,} edges of a heavy tail, {found.n_nodes:,} nodes; 2,000 questions drawn "
        f"by degree, {found.answered:.0%} of them with a path. `path_ms` is the p99. The plan for "
        "a billion edges is in [docs/graph.md](../docs/graph.md)."
    )
    return Found(cases, note)


def _update(run_folder: Path, dataset: Path) -> Found:
    found = update_case(run_folder, dataset)
    cases = (
        case("update_share_of_training", found.share, ""),
        case("update_seconds", found.seconds, "s"),
        case("update_recall20_stale", found.stale, ""),
        case("update_recall20", found.refreshed, ""),
        case("update_recall20_retrained", found.retrained, ""),
    )
    note = (
        f"{found.n_events:,} events of the four weeks after the demo's cut. The whole update takes "
        f"{found.seconds:.0f} s, the vectors {found.refresh_seconds:.1f} s against "
        f"{found.retrain_seconds:.1f} s for training them anew. Recall@20 is that of the graph's "
        "vectors on the newest days, which none of the three saw; no interval was computed."
    )
    return Found(cases, note)


def _bounds(name: str, interval: Interval) -> Iterator[Case]:
    yield case(f"{name}_low", interval.low, "")
    yield case(f"{name}_high", interval.high, "")


def _table(found: tuple[Row, ...]) -> str:
    lines = (
        (f"{r.method} ({r.protocol})", _told(r.recall), f"{r.ndcg:.4f}", f"{r.users:,}")
        for r in found
    )
    return rows(("method (protocol)", "Recall@20, 95 % interval", "NDCG@20", "users"), lines)


def _told(interval: Interval) -> str:
    return f"{interval.estimate:.4f} [{interval.low:.4f}, {interval.high:.4f}]"


def _seeds(seeds: tuple[int, ...]) -> str:
    return f"Seeds {', '.join(map(str, seeds))}; paired bootstrap over users."


if __name__ == "__main__":
    main()
