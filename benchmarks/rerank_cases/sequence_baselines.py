"""SASRec and GRU4Rec as the literature tunes them now: dot products, softmax cross-entropy.

Trained by the same loop as ours, on the same events, with the same stopping rule. Neither knows
attributes or times.
"""

from __future__ import annotations

from torch import Tensor, nn

from engine.evaluate.baselines.sas_rec import SelfAttention, item_table
from graph import GraphTables
from retrieval.sequence import NextItem, Padded, SequenceConfig


def sas_rec(past: GraphTables, config: SequenceConfig) -> NextItem:
    """An untrained SASRec for the items of a past.

    With cross-entropy over many items instead of one negative it is still hard to beat (Klenitskiy
    and Vasilev 2023, arXiv:2309.07602; Petrov and Macdonald 2023, arXiv:2308.07192).
    """
    return SelfAttention(past.n_items, config)


def gru4rec(past: GraphTables, config: SequenceConfig) -> NextItem:
    """An untrained GRU4Rec for the items of a past."""
    return Gru4Rec(past.n_items, config)


class Gru4Rec(NextItem):
    """A gated recurrent net over items (Hidasi et al. 2016, arXiv:1511.06939).

    With a loss over many items, as its authors use since 2018 (arXiv:1706.03847).
    """

    def __init__(self, n_items: int, config: SequenceConfig) -> None:
        super().__init__()
        self.config, self.n_items = config, n_items
        self.item = item_table(n_items, config)
        self.gru = nn.GRU(config.width, 2 * config.width, config.layers, batch_first=True)
        self.out, self.dropout = (
            nn.Linear(2 * config.width, config.width),
            nn.Dropout(config.dropout),
        )

    def items(self, rows: Tensor | None = None) -> Tensor:
        """See :meth:`NextItem.items`."""
        found: Tensor = self.item.weight if rows is None else self.item(rows)
        return found

    def forward(self, batch: Padded) -> Tensor:
        """See :meth:`NextItem.forward`."""
        states: Tensor = self.out(self.dropout(self.gru(self.dropout(self.item(batch.item)))[0]))
        return states
