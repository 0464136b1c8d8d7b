"""Models of the next item, trained and ranked in the same way on any set and split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import scipy.sparse as sp
import torch

from benchmarks.graph_cases.ranking import Ints, Question, Score
from graph import GraphTables
from graph.conditional_logit import learn_logit
from graph.relation_filter import (
    ItemRelation,
    recent_histories,
    shared_facts,
    touched_by_the_same,
    touched_in_turn,
)
from retrieval.sequence import (
    Fitted,
    Histories,
    NextItem,
    Questions,
    SequenceConfig,
    SequenceModel,
    Training,
    chances,
    train,
)

Make = Callable[[GraphTables, SequenceConfig], NextItem]
"""What is known of the past, and settings, to an untrained model."""
STOPPING_USERS = 4_000
"""Whose next item decides when training stops, at most; a third, where there are few."""
WEIGHING_USERS = 1_000
"""Others, whose next item decides how much to believe each part, at most."""
SECONDS_PER_DAY = 86_400
WHOLE_DAYS = 1_000.0
"""Half-life of a history that is read as a whole."""
LOUDNESS = 2.0
"""Length of the features of an item; a learned vector begins at about 0.16."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How quickly people move on, where the graph's relations read time; chosen on validation."""

    recent_days: float
    """Half-life of a history of which the end matters, and of what is sold."""
    tau_days: float
    """Two events this far apart are a pair of weight 1/e."""


@dataclass(frozen=True, slots=True)
class Split:
    """What is chosen on an earlier question and asked in a later one.

    ``stopping`` and ``weighing`` int64 ``[n]`` are different users of the earlier question;
    ``whole`` has the events of both questions and their answers.
    """

    earlier: Question
    asked: Question
    whole: Histories
    stopping: Ints
    weighing: Ints

    @classmethod
    def of(cls, earlier: Question, asked: Question, tables: GraphTables) -> Split:
        """Users of the earlier question are drawn once, the same for every model and seed."""
        drawn = np.random.default_rng(0).permutation(earlier.users)
        n = min(STOPPING_USERS, len(drawn) // 2)
        stopping, weighing = drawn[:n], drawn[n : n + WEIGHING_USERS]
        return cls(earlier, asked, histories_of(tables), stopping, np.sort(weighing))

    def questions(self) -> Questions:
        """The next item of the users that stop a training."""
        past = histories_of(self.earlier.past)
        at = self.whole.starts[self.stopping] + past.lengths[self.stopping]
        return Questions(past, self.stopping, self.whole.item[at])


@dataclass(frozen=True, slots=True)
class Part:
    """Something that says which item is next, before the earlier question and before the later."""

    name: str
    earlier: Score
    asked: Score


def histories_of(tables: GraphTables) -> Histories:
    """Events as sequences."""
    return Histories.of(tables.user, tables.item, tables.at_unix_s, n_users=tables.n_users)


def with_features(past: GraphTables, config: SequenceConfig) -> NextItem:
    """Ours: it knows the attributes of items, those that are rare the more."""
    facts = [shared_facts(table, past.n_items).steps[0] for table in past.item_facts]
    found = sp.coo_array(sp.hstack(facts))
    features = torch.sparse_coo_tensor(
        torch.from_numpy(np.stack(found.coords).astype(np.int64)),
        torch.from_numpy(LOUDNESS * found.data),
        found.shape,
        check_invariants=True,
    )
    return SequenceModel(past.n_items, config, features)


def learned(
    name: str, make: Make, configs: Sequence[SequenceConfig], split: Split, seed: int
) -> Part:
    """The settings that answer the earlier question best; again, as long, for the later."""
    past, later = split.earlier.past, split.asked.past
    tried = [stopped(make, config, split, seed) for config in configs]
    first = max(tried, key=lambda fitted: fitted.ndcg10)
    as_long = first.model.config.model_copy(update={"epochs": first.epochs})
    again = train(partial(make, later, as_long), histories_of(later), seed=seed)
    return Part(name, _root_chances(first, past), _root_chances(again, later))


def stopped(make: Make, config: SequenceConfig, split: Split, seed: int) -> Fitted:
    """Train on what precedes the earlier question until it is answered best."""
    past = split.earlier.past
    training = Training(split.questions())
    return train(partial(make, past, config), histories_of(past), seed=seed, training=training)


def of_graph(split: Split, pace: Pace) -> list[Part]:
    """What the graph's relations say: items touched together, in turn, alike, and much of late."""
    earlier, asked = (_relations(one.past, pace) for one in (split.earlier, split.asked))
    return [Part(name, score, asked[name]) for name, score in earlier.items()]


def blended(split: Split, parts: Sequence[Part]) -> Score:
    """All parts together, each believed as much as the earlier question suggests."""
    users, earlier = split.weighing, split.earlier
    said = [part.earlier(users) for part in parts]
    names = [part.name for part in parts]
    logit = learn_logit(names, said, earlier.known[users], earlier.chosen[users])
    return lambda rows: logit.scores([part.asked(rows) for part in parts])


def _root_chances(fitted: Fitted, past: GraphTables) -> Score:
    """The order of the chances, less sure of the first: it is weighed with parts that are not."""
    histories = histories_of(past)
    return lambda users: np.sqrt(chances(fitted.model, histories, users))


def _relations(past: GraphTables, pace: Pace) -> dict[str, Score]:
    whole = recent_histories(past, half_life_days=WHOLE_DAYS)
    recent = recent_histories(past, half_life_days=pace.recent_days)
    relations = [
        (touched_by_the_same(past), whole),
        (touched_in_turn(past, tau_days=pace.tau_days), recent),
        *((shared_facts(table, past.n_items), whole) for table in past.item_facts),
    ]
    found: dict[str, Score] = {r.name: _said(r, history) for r, history in relations}
    age_days = (past.at_unix_s.max() - past.at_unix_s) / SECONDS_PER_DAY
    weight = 0.5 ** (age_days / pace.recent_days)
    sold = np.log1p(np.bincount(past.item, weight, minlength=past.n_items)).astype(np.float32)
    found["sold of late"] = lambda users: np.tile(sold, (len(users), 1))
    return found


def _said(relation: ItemRelation, histories: sp.csr_array) -> Score:
    return lambda users: relation.scores(histories[users])
