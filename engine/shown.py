"""A list as it was shown: what the log keeps of it, and the training example that it becomes.

The log holds the arrays themselves and not what they were computed from: features change with
every sale, so that only what was seen then can be learned from as it was.

Alphabet: K slots, F features, H events of the history, C candidates.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime

import numpy as np
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from engine.errors import DataError
from engine.interactions import Floats, Ints
from engine.learn import TASK_KINDS
from engine.policy.compiled import Compiled, Listed
from engine.recommendation import Recommendation
from engine.runtime import Run
from engine.scene import Scene
from engine.scoring import Scored
from engine.store import EventStore, Impression, Seen, Slot
from engine.types import Event
from engine.vocabulary import Vocabulary
from retrieval.candidates import Bools
from retrieval.rerank.batch import Tokens
from retrieval.rerank.examples import Example

LITTLE = np.dtype("<f4")


@dataclass(frozen=True, slots=True)
class Seeing:
    """What the log keeps of the scorer's inputs: small arrays, packed when they are written."""

    run: Run
    features: Floats
    """float32 ``[K, F]``"""
    is_new: Bools
    """bool ``[K]``: the user never took it before."""
    tokens: Tokens
    pool_rows: Ints
    pool_scores: Floats

    @classmethod
    def of(cls, run: Run, scored: Scored, listed: Listed) -> Seeing:
        """Pick what concerns the slots of a list."""
        rows = scored.recalled.candidates.rows
        at = np.array([slot.at for slot in listed.slots], dtype=np.int64)
        taken = scored.history.item == rows[at][:, None]  # (K, H); quicker than a sort
        return cls(
            run,
            scored.features[at],
            ~taken.any(axis=1),
            scored.tokens,
            rows[listed.pool],
            scored.total[listed.pool],
        )

    def pack(self) -> Seen:
        """The same as bytes."""
        ids, tokens = self.run.vocabulary.items, self.tokens
        arrays = {f.name: getattr(tokens, f.name) for f in fields(Tokens) if f.name != "item"}
        arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        return Seen(
            names=names_of(self.run),
            features=self.features.astype(LITTLE).tobytes(),
            token_items=tuple(ids.id(int(row)) for row in tokens.item[tokens.mask]),
            tokens=zlib.compress(save_arrays({**arrays, "is_new": self.is_new}), 1),
            pool_items=tuple(ids.id(int(row)) for row in self.pool_rows),
            pool_scores=self.pool_scores.astype(LITTLE).tobytes(),
        )


@dataclass(frozen=True, slots=True)
class Pending:
    """A list that was answered and is to be logged."""

    request_id: str
    user_id: str
    at: datetime
    scene: Scene
    recommendations: Sequence[Recommendation]
    ruling: Compiled
    seeing: Seeing | None

    def impression(self) -> Impression:
        """The list as the store takes it."""
        scene = self.scene.model_dump(mode="json", exclude={"image"}, exclude_none=True)
        return Impression(
            request_id=self.request_id,
            user_id=self.user_id,
            timestamp=self.at,
            scene=json.dumps(scene),
            model=self.ruling.run.manifest.run_id,
            slots=tuple(
                Slot(
                    r.item.item_id,
                    r.rank,
                    r.score,
                    {hit.channel: hit.score for hit in r.trace.channels},
                    r.trace.propensity,
                )
                for r in self.recommendations
            ),
            policy=self.ruling.version,
            variants=self.ruling.variants,
            seen=None if self.seeing is None else self.seeing.pack(),
        )


def names_of(run: Run) -> tuple[str, ...]:
    """Names of the features that a run scores by."""
    return run.world.feature_names()


def replayed(impression: Impression, vocabulary: Vocabulary) -> Example:
    """What the scorer saw of a logged list, as a training example without labels.

    The items of the slots are its candidates, in the order of their ranks; ids are rows of the
    given vocabulary, which may be that of a later run.

    Args:
        impression: Read with what was seen.
        vocabulary: Must know the items of the slots; an event of an item that it does not know is
            masked.

    Raises:
        DataError: The log holds no inputs of the list, or an item is unknown.
    """
    seen = impression.seen
    if seen is None:
        raise DataError(
            f"list {impression.request_id} was logged without what the scorer saw: it is older "
            "than this version, or was read without (pass seen=True)"
        )
    candidates = [vocabulary.items.row(slot.item_id) for slot in impression.slots]
    features = np.frombuffer(seen.features, LITTLE).reshape(len(candidates), len(seen.names))
    arrays = load_arrays(zlib.decompress(seen.tokens))
    is_new = arrays.pop("is_new")
    mask = arrays.pop("mask").copy()
    item = np.zeros(len(mask), np.int64)
    known = [vocabulary.items.find(item_id) for item_id in seen.token_items]
    item[mask] = [0 if row is None else row for row in known]
    mask[mask] = [row is not None for row in known]
    return Example(
        user=_row_of(impression.user_id, vocabulary),
        weight=1.0,
        tokens=Tokens(item=item, mask=mask, **arrays),
        candidates=np.array(candidates, dtype=np.int64),
        features=features.astype(np.float32),
        label=np.zeros((len(candidates), 0), dtype=np.bool_),
        is_new=is_new,
        log_weight=np.zeros(len(candidates), dtype=np.float32),
    )


def logged_examples(
    store: EventStore,
    vocabulary: Vocabulary,
    tasks: Sequence[str],
    *,
    since: datetime,
    before: datetime,
) -> Iterator[Example]:
    """Every list of a span of time as the scorer saw it, labelled with what the user then did.

    An event is joined by its ``request_id``; lists that were logged without their inputs, or hold
    an item that the vocabulary does not know, are passed over.

    Args:
        store: Holds lists and events.
        vocabulary: Of the run that is to learn.
        tasks: Names of the heads, as in :data:`engine.learn.TASK_KINDS`.
        since: First moment of the lists and of the events (time zone aware).
        before: First moment after the span.
    """
    done: dict[str, list[Event]] = {}
    for event in store.between(since, before):
        if event.request_id is not None:
            done.setdefault(event.request_id, []).append(event)
    for impression in store.shown.between(since, before, seen=True):
        ids = [slot.item_id for slot in impression.slots]
        if impression.seen is None or any(id_ not in vocabulary.items for id_ in ids):
            continue
        seen = replayed(impression, vocabulary)
        label = _labels(ids, done.get(impression.request_id, []), tasks)
        yield Example(
            seen.user,
            seen.weight,
            seen.tokens,
            seen.candidates,
            seen.features,
            label,
            seen.is_new,
            seen.log_weight,
        )


def pool_of(impression: Impression) -> tuple[tuple[str, ...], Floats]:
    """What the slots of a list were drawn from, best first, and the scores before boosts."""
    seen = impression.seen
    if seen is None:
        return (), np.zeros(0, np.float32)
    return seen.pool_items, np.frombuffer(seen.pool_scores, LITTLE).astype(np.float32)


def _labels(ids: Sequence[str], events: Sequence[Event], tasks: Sequence[str]) -> Bools:
    """What became of each slot, bool ``[K, tasks]``."""
    label = np.zeros((len(ids), len(tasks)), dtype=np.bool_)
    for event in events:
        for t, task in enumerate(tasks):
            if event.item_id in ids and event.kind in TASK_KINDS[task]:
                label[ids.index(event.item_id), t] = True
    return label


def _row_of(user_id: str, vocabulary: Vocabulary) -> int:
    """Row of the user; the number of users for one whom the run does not know."""
    row = vocabulary.users.find(user_id)
    return len(vocabulary.users) if row is None else row
