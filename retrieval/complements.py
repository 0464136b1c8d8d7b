"""What goes with a basket: things of other kinds that lie beside its items more than by chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retrieval.candidates import Channel, top_rows
from retrieval.partners import Partners

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

KIN_SHARE = 0.5
"""What the baskets of an item's whole category count, beside its own."""
PRIOR_SHARE = 1.0
"""How far what sells anyway comes first among what goes with the basket; 1 orders by the chance
that the basket holds it too, 0 by lift alone."""


def bought_with(basket: Ints, partners: Partners, group: Ints, allowed: Bools, n: int) -> Channel:
    r"""Complements of a basket, likeliest first.

    .. math:: s_j = \log p_j + \sum_{i} \big( \ell_{ij} + \kappa \, \ell_{g(i) j} \big)

    the naive Bayes score of the basket's other items, with log lifts :math:`\ell` of the item and
    of its category :math:`g(i)`. Only items with a lift that is sure are answered, so nothing is
    there for its popularity alone; nothing of the basket's own categories is, as that would be a
    substitute.

    Args:
        basket: int64 ``[H]``, distinct items; those later than the table are passed over, and
            their category speaks for them.
        partners: Learned from baskets; of the first P of all items.
        group: int64 ``[I]``, finest category of every item, I from P on.
        allowed: bool ``[I]``.
        n: Answers at most.
    """
    known = len(partners)
    lift = partners.lifts(basket[basket < known])
    own_groups = np.unique(group[basket])
    for code in own_groups:
        weight = KIN_SHARE * np.count_nonzero(group[basket] == code)
        kin = np.flatnonzero(group[:known] == code)
        lift += np.float32(weight) * partners.kin_lifts(kin)
    other = allowed[:known] & ~np.isin(group[:known], own_groups)
    other[basket[basket < known]] = False
    rows = np.flatnonzero(other & (lift > 0))
    scores = lift[rows] + np.float32(PRIOR_SHARE) * partners.log_share[rows]
    return top_rows("bought_with", rows, scores, n)
