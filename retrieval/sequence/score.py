"""Scores of every item after a history."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from retrieval.sequence.histories import Histories, Rows
from retrieval.sequence.model import NextItem

_USERS_AT_ONCE = 512


@torch.no_grad()
def score_items(model: NextItem, histories: Histories, users: Rows) -> Tensor:
    """Scores of all items for users (int64 ``[B]``) of the histories: float32 ``[B, I]``.

    A user without events gets the scores of an empty state: zeros.
    """
    model.eval()
    batch = histories.padded(users, model.config.max_events).to(model.device)
    lengths = batch.valid.sum(dim=1)
    last = model(batch)[torch.arange(len(users), device=model.device), (lengths - 1).clamp(min=0)]
    last = last * (lengths > 0)[:, None]
    scores: Tensor = last @ model.items().T
    return scores.cpu()


def chances(model: NextItem, histories: Histories, users: Rows) -> NDArray[np.float32]:
    """Chance of every item to be what comes next, float32 ``[B, I]``: positive, rows sum to 1.

    The softmax that the model was trained with. Unlike cosines they can stand beside counts and
    shares of other sources, to be weighed together.
    """
    scores = score_items(model, histories, users) / model.config.temperature
    found: NDArray[np.float32] = scores.softmax(dim=1).numpy()
    return found


def scores_by_chunk(
    model: NextItem, histories: Histories, users: Rows
) -> Iterator[tuple[slice, Tensor]]:
    """:func:`score_items` for many users without holding all their scores."""
    for start in range(0, len(users), _USERS_AT_ONCE):
        chunk = slice(start, start + _USERS_AT_ONCE)
        yield chunk, score_items(model, histories, users[chunk])


def target_ranks(
    model: NextItem, histories: Histories, users: Rows, target: Rows
) -> NDArray[np.int64]:
    """Rank of one item each among all that the user has not taken yet, from 1: int64 ``[B]``.

    Of equal scores the target comes last, so that a constant model is not praised. A target
    that the user took before stays among the ranked.
    """
    ranks = np.zeros(len(users), np.int64)
    for chunk, scores in scores_by_chunk(model, histories, users):
        wanted = torch.from_numpy(target[chunk])[:, None]
        score = scores.gather(1, wanted)
        hide_seen(scores, histories, users[chunk])
        scores.scatter_(1, wanted, score)
        ranks[chunk] = (scores >= score).sum(dim=1).numpy()
    return ranks


def hide_seen(scores: Tensor, histories: Histories, users: Rows) -> None:
    """Set the scores ``[B, I]`` of what each user has taken to −inf, in place."""
    lengths = histories.lengths[users]
    row = np.repeat(np.arange(len(users)), lengths)
    at = np.repeat(histories.starts[users], lengths) + (
        np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    )
    scores[torch.from_numpy(row), torch.from_numpy(histories.item[at])] = float("-inf")
