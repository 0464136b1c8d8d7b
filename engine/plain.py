"""Lists that no model scored: similar items, complements, search."""

from __future__ import annotations

from engine.recommendation import ChannelHit, Recommendation, Trace
from engine.runtime import Run
from retrieval.candidates import Candidates, Channel


def plain_list(
    run: Run, found: Channel, reason: str, came_from: Candidates | None = None
) -> list[Recommendation]:
    """Ranked items with one reason for all, and the channels that each came from.

    Args:
        run: Knows the items.
        found: The list, best first.
        reason: A sentence.
        came_from: The channels that the list was fused from; None if it is one itself.
    """
    listed = []
    for rank, (row, score) in enumerate(zip(found.rows, found.scores, strict=True), start=1):
        origins = came_from.origins(int(row)) if came_from else ((found.name, rank, float(score)),)
        listed.append(
            Recommendation(
                rank=rank,
                item=run.catalogue[int(row)],
                score=float(score),
                probability=None,
                reason=reason,
                evidence=(),
                trace=Trace(
                    tuple(ChannelHit(*origin) for origin in origins), float(score), 0.0, ()
                ),
            )
        )
    return listed
