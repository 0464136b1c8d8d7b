"""Models of other libraries learn from the same events and answer the same requests as ours."""

import sys

import numpy as np
import pytest
from test_baselines import ask, small_shop, two_tastes

from engine.errors import MissingExtraError
from engine.evaluate import Tuning, evaluate_baselines
from engine.evaluate.baselines import Ease, ScoreRanker
from engine.evaluate.peers import (
    CornacBpr,
    CornacEase,
    CornacVae,
    LensKitAls,
    LensKitEase,
    LensKitKnn,
)
from engine.evaluate.peers.families import PEERS

SETTINGS = [
    CornacBpr(factors=8, epochs=300, learning_rate=0.05),
    CornacEase(10.0, positive_only=False),
    CornacVae(),
    LensKitAls(factors=2),
    LensKitEase(10.0),
    LensKitKnn(10),
]


def library_of(baseline) -> str:
    return type(baseline).__module__.rpartition(".")[2]


def need(library: str) -> None:
    pytest.importorskip(library, reason=f"{library} is not installed: extra peers")


def shares_taste(baseline) -> float:
    ranker = ScoreRanker.fitted("b", baseline, two_tastes())
    ranked = ranker.rank(ask(range(60)), 5, new_only=True)
    return float(((ranked.rows // 10 == np.arange(60)[:, None] % 2) & ranked.valid).mean())


@pytest.mark.parametrize("baseline", SETTINGS, ids=lambda b: type(b).__name__)
def test_a_peer_finds_a_taste_for_items_that_the_user_never_had(baseline):
    need(library_of(baseline))
    # By chance a third would be: 5 of the 15 that the user never had.
    assert shares_taste(baseline) > 0.8


@pytest.mark.parametrize(
    "theirs", [CornacEase(10.0, positive_only=False), LensKitEase(10.0)], ids=library_of
)
def test_our_ease_is_theirs(theirs):
    need(library_of(theirs))
    ours = Ease(10.0, "ever").fit(two_tastes()).score(ask(range(60)))
    np.testing.assert_allclose(theirs.fit(two_tastes()).score(ask(range(60))), ours, atol=1e-5)


def test_peers_that_are_not_there_are_skipped_with_a_line(monkeypatch):
    for library in ("cornac", "lenskit"):
        monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=r"vitrine-rec\[peers\]"):
        LensKitKnn().fit(two_tastes())
    found = evaluate_baselines(small_shop(), Tuning(min_users=1, k=3), PEERS)
    assert found.outcomes == ()
    assert [line.split(" skipped: ")[0] for line in found.skipped] == [f.name for f in PEERS]
