"""The engine as evaluation asks it: the served path, on a run as it was trained."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from engine.arrays import local_seconds
from engine.calendar import days_to_holiday
from engine.evaluate.protocol import EvaluationSet, Ranked, Requests
from engine.interactions import Floats
from engine.recommend import Engine
from engine.runtime import Run
from engine.scoring import Asked, find
from engine.stages import Reporter, Silent
from engine.types import KINDS, Event
from retrieval.candidates import Candidates
from retrieval.rerank.records import Moment

OURS = "Vitrine"
OVERFETCH = 4
"""The engine answers with everything it may recommend; protocol candidates may be fewer."""

Request = tuple[str, Moment]
Change = Callable[[str, Moment], Request]
"""What a request becomes when something of it is withheld."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Lists, and what came with them; K answers to each of B requests."""

    ranked: Ranked
    logit: Floats
    """What the reranker gave each answer, float32 ``[B, K]``, NaN where a list has ended."""
    seconds: NDArray[np.float64]
    """Wall clock of each request, float64 ``[B]``."""


class EngineRanker:
    """Lists of the served path, without a scene's words."""

    name = OURS

    def __init__(
        self,
        engine: Engine,
        evaluation_set: EvaluationSet,
        *,
        with_scene: bool,
        change: Change | None = None,
        told: bool = False,
    ) -> None:
        """Rank with an engine.

        Args:
            engine: Opened on a run that learned nothing from the cut on.
            evaluation_set: Its candidates are all that may be answered.
            with_scene: Whether requests carry their place and the facets of their scene.
            change: Withholds something else of each request; None asks it as it is.
            told: Whether requests tell what their user did since the cut, as a live store would.
        """
        self._engine, self._asked_for = engine, evaluation_set
        self._candidates = evaluation_set.candidates
        self._change = change or (_as_it_is if with_scene else without_scene)
        self._told = told
        self.reporter: Reporter = Silent()

    def rank(self, requests: Requests, k: int, *, new_only: bool) -> Ranked:
        """Ask for one list per request."""
        return self.answer(requests, k, new_only=new_only).ranked

    def answer(self, requests: Requests, k: int, *, new_only: bool = False) -> Answers:
        """Ask for one list per request; keep what the reranker said of it, and the time."""
        rows = np.zeros((len(requests), k), dtype=np.int64)
        logit = np.full((len(requests), k), np.nan, dtype=np.float32)
        seconds = np.zeros(len(requests))
        events = told_events(self._engine.run, requests) if self._told else {}
        had = self._had_since(requests) if new_only else {}
        for i, (user_id, moment) in enumerate(self._asked(requests)):
            taken = had.get(i, [])
            n = OVERFETCH * k + len(taken)
            started = time.perf_counter()
            found, scores = self._engine.rank_rows(
                user_id, moment, n, new_only=new_only, events=events.get(i, ())
            )
            seconds[i] = time.perf_counter() - started
            kept = np.flatnonzero(self._candidates[found] & ~np.isin(found, taken))[:k]
            rows[i, : len(kept)], logit[i, : len(kept)] = found[kept], scores[kept]
            self.reporter.advance(i + 1, len(requests))
        return Answers(Ranked(rows, ~np.isnan(logit)), logit, seconds)

    def candidates(self, requests: Requests) -> Iterator[Candidates]:
        """What the channels propose for each request, before anything is scored."""
        run, store = self._engine.run, self._engine.store
        for i, (user_id, moment) in enumerate(self._asked(requests)):
            yield find(run, Asked(user_id, moment, store.history(user_id))).recalled.candidates
            self.reporter.advance(i + 1, len(requests))

    def _had_since(self, requests: Requests) -> dict[int, list[int]]:
        """Items that each request's user had since the cut: not new, told or not."""
        had: dict[int, list[int]] = {}
        asked = replace(self._asked_for, requests=requests)
        for request, item in zip(*(found.tolist() for found in asked.told_items()), strict=True):
            had.setdefault(request, []).append(item)
        return had

    def _asked(self, requests: Requests) -> Iterator[Request]:
        run = self._engine.run
        local = local_seconds(requests.at_unix_s, run.zone)
        for i in range(len(requests)):
            holiday = days_to_holiday(int(local[i]), run.settings.country)
            codes = requests.facets
            facets = () if codes is None else tuple(int(code) for code in codes[i])
            at, place = int(requests.at_unix_s[i]), int(requests.place[i])
            moment = Moment(at, int(local[i]), place, holiday, facets)
            yield self._change(run.vocabulary.users.id(int(requests.user[i])), moment)


def told_events(run: Run, requests: Requests) -> Mapping[int, Sequence[Event]]:
    """What each request may tell of, by its row, oldest first."""
    events: dict[int, list[Event]] = {}
    since = requests.since
    if since is None:
        return events
    words = run.vocabulary
    for request, row in zip(*(found.tolist() for found in requests.told()), strict=True):
        place = int(since.place[row])
        event = Event(
            user_id=words.users.id(int(since.user[row])),
            item_id=words.items.id(int(since.item[row])),
            kind=KINDS[int(since.kind[row])],
            timestamp=datetime.fromtimestamp(int(since.at_unix_s[row]), UTC),
            value=float(since.value[row]),
            session_id=str(int(since.session[row])),
            place=words.places.id(place) if place else None,
        )
        events.setdefault(request, []).append(event)
    return events


def without_scene(user_id: str, moment: Moment) -> Request:
    """The same request, of nobody knows where and in what scene."""
    return user_id, replace(moment, place=0, facets=())


def _as_it_is(user_id: str, moment: Moment) -> Request:
    return user_id, moment


@contextmanager
def as_trained(run: Path) -> Iterator[Engine]:
    """A run without what its own store has seen since: live events may lie after the cut.

    Raises:
        RunError: As :meth:`engine.recommend.Engine.open` says.
    """
    with TemporaryDirectory() as folder:
        store_url = f"sqlite:///{(Path(folder) / 'events.sqlite').as_posix()}"
        with Engine.open(run, store_url=store_url) as engine:
            yield engine
