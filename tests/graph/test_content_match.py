"""What goes with what is learned from content, not that like goes with like."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from graph import GraphError
from graph.content_match import fit_content_match


def test_complements_are_found_where_similarity_fails() -> None:
    """Kind k goes with kind k + 1 of its pair, never with its own; new items obey at once."""
    kind = np.arange(120) % 6
    partner = kind ^ 1
    content = np.eye(6, dtype=np.float32)[kind]
    together = sp.csr_array((kind[:, None] == partner[None]).astype(np.float32))
    known = np.arange(120) < 90
    match = fit_content_match(content, together, known)
    scores = content @ match.embed_new_items(content[90:]).T
    plain = content @ content[90:].T
    right = kind[:, None] == partner[None, 90:]
    assert scores[right].min() > scores[~right].max() + 0.5
    assert plain[right].max() == 0


def test_unknown_items_are_not_learned_from() -> None:
    rng = np.random.default_rng(0)
    content = rng.normal(size=(30, 4)).astype(np.float32)
    together = sp.csr_array(np.triu(rng.random((30, 30)), 1))
    known = np.arange(30) < 20
    spoiled = content.copy()
    spoiled[20:] = 100.0
    maps = [fit_content_match(c, together, known).weights for c in (content, spoiled)]
    np.testing.assert_array_equal(*maps)


def test_the_weights_solve_the_penalised_regression() -> None:
    """With hardly any ridge, a bilinear S is copied."""
    rng = np.random.default_rng(1)
    content = rng.normal(size=(12, 3))
    content[3:] = content[:3].repeat(3, axis=0)  # Rank 3, and the diagonal can stay empty.
    truth = rng.normal(size=(3, 3))
    together = content @ truth @ content.T
    basis = np.linalg.pinv(content)
    cleared = together - np.diag(np.diag(together))
    found = fit_content_match(
        content.astype(np.float32), sp.csr_array(cleared), np.ones(12, bool), ridge=1e-6
    )
    np.testing.assert_allclose(found.weights, basis @ cleared @ basis.T, rtol=1e-3, atol=1e-3)


def test_an_item_beside_itself_raises() -> None:
    content, known = np.ones((3, 2), np.float32), np.ones(3, bool)
    with pytest.raises(GraphError, match="together with itself"):
        fit_content_match(content, sp.csr_array(np.eye(3)), known)
    with pytest.raises(GraphError, match="no item is known"):
        fit_content_match(content, sp.csr_array((3, 3)), ~known)
