"""Scores without vectors: what a user's items say, heard along each relation of the graph.

A linear filter per relation, in closed form; :mod:`graph.conditional_logit` learns how much to
believe each. Where vectors squeeze all that is known into one length, these keep every rare
neighbour.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from graph.schema import FactTable, Floats, GraphTables

SECONDS_PER_DAY = 86_400


@dataclass(frozen=True, slots=True)
class ItemRelation:
    """How items speak for items: sparse float32 steps, the first ``[I, T]``, the last ``[T, I]``.

    The product of the steps, ``[I, I]``, is never made: through a common attribute it is dense.
    """

    name: str
    steps: tuple[sp.csr_array, ...]

    def scores(self, histories: sp.csr_array) -> Floats:
        """What weighted histories ``[B, I]`` say of every item, float32 ``[B, I]``."""
        message = histories
        for step in self.steps[:-1]:
            message = sp.csr_array(message @ step)
        scores: Floats = (message @ self.steps[-1]).toarray().astype(np.float32)
        return scores


def recent_histories(tables: GraphTables, *, half_life_days: float) -> sp.csr_array:
    """What users touched, ``[U, I]``, float32; halved per half-life before their *own* last event.

    Counting age from a user's own last event, and not from now, keeps every user's row
    comparable: who was away for a year still has a latest item, of weight one.
    """
    last = np.zeros(tables.n_users, np.int64)
    np.maximum.at(last, tables.user, tables.at_unix_s)
    age_days = (last[tables.user] - tables.at_unix_s) / SECONDS_PER_DAY
    weight = (tables.weight * 0.5 ** (age_days / half_life_days)).astype(np.float32)
    shape = (tables.n_users, tables.n_items)
    return sp.csr_array((weight, (tables.user, tables.item)), shape=shape)


def touched_by_the_same(tables: GraphTables, *, shrinkage: float = 10.0) -> ItemRelation:
    r"""Item-based filtering: :math:`c_{ij} / \sqrt{(c_i + \lambda)(c_j + \lambda)}`.

    Users that two items share, by the cosine of Sarwar et al. 2001 with ``λ`` users added to both
    counts, so that two items met once together are no twins.
    """
    touched = _binary(tables)
    count = np.asarray(touched.sum(axis=0)).ravel()
    root = np.maximum(count + shrinkage, 1e-12) ** -0.5
    together = sp.csr_array(touched.T @ touched)
    together.setdiag(0)
    together.eliminate_zeros()
    scale = sp.diags_array(root)
    return ItemRelation(
        "touched by the same", (sp.csr_array(scale @ together @ scale).astype(np.float32),)
    )


def touched_in_turn(
    tables: GraphTables, *, tau_days: float, max_apart: int = 20, shrinkage: float = 10.0
) -> ItemRelation:
    r"""Items that users touched soon after one another, each pair worth :math:`e^{-\Delta/\tau}`.

    Normalised as :func:`touched_by_the_same`; symmetric, as the order within a day is unknown.

    Args:
        tables: Events.
        tau_days: How quickly a pair loses weight with the time between its two events.
        max_apart: Events of one user further apart than this are no pair.
        shrinkage: The ``λ``, in users.
    """
    order = np.lexsort((tables.at_unix_s, tables.user))
    user, item, at = tables.user[order], tables.item[order], tables.at_unix_s[order]
    first, second, weight = [], [], []
    for apart in range(1, max_apart + 1):
        same = user[apart:] == user[:-apart]
        days = (at[apart:] - at[:-apart])[same] / SECONDS_PER_DAY
        first.append(item[:-apart][same])
        second.append(item[apart:][same])
        weight.append(np.exp(-days / tau_days))
    place = (np.concatenate(first), np.concatenate(second))
    shape = (tables.n_items, tables.n_items)
    pairs = sp.csr_array((np.concatenate(weight), place), shape=shape)
    pairs = sp.csr_array(pairs + pairs.T)
    pairs.setdiag(0)
    pairs.eliminate_zeros()
    count = np.asarray(_binary(tables).sum(axis=0)).ravel()
    scale = sp.diags_array(np.maximum(count + shrinkage, 1e-12) ** -0.5)
    return ItemRelation(
        "touched in turn", (sp.csr_array(scale @ pairs @ scale).astype(np.float32),)
    )


def shared_facts(table: FactTable, n_items: int) -> ItemRelation:
    """Cosine of two items' facts of one relation, each fact weighed by its rarity (idf)."""
    place = (table.head_rows, table.tail_rows)
    facts = sp.csr_array((table.weight, place), shape=(n_items, table.n_tails))
    rarity = np.log(n_items / np.maximum((facts > 0).sum(axis=0), 1))
    facts = sp.csr_array(facts @ sp.diags_array(rarity))
    length = np.sqrt(np.asarray(facts.multiply(facts).sum(axis=1))).ravel()
    scale = sp.diags_array(1 / np.maximum(length, 1e-12))
    facts = sp.csr_array(scale @ facts).astype(np.float32)
    return ItemRelation(f"{table.relation} {table.tail_type}", (facts, sp.csr_array(facts.T)))


def join_small(facts: tuple[FactTable, ...], min_facts: int) -> tuple[FactTable, ...]:
    """Fact tables with those under ``min_facts`` rows joined per tail type, as ``related_to``.

    A relation of a handful of facts cannot earn a weight of its own: the joint table shares one.
    """
    kept = [table for table in facts if len(table.head_rows) >= min_facts]
    small: dict[str, list[FactTable]] = {}
    for table in facts:
        if len(table.head_rows) < min_facts:
            small.setdefault(str(table.tail_type), []).append(table)
    return (*kept, *(_joined(tail_type, tables) for tail_type, tables in small.items()))


def _joined(tail_type: str, tables: list[FactTable]) -> FactTable:
    rows = np.concatenate([np.column_stack([t.head_rows, t.tail_rows]) for t in tables])
    pairs, place = np.unique(rows, axis=0, return_inverse=True)
    weight = np.zeros(len(pairs), np.float32)
    np.maximum.at(weight, place, np.concatenate([t.weight for t in tables]))
    head, tail = np.ascontiguousarray(pairs.T)
    return FactTable("related_to", tail_type, head, tail, tables[0].n_tails, weight)


def _binary(tables: GraphTables) -> sp.csr_array:
    ones = np.ones(len(tables), np.float32)
    shape = (tables.n_users, tables.n_items)
    touched = sp.csr_array((ones, (tables.user, tables.item)), shape=shape)
    touched.data[:] = 1
    return touched
