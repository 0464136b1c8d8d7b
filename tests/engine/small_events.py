"""Events written out by hand, for tests that know every answer."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from engine.interactions import Interactions

PURCHASE, VIEW = 3, 0


def interactions(rows: Iterable[tuple[int, ...]], n_users: int = 4, n_items: int = 6):
    """Events from rows of (user, item, time, session[, place[, kind]])."""
    full = ((*row, 1, PURCHASE)[:6] if len(row) == 4 else (*row, PURCHASE)[:6] for row in rows)
    ordered = sorted(full, key=lambda row: (row[0], row[2]))
    table = np.array(ordered, np.int64).reshape(-1, 6)
    user, item, at, session, place, kind = (column.copy() for column in table.T)
    return Interactions(
        user=user,
        item=item,
        kind=kind.astype(np.int8),
        at_unix_s=at,
        value=np.ones(len(user), np.float32),
        session=session,
        place=place,
        n_users=n_users,
        n_items=n_items,
        n_places=4,
    )


def drawn(seed: int, n_sessions: int = 14, n_users: int = 4, n_items: int = 6) -> Interactions:
    """Visits of a few users at times that may meet, some of them only to look."""
    rng = np.random.default_rng(seed)
    rows = []
    for session in range(n_sessions):
        user, at = int(rng.integers(n_users)), int(rng.integers(0, 40))
        kind = PURCHASE if rng.random() < 0.8 else VIEW
        for item in rng.integers(0, n_items, rng.integers(1, 4)):
            rows.append((user, int(item), 50 * at, session, 1 + session % 3, kind))
    return interactions(rows, n_users, n_items)
