"""What moved against the committed figures, on figures made up here."""

import json
import subprocess
import sys
from dataclasses import asdict, replace

import pytest

from benchmarks import bench_all
from benchmarks.bench_all import Crossed, compare, parse, read, run_one, table, told
from benchmarks.cases import Case

FAST = Case("open_ms", 4.0, "ms", "<= 5", True, "make bench-x", "abc", "cpu")
GOOD = Case("ndcg_ratio", 1.1, "x", ">= 1.2", False, "make bench-x", "abc", "cpu")
TOLD = Case("items", 100.0, "", "", None, "make bench-x", "abc", "cpu")


def test_a_target_that_is_crossed_is_told_in_either_direction():
    slower = replace(FAST, value=6.0, holds=False)
    better = replace(GOOD, value=1.21, holds=True)
    moves = compare([FAST, GOOD], [slower, better])
    assert [move.crossed for move in moves] == [Crossed.LOST, Crossed.REACHED]
    assert [move.ratio for move in moves] == [6.0 / 4.0, 1.21 / 1.1]


def test_a_move_that_crosses_nothing():
    [move] = compare([FAST], [replace(FAST, value=3.0)])
    assert move.moved
    assert move.crossed == Crossed.NO
    assert move.ratio == 0.75


def test_cases_that_came_and_went():
    moves = compare([FAST, TOLD], [GOOD, TOLD])
    assert [(move.case, move.moved) for move in moves] == [
        ("ndcg_ratio", True),
        ("items", False),
        ("open_ms", True),
    ]
    assert [move.ratio for move in moves] == [None, 1.0, None]
    assert {move.crossed for move in moves} == {Crossed.NO}


def test_another_commit_or_machine_is_no_move():
    [move] = compare([FAST], [replace(FAST, commit="def", cpu="other")])
    assert not move.moved


def test_there_is_no_ratio_to_zero():
    [move] = compare([replace(TOLD, value=0.0)], [TOLD])
    assert move.moved
    assert move.ratio is None


def test_the_table_shows_crossed_targets_first_and_counts_the_rest():
    slower = replace(FAST, value=6.0, holds=False)
    moves = compare([GOOD, TOLD, FAST], [replace(GOOD, value=1.0), TOLD, slower])
    assert table(moves).splitlines() == [
        "| case | committed | now | ratio | target | crossed |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
        "| `open_ms` | 4 ms | 6 ms | 1.500 | <= 5 | **no longer holds** |",
        "| `ndcg_ratio` | 1.1 x | 1 x | 0.909 | >= 1.2 |  |",
        "",
        "1 of 3 cases stand where they stood.",
    ]


def test_a_target_that_was_changed_is_told_beside_the_old_one():
    [move] = compare([FAST], [replace(FAST, target="<= 3", holds=False)])
    assert "<= 3 (was <= 5)" in table([move])


def test_nothing_moved():
    assert table(compare([FAST], [FAST])) == "1 of 1 cases stand where they stood."


def test_cases_survive_the_way_through_json():
    assert parse(json.dumps([asdict(FAST), asdict(TOLD)]), "x.json") == [FAST, TOLD]
    assert parse("", "x.json") == []


@pytest.mark.parametrize("text", ['[{"case": "x"}]', "[1]", "{", '{"a": 1}'])
def test_a_file_of_another_form_is_told(text):
    with pytest.raises(ValueError, match=r"x\.json holds no cases"):
        parse(text, "x.json")


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with one committed result, which the working tree then alters."""

    def git(*arguments):
        names = ("-c", "user.name=x", "-c", "user.email=x@x")
        subprocess.run(["git", *names, *arguments], cwd=tmp_path, check=True, capture_output=True)

    results = tmp_path / "benchmarks" / "results"
    results.mkdir(parents=True)
    path = results / "demo.json"
    path.write_text(json.dumps([asdict(FAST)]))
    git("init")
    git("add", ".")
    git("commit", "-m", "x")
    path.write_text(json.dumps([asdict(replace(FAST, value=6.0, holds=False))]))
    monkeypatch.setattr(bench_all, "ROOT", tmp_path)
    monkeypatch.setattr(bench_all, "RESULTS", results)
    return tmp_path


def test_the_committed_figures_are_read_from_git(repository):
    assert read("demo", "HEAD") == [FAST]
    assert read("demo")[0].value == 6.0
    assert read("graph", "HEAD") == read("graph") == []


def test_comparing_alone_exits_with_1_where_a_target_is_lost(repository, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bench_all", "demo", "graph", "--no-run"])
    with pytest.raises(SystemExit) as ended:
        bench_all.main()
    assert ended.value.code == 1
    shown = capsys.readouterr().out
    assert "**no longer holds**" in shown
    assert "## graph\n\n0 of 0 cases" in shown


def test_a_benchmark_that_fails_is_told_and_stops_no_other(repository):
    folder = repository / "benchmarks"
    (folder / "__init__.py").touch()
    (folder / "bad.py").write_text("raise SystemExit(3)")
    (folder / "fine.py").touch()
    runs = [run_one("bad"), run_one("fine")]
    assert [run.exit_code for run in runs] == [3, 0]
    lines = told(runs).splitlines()
    assert lines[2].endswith("| **with 3** |")
    assert lines[3].endswith("| well |")


def test_a_strange_name_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["bench_all", "poetry"])
    with pytest.raises(SystemExit, match="got 'poetry', expected some of"):
        bench_all.main()
