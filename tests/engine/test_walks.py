"""Paths with names: they end at the item, begin with what was taken, and say when."""

import numpy as np
import pytest

from engine.errors import UnknownIdError
from engine.runtime import Run
from engine.walks import explain_paths
from graph import find_paths


def taken_by(run: Run, user: int) -> set[str]:
    span = slice(int(run.offsets[user]), int(run.offsets[user + 1]))
    return {run.vocabulary.items.id(int(row)) for row in np.unique(run.history.item[span])}


def test_a_walk_leads_from_what_was_taken_to_the_item(loaded: Run) -> None:
    user_id = loaded.vocabulary.users.id(0)
    taken = taken_by(loaded, 0)
    for item in ("item-01", "item-07", "item-15"):
        walks = explain_paths(loaded, user_id, item, 5)
        assert walks
        assert [w.score for w in walks] == sorted((w.score for w in walks), reverse=True)
        for walk in walks:
            assert walk.steps[0].relation == "interacted"
            assert walk.steps[0].item_id in taken
            assert walk.steps[-1].item_id == item
            assert walk.steps[-1].name == loaded.catalogue[loaded.vocabulary.items.row(item)].title
            assert walk.since is not None
            assert walk.since.timestamp() < loaded.as_of.timestamp()


def test_shared_nodes_have_the_names_of_the_tables(loaded: Run) -> None:
    user_id = loaded.vocabulary.users.id(0)
    steps = [
        step
        for row in range(20)
        for walk in explain_paths(loaded, user_id, loaded.vocabulary.items.id(row), 5)
        for step in walk.steps
    ]
    brands = {step.name for step in steps if step.node_type == "brand"}
    kinds = {step.name for step in steps if step.node_type == "category"}
    catalogue = [loaded.catalogue[row] for row in range(len(loaded.catalogue))]
    assert brands
    assert brands <= {item.brand for item in catalogue}
    assert kinds <= {" > ".join(item.categories[:n]) for item in catalogue for n in (1, 2, 3)}


def test_scores_are_those_of_the_weights_that_were_learned(loaded: Run) -> None:
    walks = explain_paths(loaded, loaded.vocabulary.users.id(3), "item-07", 4)
    paths = find_paths(
        loaded.kg, 3, loaded.vocabulary.items.row("item-07"), 4, weights=loaded.relation_weights
    )
    assert [w.score for w in walks] == [p.score for p in paths]


def test_a_stranger_has_no_paths_and_an_unknown_item_is_named(loaded: Run) -> None:
    assert explain_paths(loaded, "stranger", "item-01") == ()
    with pytest.raises(UnknownIdError, match="no-such"):
        explain_paths(loaded, loaded.vocabulary.users.id(0), "no-such")
