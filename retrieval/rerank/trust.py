r"""What retrieval says, for as long as little taught the network.

The graph's score is learned from every event; the network sees only the training requests. Of a few
hundred requests of a few dozen users it learns those users rather than the shop, and the few that
are held out are too like the rest to say so. So the graph's score, a cosine, is added to the
trained network's logits with the weight

.. math:: t \cdot \max(0, 1 - u / u_0) \cdot \max(0, 1 - n / n_0)

where u users asked the n training requests, and u0 and n0 are :data:`ENOUGH_USERS` and
:data:`ENOUGH_REQUESTS`; with either of them the network decides alone: many requests of few users
teach it what a scene is worth, which the graph's score does not know. The weight is not fitted: on
the training requests the score is older than when it is served, and a fit would take it for worse
than it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

ENOUGH_USERS = 1_000
"""Users whose requests teach the network all that the graph could tell of the whole."""
ENOUGH_REQUESTS = 3_000
"""Requests that do, of however few users."""
SCORE = "graph_score"


def pull_of(features: Sequence[str], n_users: int, n_requests: int, trust: float) -> Tensor | None:
    """What each feature adds to the logits, float32 ``[F]``; None where nothing does.

    Args:
        features: Names of the F columns; where retrieval's score is none of them, nothing is added.
        n_users: Users of the training requests.
        n_requests: Training requests.
        trust: The weight t.

    Raises:
        ValueError: There is no user, or there are fewer requests than users.
    """
    if not 1 <= n_users <= n_requests:
        raise ValueError(
            f"got {n_requests} training requests of {n_users} users, expected at least one user, "
            "and a request of each"
        )
    weight = (
        trust * max(0.0, 1 - n_users / ENOUGH_USERS) * max(0.0, 1 - n_requests / ENOUGH_REQUESTS)
    )
    if weight == 0 or SCORE not in features:
        return None
    pull = torch.zeros(len(features))
    pull[list(features).index(SCORE)] = weight
    return pull
