"""Paths of the graph from a shopper to an item, with the names that people know."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from engine.node_names import NodeNames
from engine.recommendation import Step, Walk
from engine.runtime import Run
from engine.show_graph import NAMES_FILE
from graph import Hop, NodeType, find_paths


def explain_paths(run: Run, user_id: str, item_id: str, k: int = 3) -> tuple[Walk, ...]:
    """The best short typed paths between a shopper and an item, weighed by what the model learned.

    Args:
        run: The run; events since its training are not in its graph.
        user_id: The shopper; one that training did not know has no paths.
        item_id: The item; one that came since training has none.
        k: Walks at most.

    Raises:
        UnknownIdError: No such item.
        GraphError: ``k`` is below 1.
    """
    row = run.vocabulary.items.row(item_id)
    user = run.vocabulary.users.find(user_id)
    if user is None or row >= run.n_trained:
        return ()
    names = _names(run.folder)
    found = find_paths(run.kg, user, row, k, weights=run.relation_weights)
    return tuple(
        Walk(
            tuple(_step(run, names, hop) for hop in path.hops),
            path.score,
            datetime.fromtimestamp(path.at_unix_s, UTC) if path.at_unix_s else None,
        )
        for path in found
    )


def _step(run: Run, names: NodeNames, hop: Hop) -> Step:
    is_item = hop.node_type == NodeType.ITEM
    item = run.catalogue[hop.row] if is_item else None
    known = names.name(hop.node_type, hop.row) if item is None else item.title
    return Step(
        relation=hop.relation,
        forward=hop.forward,
        node_type=hop.node_type,
        name=known or f"{hop.node_type} {hop.row}",
        item_id=item.item_id if item else None,
        weight=hop.weight,
    )


@lru_cache(4)
def _names(run: Path) -> NodeNames:
    return NodeNames.open(run / "graph" / NAMES_FILE)
