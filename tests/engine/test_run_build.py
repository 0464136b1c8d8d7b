from datetime import UTC
from pathlib import Path

import numpy as np
import planted
import polars as pl
import pytest
import torch

from engine import layout
from engine.artifacts import Manifest, load_arrays
from engine.build import build
from engine.config import PolicyConfig
from engine.dataset import Dataset
from engine.recommend import Engine
from engine.runtime import load_run
from engine.stages import Silent, StageCache
from engine.types import Event, EventKind
from engine.vocabulary import Vocabulary
from retrieval.rerank.intervals import next_need


class Spoken(Silent):
    """Remembers which stages ran; dies when one begins, if told to."""

    def __init__(self, dies_at: str | None = None) -> None:
        self.ran: list[str] = []
        self.cached: list[str] = []
        self.notes: list[str] = []
        self._dies_at = dies_at

    def begin(self, stage: str, *, cached: bool) -> None:
        (self.cached if cached else self.ran).append(stage)

    def advance(self, done: int, total: int) -> None:
        if self.ran and self.ran[-1] == self._dies_at:
            raise KeyboardInterrupt

    def note(self, text: str) -> None:
        self.notes.append(text)


STAGES = ["encode", "graph-early", "graph", "requests", "rerank"]


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def shop(planted_shop: Dataset, tmp_path_factory) -> Dataset:
    """The planted shop in a folder of its own, so that no stage of another test is there."""
    return planted.write_shop(tmp_path_factory.mktemp("build") / "data")


@pytest.fixture(scope="module")
def run(shop: Dataset) -> Path:
    """A run and its stages, to be built again beside."""
    run = Path(shop.folder).parent / "run"
    torch.set_num_threads(1)
    planted.train(shop, run)
    return run


def test_the_same_seed_gives_the_same_bytes(run, planted_run):
    # Two datasets written apart, two trainings without a common cache.
    one, other = Manifest.verify(run), Manifest.verify(planted_run)
    assert one.files == other.files
    assert one.run_id == other.run_id


def test_another_seed_gives_another_network(shop, run, tmp_path):
    config = planted.CONFIG.model_copy(update={"seed": 1})
    other = planted.train(shop, run.parent / "other", config)
    name = "rank/model.safetensors"
    assert other.files[name] != Manifest.verify(run).files[name]


def test_training_again_does_nothing_again(shop, run):
    spoken = Spoken()
    again = planted.train(shop, run.parent / "again", reporter=spoken)
    assert spoken.ran == []
    assert spoken.cached == STAGES
    assert again.run_id == Manifest.verify(run).run_id
    assert again.seconds == Manifest.verify(run).seconds  # of when the stages were made


@pytest.mark.parametrize(
    ("change", "ran"), [({"epochs": 1}, ["rerank"]), ({"negatives": 20}, ["requests", "rerank"])]
)
def test_a_change_of_the_reranker_redoes_no_more_than_it_must(shop, run, change, ran):
    spoken = Spoken()
    rerank = planted.CONFIG.rerank.model_copy(update=change)
    config = planted.CONFIG.model_copy(update={"rerank": rerank})
    changed = planted.train(shop, run.parent / "changed", config, reporter=spoken)
    assert spoken.ran == ran
    assert spoken.cached == STAGES[: -len(ran)]
    before = Manifest.verify(run).files
    differing = {name for name, digest in changed.files.items() if digest != before[name]}
    assert "rank/model.safetensors" in differing
    assert all(name.startswith("rank/") for name in differing)


def test_a_change_of_the_habits_half_life_redoes_the_neighbours(shop, run):
    candidates = planted.CONFIG.candidates.model_copy(update={"habit_half_life_days": 7.0})
    config = planted.CONFIG.model_copy(update={"candidates": candidates})
    spoken = Spoken()
    changed = run.parent / "habits"
    planted.train(shop, changed, config, reporter=spoken)
    assert spoken.cached == ["encode"]
    old, new = (load_arrays(r / "graph" / "neighbours.safetensors") for r in (run, changed))
    assert not np.array_equal(old["weight"], new["weight"])


@pytest.mark.parametrize("stage", ["requests", "rerank"])
def test_a_killed_training_leaves_no_run_and_resumes(shop, run, stage, tmp_path):
    killed = Spoken(dies_at=stage)
    with pytest.raises(KeyboardInterrupt):
        planted.train(shop, tmp_path / "run", reporter=killed)
    assert sorted(p.name for p in tmp_path.iterdir()) == [".stages"]
    assert not [p for p in (tmp_path / ".stages").iterdir() if p.name.startswith(".")]
    resumed = Spoken()
    manifest = planted.train(shop, tmp_path / "run", reporter=resumed)
    assert resumed.cached == STAGES[: STAGES.index(stage)]
    assert resumed.ran == STAGES[STAGES.index(stage) :]
    assert manifest.run_id == Manifest.verify(run).run_id


class Cut(Spoken):
    """Dies after the first epoch."""

    def note(self, text: str) -> None:
        super().note(text)
        if text.startswith("epoch 1"):
            self._dies_at = "rerank"


def test_a_training_killed_between_epochs_goes_on_with_the_next(shop, run):
    config = planted.CONFIG.model_copy(update={"seed": 5})
    folder = run.parent / "cut"
    killed = Cut()
    with pytest.raises(KeyboardInterrupt):
        planted.train(shop, folder, config, reporter=killed)
    stages = run.parent / ".stages"
    (left,) = stages.glob("*.unfinished")
    state = left.read_bytes()
    whole = planted.train(shop, folder, config)
    assert not list(stages.glob("*.unfinished"))
    # Once more from what the kill had left, with the finished stage out of the way.
    for stage in (p for p in stages.glob("rerank-*") if left.stem in p.name):
        StageCache(stages, Silent()).forget(stage)
    left.write_bytes(state)
    resumed = planted.train(shop, folder, config)
    assert resumed.run_id == whole.run_id


def test_a_run_keeps_how_often_items_are_taken_again_and_what_speaks_for_what(run):
    world = layout.load_world(run)
    assert world.needs is not None
    assert world.linear is not None
    # What user 0 takes every week is due every week.
    vocabulary = Vocabulary.open(run / "vocabulary.parquet")
    history, offsets = layout.load_past(run)
    user = vocabulary.users.find(planted.user_id(0))
    mine = history.slice(int(offsets[user]), int(offsets[user + 1]))
    habits = np.array([vocabulary.items.find(item) for item in planted.habit_of(0)])
    need = next_need(
        world.needs, mine.item, mine.at_unix_s, habits, planted.CUT_UNIX_S, horizon_days=7
    )
    assert need.interval_days == pytest.approx([7, 7], rel=0.25)
    assert (need.chance > 0.6).all()
    assert world.needs.pair_variance > 0
    taken = np.flatnonzero(world.linear.weight.sum(axis=1) > 0)
    same = [
        row // planted.BLOCK_SIZE == world.linear.rows[row, 0] // planted.BLOCK_SIZE
        for row in taken
    ]
    assert np.mean(same) > 0.9  # what speaks most for an item is of its taste
    assert load_run(run).model.shape.n_features == len(world.feature_names())


def test_a_run_replaces_the_one_before_and_keeps_its_events(shop, run, tmp_path):
    target = run.parent / "served"
    planted.train(shop, target)
    with Engine.open(target) as engine:
        bought = Event("visitor", planted.item_id(1), EventKind.PURCHASE, planted.CUT)
        assert engine.observe([bought]) == 1
    config = planted.CONFIG.model_copy(update={"policy": PolicyConfig(max_per_group=3)})
    planted.train(shop, target, config)
    with Engine.open(target) as engine:
        assert engine.run.config.policy.max_per_group == 3
        assert [event.item_id for event in engine.store.history("visitor")] == [planted.item_id(1)]


def test_items_that_too_few_took_are_searched_but_not_recommended(shop, run):
    taken = shop.events.filter(pl.col("timestamp") < planted.CUT.astimezone(UTC))
    counts = dict(taken.group_by("item_id").agg(pl.col("user_id").n_unique()).iter_rows())
    limit = sorted(counts.values())[len(counts) // 2]
    config = planted.CONFIG.model_copy(update={"min_users": limit})
    rare = run.parent / "rare"
    planted.train(shop, rare, config)
    recommendable = load_arrays(rare / "items.safetensors")["recommendable"]
    assert 0 < recommendable.sum() < planted.N_ITEMS
    expected = [counts.get(planted.item_id(i), 0) >= limit for i in range(planted.N_ITEMS)]
    assert recommendable.tolist() == expected


def test_the_manifest_says_what_the_run_is(shop, run):
    manifest = Manifest.verify(run)
    assert manifest.dataset_hash == shop.hash
    assert manifest.dataset_name == "Planted"
    assert manifest.as_of_unix_s == planted.CUT_UNIX_S
    assert manifest.settings["rerank"]["weeks"] == planted.CONFIG.rerank.weeks
    assert sorted(manifest.seconds) == sorted(STAGES)
    assert manifest.metrics.keys() == {"graph", "rank"}
    assert manifest.versions["numpy"] == np.__version__


def test_a_cut_before_every_event_is_refused_in_words(shop, tmp_path):
    first = int(shop.events["timestamp"].min().timestamp())
    with pytest.raises(ValueError, match=r"event|request|session"):
        build(shop, planted.CONFIG, tmp_path / "run", as_of_unix_s=first)
    assert not (tmp_path / "run").exists()
