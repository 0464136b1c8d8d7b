"""A planted shop: two kinds of shopper, two kinds of goods, and almost no traffic between."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graph import FactTable, GraphTables

DAY = 86_400
NOW = 1_700_000_000
N_USERS, N_ITEMS = 60, 80


@dataclass(frozen=True)
class Shop:
    """Tables, and the block (0 or 1) that every user and item belongs to."""

    tables: GraphTables
    user_block: np.ndarray
    item_block: np.ndarray
    now: int = NOW


def make_shop(seed: int = 0, events_per_user: int = 40, loyalty: float = 0.95) -> Shop:
    """Users buy from their own block with probability ``loyalty``, over the last 100 days."""
    rng = np.random.default_rng(seed)
    user_block = np.arange(N_USERS) % 2
    item_block = np.arange(N_ITEMS) // (N_ITEMS // 2)
    user = np.repeat(np.arange(N_USERS), events_per_user)
    block = np.where(rng.random(len(user)) < loyalty, user_block[user], 1 - user_block[user])
    item = rng.integers(0, N_ITEMS // 2, len(user)) + block * (N_ITEMS // 2)
    age_days = np.tile(np.repeat(np.arange(events_per_user // 4), 4), N_USERS) * 10 + 1
    session = user * 1000 + age_days
    category = FactTable(
        "in_category",
        "category",
        np.arange(N_ITEMS),
        1 + np.arange(N_ITEMS) // 20,
        5,
        np.ones(N_ITEMS, np.float32),
    )
    brand = FactTable(
        "made_by",
        "brand",
        np.arange(N_ITEMS),
        np.arange(N_ITEMS) % 7,
        7,
        np.ones(N_ITEMS, np.float32),
    )
    tables = GraphTables(
        n_users=N_USERS,
        n_items=N_ITEMS,
        user=user,
        item=item,
        at_unix_s=NOW - age_days * DAY,
        weight=np.ones(len(user), np.float32),
        session=session,
        item_facts=(category, brand),
        category_parent=np.array([-1, 0, 0, 0, 0]),
    )
    return Shop(tables, user_block, item_block)
