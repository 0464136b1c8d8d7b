"""The online main path: a user and a scene become a list with reasons.

The way: history → user vector → recall (channels) → features → rerank → policy → evidence
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from engine.artifacts import STATE_FOLDER, Checked
from engine.asking import (
    Wanted,
    allowed_candidates,
    conditions,
    encode_words,
    moment_of,
    request_rng,
    scene_wishes,
    scores_of,
    wishes_of,
)
from engine.errors import UnknownIdError
from engine.filters import Filters
from engine.given import best_first, known_rows, personal, score_listed
from engine.impressions import ImpressionLog
from engine.interactions import Floats, Ints
from engine.live_items import LiveItems
from engine.people import People
from engine.policy.compiled import Compiled, place
from engine.policy.frequency import resting_items
from engine.policy.house import House, rules_folder
from engine.policy_rules import Policy
from engine.presenting import present
from engine.recommendation import Answer, Preview, Ranked, Recommendation
from engine.runtime import Run, load_run
from engine.scene import Scene
from engine.scoring import Asked, Scored, score
from engine.search import search_list
from engine.shown import Pending, Seeing
from engine.store import EventStore
from engine.types import Event
from retrieval.candidates import Bools
from retrieval.rerank.records import Moment

REMEMBERED_QUERIES = 4_096


class Engine(People):
    """A run that answers. One per process; safe for threads that only ask."""

    def __init__(self, run: Run, store: EventStore, *, rules: Path | None = None) -> None:
        """Use :meth:`open`."""
        super().__init__(LiveItems(run, store), store)
        self._log = ImpressionLog(store)
        self.house = House(rules or rules_folder(run.folder))
        self._query_vector = lru_cache(REMEMBERED_QUERIES)(self._encode_words)

    @classmethod
    def open(
        cls,
        run: str | Path,
        *,
        store_url: str | None = None,
        rules: Path | None = None,
        checked: Checked | None = None,
    ) -> Engine:
        """Open a run.

        Args:
            run: Folder that ``vitrine train`` wrote.
            store_url: SQLAlchemy URL of the event store; by default SQLite in the run's folder.
            rules: Folder that may hold ``policy.yaml`` and ``experiments.yaml``, which are read
                again when they change; by default the run's ``state``.
            checked: Files of the run that another process has hashed; by default all are, here.

        Raises:
            DataError: The policy or the experiments cannot be used.
            ManifestError: A file of the run is missing or altered.
            ProbeError: The encoder gives other vectors than in training.
        """
        loaded = load_run(Path(run), checked)
        if store_url is None:
            state = loaded.folder / STATE_FOLDER
            state.mkdir(exist_ok=True)
            store_url = f"sqlite:///{(state / 'events.sqlite').resolve()}"
        return cls(loaded, EventStore.open(store_url), rules=rules)

    def close(self) -> None:
        """Write what is waiting and let go of the store."""
        self._log.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def recommend(
        self,
        user_id: str,
        scene: Scene | None = None,
        *,
        k: int = 10,
        exclude: Sequence[str] = (),
        new_only: bool = False,
        filters: Filters | None = None,
        events: Sequence[Event] = (),
        explain: bool = True,
    ) -> list[Recommendation]:
        """The best items for a user in a scene, each with its reason.

        Args:
            user_id: May be unknown: the scene and live events then decide alone.
            scene: What is known of the moment; None is now, with nothing else known.
            k: Items at most.
            exclude: Item ids to leave out; unknown ones are passed over.
            new_only: Only items that the user never took.
            filters: What every answer must meet.
            events: What the user did that the store does not hold; for this answer alone.
            explain: Whether each answer says why; without, evidence and reason are empty.

        Raises:
            SceneError: The scene cannot be understood.
            UnknownIdError: One of the events is of an item that the run does not know.
        """
        wanted = Wanted(k, exclude, new_only, filters, events, explain)
        return self._listed(user_id, scene or Scene(), wanted)[0]

    def answer(
        self,
        user_id: str,
        scene: Scene | None = None,
        *,
        k: int = 10,
        exclude: Sequence[str] = (),
        new_only: bool = False,
        filters: Filters | None = None,
        events: Sequence[Event] = (),
        explain: bool = True,
    ) -> Answer:
        """:meth:`recommend`, logged under a request id of its own.

        Here slots may be drawn, if the policy says so; the log tells with which probability.
        """
        scene = scene or Scene()
        request_id, at = uuid.uuid4().hex, datetime.now(UTC)
        wanted = Wanted(k, exclude, new_only, filters, events, explain)
        found, ruling, seeing = self._listed(user_id, scene, wanted, draw_by=request_id)
        self._log.put(Pending(request_id, user_id, at, scene, found, ruling, seeing).impression)
        return Answer(request_id, tuple(found))

    def preview(
        self, user_id: str, policy: Policy, scene: Scene | None = None, *, k: int = 10
    ) -> Preview:
        """A user's list as it is, and as another policy would make it; nothing is drawn.

        Args:
            user_id: As of :meth:`recommend`.
            policy: What would be tried.
            scene: As of :meth:`recommend`; boosts are those of its time.
            k: Items at most.
        """
        scene = scene or Scene()
        before, _, _ = self._listed(user_id, scene, Wanted(k))
        after, _, _ = self._listed(user_id, scene, Wanted(k, policy=policy))
        return Preview(tuple(before), tuple(after))

    def rank_rows(
        self,
        user_id: str,
        moment: Moment,
        k: int,
        *,
        new_only: bool = False,
        events: Sequence[Event] = (),
    ) -> tuple[Ints, Floats]:
        """Item rows and scores of a list, best first: what evaluation needs of an answer."""
        self._live.catch_up()
        live = self._acts(user_id, events)
        scored = score(self._run, Asked(user_id, moment, live), k)
        allowed = allowed_candidates(self._run, scored, (), new_only=new_only)
        ruling = self.house.compiled(self._run.config.policy, self._run)
        slots = place(ruling, scores_of(scored, allowed), k).slots
        at = np.array([slot.at for slot in slots], dtype=np.int64)
        return scored.recalled.candidates.rows[at], scored.total[at]

    def rank(
        self,
        user_id: str,
        item_ids: Sequence[str],
        scene: Scene | None = None,
        k: int | None = None,
        events: Sequence[Event] = (),
    ) -> Ranked:
        """Given items in the order that suits a user in a scene, each with its reason.

        They are scored as :meth:`recommend` would score them; no rule keeps one out.

        Args:
            user_id: May be unknown.
            item_ids: At most 1,000, each once; those that the run does not know are named.
            scene: As of :meth:`recommend`.
            k: Items at most; None is all.
            events: As of :meth:`recommend`.

        Raises:
            SceneError: The scene cannot be understood.
            UnknownIdError: One of the events is of an item that the run does not know.
            DataError: There is no item, one comes twice, or there are too many.
        """
        self._live.catch_up()
        self._must_know(events)
        scene = scene or Scene()
        rows, unknown = known_rows(self._run, item_ids)
        if len(rows) == 0:
            return Ranked((), unknown)
        asked = self._asked(user_id, scene, None, events)
        scored = score_listed(self._run, asked, rows)
        listed = present(self._run, asked.user_id, scene, scored, best_first(scored)[:k])
        return Ranked(tuple(listed), unknown)

    def explain(self, user_id: str, item_id: str, scene: Scene | None = None) -> Recommendation:
        """What speaks for one item to a user in a scene: evidence with weights, and a sentence.

        Raises:
            UnknownIdError: No such item.
            SceneError: The scene cannot be understood.
        """
        found = self.rank(user_id, [item_id], scene)
        if found.unknown:
            raise UnknownIdError("item", item_id)
        return found.recommendations[0]

    def search(
        self,
        text: str | None = None,
        image: bytes | None = None,
        k: int = 10,
        *,
        user_id: str | None = None,
        scene: Scene | None = None,
        filters: Filters | None = None,
    ) -> list[Recommendation]:
        """Items that match words, a photo, or both: by meaning, and by the very words.

        Args:
            text: Words.
            image: A picture file.
            k: Items at most.
            user_id: Whose taste decides among what matches; None is nobody's.
            scene: The moment for the user's taste.
            filters: What the answers must meet.

        Raises:
            ValueError: Neither words nor a photo are given.
            ImageError: The photo cannot be read.
        """
        if text is None and image is None:
            raise ValueError("search needs text, an image, or both")
        run = self._live.catch_up()
        wishes = wishes_of(run, self._query_vector, text, image)
        if user_id is None:
            return search_list(run, wishes, k, filters)
        asked = self._asked(user_id, scene or Scene())
        return search_list(run, wishes, k, filters, partial(personal, run, asked))

    def moment_of(self, scene: Scene) -> Moment:
        """Time and place of a scene in the shop's terms; an unknown place counts as none."""
        return moment_of(self._run, scene)

    def _asked(
        self,
        user_id: str,
        scene: Scene,
        allowed: Bools | None = None,
        events: Sequence[Event] = (),
    ) -> Asked:
        run, live = self._run, self._acts(user_id, events)
        return Asked(
            self._forgotten.known_as(run, user_id),
            self.moment_of(scene),
            live,
            tuple(scene_wishes(run, self._query_vector, scene)),
            allowed,
        )

    def _listed(
        self, user_id: str, scene: Scene, wanted: Wanted, draw_by: str | None = None
    ) -> tuple[list[Recommendation], Compiled, Seeing | None]:
        """A list, the policy that it keeps to, and what the log keeps of it.

        Args:
            user_id: For whom.
            scene: When and where.
            wanted: What is asked of the list.
            draw_by: Request id that decides what is drawn; None draws and keeps nothing.
        """
        run = self._live.catch_up()
        self._must_know(wanted.events)
        ruling = (
            self.house.ruling(run, user_id)
            if wanted.policy is None
            else self.house.preview(wanted.policy, run)
        )
        admitted = ruling.admits(conditions(run, scene, wanted.filters))
        asked = self._asked(user_id, scene, admitted, wanted.events)
        scored = score(run, asked, wanted.k)
        allowed = allowed_candidates(run, scored, wanted.exclude, new_only=wanted.new_only)
        resting = self._resting(user_id, asked, scored, ruling)
        drawn = None if draw_by is None or ruling.plain else request_rng(draw_by)
        listed = place(ruling, scores_of(scored, allowed, resting), wanted.k, drawn)
        found = present(run, asked.user_id, scene, scored, listed.slots, explain=wanted.explain)
        return found, ruling, None if draw_by is None else Seeing.of(run, scored, listed)

    def _resting(
        self, user_id: str, asked: Asked, scored: Scored, ruling: Compiled
    ) -> Bools | None:
        frequency = ruling.policy.frequency
        if frequency is None:
            return None
        ids = resting_items(self.store, user_id, asked.live, frequency, datetime.now(UTC))
        found = [self._run.vocabulary.items.find(item_id) for item_id in ids]
        rows = np.array([row for row in found if row is not None], dtype=np.int64)
        resting: Bools = np.isin(scored.recalled.candidates.rows, rows)
        return resting

    def _acts(self, user_id: str, events: Sequence[Event]) -> Sequence[Event]:
        """What a user did, of the store and of a request, oldest first."""
        live = self.store.history(user_id)
        return sorted([*live, *events], key=lambda event: event.timestamp) if events else live

    def _encode_words(self, text: str) -> Floats:
        return encode_words(self._run, text)
