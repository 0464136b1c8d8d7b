"""The online main path: a user and a scene become a list with reasons.

The way: history → user vector → recall (channels) → features → rerank → policy → evidence
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from engine.asking import (
    allowed_candidates,
    conditions,
    moment_of,
    scene_wishes,
    wishes_of,
)
from engine.complements import complements_list
from engine.dataset import DatasetSettings
from engine.errors import UnknownIdError
from engine.explain import evidence_of, sentence
from engine.filters import Filters
from engine.impressions import ImpressionLog
from engine.interactions import Floats, Ints
from engine.live_items import LiveItems
from engine.offering import Offering
from engine.policy import Placed, fill_slots
from engine.reasons import Situation, facts_of
from engine.recommendation import Answer, ChannelHit, Recommendation, Shopper, Trace
from engine.runtime import Run, load_run
from engine.scene import Scene
from engine.scoring import Asked, Scored, score
from engine.search import search_list
from engine.shopper import shopper_of
from engine.similar import Likeness, similar_list
from engine.store import EventStore, Impression, Slot
from engine.types import Event
from retrieval.rerank.records import Moment

REMEMBERED_QUERIES = 4_096


class Engine(Offering):
    """A run that answers. One per process; safe for threads that only ask."""

    def __init__(self, run: Run, store: EventStore) -> None:
        """Use :meth:`open`."""
        super().__init__(LiveItems(run, store))
        self.store = store
        self._log = ImpressionLog(store)
        self._query_vector = lru_cache(REMEMBERED_QUERIES)(self._encode_words)

    @classmethod
    def open(cls, run: str | Path, *, store_url: str | None = None) -> Engine:
        """Open a run.

        Args:
            run: Folder that ``vitrine train`` wrote.
            store_url: SQLAlchemy URL of the event store; by default SQLite in the run's folder.

        Raises:
            ManifestError: A file of the run is missing or altered.
            ProbeError: The encoder gives other vectors than in training.
        """
        loaded = load_run(Path(run))
        if store_url is None:
            state = loaded.folder / "state"
            state.mkdir(exist_ok=True)
            store_url = f"sqlite:///{(state / 'events.sqlite').resolve()}"
        return cls(loaded, EventStore.open(store_url))

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
    ) -> list[Recommendation]:
        """The best items for a user in a scene, each with its reason.

        Args:
            user_id: May be unknown: the scene and live events then decide alone.
            scene: What is known of the moment; None is now, with nothing else known.
            k: Items at most.
            exclude: Item ids to leave out; unknown ones are passed over.
            new_only: Only items that the user never took.
            filters: What every answer must meet.

        Raises:
            SceneError: The scene cannot be understood.
        """
        self._live.catch_up()
        scene = scene or Scene()
        scored = self._score(user_id, scene, filters)
        allowed = allowed_candidates(self._run, scored, exclude, new_only=new_only)
        slots = self._fill(scored, allowed, k)
        return self._present(user_id, scene, scored, slots)

    def answer(
        self,
        user_id: str,
        scene: Scene | None = None,
        *,
        k: int = 10,
        exclude: Sequence[str] = (),
        new_only: bool = False,
        filters: Filters | None = None,
    ) -> Answer:
        """:meth:`recommend`, logged as an impression under a request id of its own."""
        scene = scene or Scene()
        found = self.recommend(
            user_id, scene, k=k, exclude=exclude, new_only=new_only, filters=filters
        )
        answer = Answer(uuid.uuid4().hex, tuple(found))
        self._log.put(
            Impression(
                request_id=answer.request_id,
                user_id=user_id,
                timestamp=datetime.now(UTC),
                scene=json.dumps(
                    scene.model_dump(mode="json", exclude={"image"}, exclude_none=True)
                ),
                model=self.run_id,
                slots=tuple(
                    Slot(
                        r.item.item_id,
                        r.rank,
                        r.score,
                        {hit.channel: hit.score for hit in r.trace.channels},
                    )
                    for r in answer.recommendations
                ),
            )
        )
        return answer

    def rank_rows(
        self, user_id: str, moment: Moment, k: int, *, new_only: bool = False
    ) -> tuple[Ints, Floats]:
        """Item rows and scores of a list, best first: what evaluation needs of an answer."""
        self._live.catch_up()
        live = self.store.history(user_id)
        scored = score(self._run, Asked(user_id, moment, live))
        slots = self._fill(scored, allowed_candidates(self._run, scored, (), new_only=new_only), k)
        at = np.array([slot.at for slot in slots], dtype=np.int64)
        return scored.recalled.candidates.rows[at], scored.total[at]

    def similar(
        self,
        item_id: str,
        k: int = 10,
        *,
        likeness: Likeness | str = Likeness.ALL,
        filters: Filters | None = None,
    ) -> list[Recommendation]:
        """Items like one item.

        Args:
            item_id: The item.
            k: Items at most.
            likeness: ``looks``, ``reads``, ``instead`` (what people take in its stead) or ``all``.
            filters: What the answers must meet.

        Raises:
            UnknownIdError: No such item.
            DataError: It has no picture, or no words, to be compared by.
            ValueError: No such likeness.
        """
        self._live.catch_up()
        return similar_list(self._run, item_id, k, Likeness(likeness), filters)

    def complements(
        self, of: str | Sequence[str] | bytes, k: int = 10, *, filters: Filters | None = None
    ) -> list[Recommendation]:
        """What goes with an item, a basket of items, or the photo of a room; no substitutes.

        Args:
            of: An item id, several, or a picture file.
            k: Items at most; fewer where fewer are sure to go with it.
            filters: What the answers must meet.

        Raises:
            UnknownIdError: No such item.
            DataError: The basket is empty.
            ImageError: The photo cannot be read.
        """
        self._live.catch_up()
        return complements_list(self._run, of, k, filters)

    def search(
        self, text: str | None = None, image: bytes | None = None, k: int = 10
    ) -> list[Recommendation]:
        """Items that match words, a photo, or both: by meaning, and by the very words.

        Raises:
            ValueError: Neither is given.
            ImageError: The photo cannot be read.
        """
        if text is None and image is None:
            raise ValueError("search needs text, an image, or both")
        self._live.catch_up()
        return search_list(self._run, wishes_of(self._run, self._query_vector, text, image), k)

    def observe(self, events: Sequence[Event]) -> int:
        """Store events durably; the next :meth:`recommend` sees them.

        Returns:
            How many were new: an ``event_id`` counts once.

        Raises:
            UnknownIdError: An item is not in the catalogue; nothing is stored then.
            DataError: An event cannot be stored.
        """
        self._live.catch_up()
        for event in events:
            if event.item_id not in self._run.vocabulary.items:
                raise UnknownIdError("item", event.item_id)
        return self.store.append(events)

    def shoppers(self, limit: int = 50) -> list[Shopper]:
        """Users with the most events, for people to pick from."""
        counts = np.diff(self._run.offsets)
        rows = np.argsort(-counts, kind="stable")[:limit]
        return [shopper_of(self._run, int(row)) for row in rows]

    def places(self) -> list[str]:
        """Places that the run knows, busiest first."""
        totals = self._run.world.trends.place_totals[1:]
        return [self._run.vocabulary.places.id(int(i) + 1) for i in np.argsort(-totals)]

    def picture_path(self, item_id: str) -> Path | None:
        """File of an item's picture in the run's folder of pictures, or None."""
        image, pictures = self.item(item_id).image, self._run.settings.pictures
        live = self._live.picture_file(item_id)
        if live is not None:
            return live
        if not image or "://" in image or not pictures:
            return None
        path = (self._run.folder / image).resolve()
        inside = path.is_relative_to((self._run.folder / pictures).resolve())
        return path if inside and path.is_file() else None

    @property
    def dataset_settings(self) -> DatasetSettings:
        """Name, zone, attribution and terms of the dataset."""
        return self._run.settings

    @property
    def run_id(self) -> str:
        """Twelve digits that name the run."""
        return self._run.manifest.run_id

    @property
    def as_of(self) -> datetime:
        """The moment before which the run learned."""
        return self._run.as_of

    @property
    def run(self) -> Run:
        """The loaded run."""
        return self._run

    def moment_of(self, scene: Scene) -> Moment:
        """Time and place of a scene in the shop's terms; an unknown place counts as none."""
        return moment_of(self._run, scene)

    def _score(self, user_id: str, scene: Scene, filters: Filters | None) -> Scored:
        run = self._run
        wishes = tuple(scene_wishes(run, self._query_vector, scene))
        live = self.store.history(user_id)
        allowed = conditions(run, scene, filters)
        return score(run, Asked(user_id, self.moment_of(scene), live, wishes, allowed))

    def _fill(self, scored: Scored, allowed: NDArray[np.bool_], k: int) -> tuple[Placed, ...]:
        group = self._run.world.items.groups[0][scored.recalled.candidates.rows]
        return fill_slots(scored.total, allowed, group, k, self._run.config.policy)

    def _present(
        self, user_id: str, scene: Scene, scored: Scored, slots: Sequence[Placed]
    ) -> list[Recommendation]:
        situation = Situation.of(self._run, user_id, scene, scored.history, scored.moment)
        found = scored.recalled.candidates
        at = [slot.at for slot in slots]
        chances = self._run.model.probability(torch.from_numpy(scored.model[at]))
        listed = []
        for rank, slot in enumerate(slots, start=1):
            row = int(found.rows[slot.at])
            hits = tuple(ChannelHit(*origin) for origin in found.origins(row))
            facts = facts_of(
                situation, row, channels=tuple(hit.channel for hit in hits), wishes=scored.wishes
            )
            evidence = evidence_of(facts)
            logit = float(scored.model[slot.at])
            listed.append(
                Recommendation(
                    rank=rank,
                    item=facts.item,
                    score=float(scored.total[slot.at]),
                    probability=float(chances[rank - 1]),
                    reason=sentence(evidence, facts),
                    evidence=evidence,
                    trace=Trace(hits, logit, float(scored.wish[slot.at]), slot.rules),
                )
            )
        return listed

    def _encode_words(self, text: str) -> Floats:
        vector: Floats = self._run.encoder.encode_texts([text])[0]
        return vector
