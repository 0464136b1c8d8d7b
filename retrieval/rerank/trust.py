r"""What retrieval says, for as long as few users taught the network.

The graph's score is learned from every event; the network sees only the training requests. Of a few
dozen users' requests it learns those users rather than the shop, and the few that are held out are
too like the rest to say so. So the graph's score, a cosine, is added to the trained network's
logits with the weight

.. math:: t \cdot \max(0, 1 - n / n_0)

where n users asked the training requests and n0 is :data:`ENOUGH_USERS`; from n0 users on, the
network decides alone. The weight is not fitted: on the training requests the score is older than
when it is served, and a fit would take it for worse than it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

ENOUGH_USERS = 1_000
"""Users whose requests teach the network all that the graph could tell of the whole."""
SCORE = "graph_score"


def pull_of(features: Sequence[str], n_users: int, trust: float) -> Tensor | None:
    """What each feature adds to the logits, float32 ``[F]``; None where nothing does.

    Args:
        features: Names of the F columns; where retrieval's score is none of them, nothing is added.
        n_users: Users of the training requests.
        trust: The weight t.

    Raises:
        ValueError: There is no user.
    """
    if n_users < 1:
        raise ValueError(f"got {n_users} users of the training requests, expected at least one")
    weight = trust * max(0.0, 1 - n_users / ENOUGH_USERS)
    if weight == 0 or SCORE not in features:
        return None
    pull = torch.zeros(len(features))
    pull[list(features).index(SCORE)] = weight
    return pull
