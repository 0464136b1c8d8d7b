"""The online main path: a user and a scene become a list with reasons.

The way: history → user vector → recall (channels) → features → rerank → policy → evidence
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from engine.arrays import to_unix_s
from engine.calendar import days_to_holiday
from engine.dataset import DatasetSettings
from engine.errors import UnknownIdError
from engine.explain import evidence_of, sentence
from engine.impressions import ImpressionLog
from engine.interactions import Floats, Ints
from engine.policy import Placed, fill_slots
from engine.reasons import Situation, facts_of
from engine.recommendation import Answer, ChannelHit, Recommendation, Shopper, Trace
from engine.runtime import Run, load_run
from engine.scene import Scene
from engine.scoring import Asked, Scored, Wish, nearest_by_content, score
from engine.shopper import shopper_of
from engine.store import EventStore, Impression, Slot
from engine.types import Event, Item
from retrieval.candidates import Channel, top_rows
from retrieval.rerank.records import Moment

REMEMBERED_QUERIES = 4_096


class Engine:
    """A run that answers. One per process; safe for threads that only ask."""

    def __init__(self, run: Run, store: EventStore) -> None:
        """Use :meth:`open`."""
        self._run = run
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
    ) -> list[Recommendation]:
        """The best items for a user in a scene, each with its reason.

        Args:
            user_id: May be unknown: the scene and live events then decide alone.
            scene: What is known of the moment; None is now, with nothing else known.
            k: Items at most.
            exclude: Item ids to leave out; unknown ones are passed over.
            new_only: Only items that the user never took.

        Raises:
            SceneError: The scene cannot be understood.
        """
        scene = scene or Scene()
        scored = self._score(user_id, scene)
        allowed = self._obey(scored, exclude, new_only=new_only)
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
    ) -> Answer:
        """:meth:`recommend`, logged as an impression under a request id of its own."""
        scene = scene or Scene()
        found = self.recommend(user_id, scene, k=k, exclude=exclude, new_only=new_only)
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
        live = self.store.history(user_id)
        scored = score(self._run, Asked(user_id, moment, live))
        slots = self._fill(scored, self._obey(scored, (), new_only=new_only), k)
        at = np.array([slot.at for slot in slots], dtype=np.int64)
        return scored.recalled.candidates.rows[at], scored.total[at]

    def similar(self, item_id: str, k: int = 10) -> list[Recommendation]:
        """Items that look and read like one item and are taken by the same people.

        Raises:
            UnknownIdError: No such item.
        """
        row = self._run.vocabulary.items.row(item_id)
        content, graph = self._run.tables.content, self._run.tables.graph[:, 1:]
        looks = content @ content[row]
        taste = graph @ graph[row] / (np.linalg.norm(graph, axis=1) * np.linalg.norm(graph[row]))
        scores = (looks + taste) / 2
        allowed = self._run.world.items.recommendable.copy()
        allowed[row] = False
        rows = np.flatnonzero(allowed)
        best = top_rows("similar", rows, scores[rows], k)
        return self._plain(best, f"Looks, reads and sells like {self.item(item_id).title}.")

    def search(
        self, text: str | None = None, image: bytes | None = None, k: int = 10
    ) -> list[Recommendation]:
        """Items that match words, a photo, or both.

        Raises:
            ValueError: Neither is given.
            ImageError: The photo cannot be read.
        """
        if text is None and image is None:
            raise ValueError("search needs text, an image, or both")
        parts = []
        if text is not None:
            parts.append(self._query_vector(text))
        if image is not None:
            parts.append(self._run.encoder.encode_images([image])[0])
        query = np.mean(parts, axis=0)
        query /= max(float(np.linalg.norm(query)), 1e-9)
        return self._plain(
            nearest_by_content(self._run, "words", query, k), "Matches what you asked for."
        )

    def observe(self, events: Sequence[Event]) -> int:
        """Store events durably; the next :meth:`recommend` sees them.

        Returns:
            How many were new: an ``event_id`` counts once.

        Raises:
            UnknownIdError: An item is not in the catalogue; nothing is stored then.
            DataError: An event cannot be stored.
        """
        for event in events:
            if event.item_id not in self._run.vocabulary.items:
                raise UnknownIdError("item", event.item_id)
        return self.store.append(events)

    def item(self, item_id: str) -> Item:
        """One item of the catalogue.

        Raises:
            UnknownIdError: No such item.
        """
        return self._run.catalogue[self._run.vocabulary.items.row(item_id)]

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
        moment = scene.at(self._run.zone)
        at = to_unix_s(moment)
        local = at + int((moment.utcoffset() or timedelta()).total_seconds())
        place = self._run.vocabulary.places.find(scene.place) if scene.place else None
        country = scene.country or self._run.settings.country
        return Moment(at, local, place or 0, days_to_holiday(local, country))

    def _score(self, user_id: str, scene: Scene) -> Scored:
        wishes = []
        if scene.wish:
            wishes.append(Wish("words", self._query_vector(scene.wish)))
        if scene.image:
            wishes.append(Wish("photo", self._run.encoder.encode_images([scene.image])[0]))
        live = self.store.history(user_id)
        return score(self._run, Asked(user_id, self.moment_of(scene), live, tuple(wishes)))

    def _obey(self, scored: Scored, exclude: Sequence[str], *, new_only: bool) -> NDArray[np.bool_]:
        """The hard rules: dismissed, excluded, and, if asked for, taken before."""
        rows = scored.recalled.candidates.rows
        items = self._run.vocabulary.items
        barred = [row for id_ in exclude if (row := items.find(id_)) is not None]
        allowed = scored.allowed & ~np.isin(rows, np.array(barred, dtype=np.int64))
        if new_only:
            allowed &= ~np.isin(rows, scored.history.item)
        return allowed

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

    def _plain(self, channel: Channel, reason: str) -> list[Recommendation]:
        return [
            Recommendation(
                rank=rank,
                item=self._run.catalogue[int(row)],
                score=float(score),
                probability=None,
                reason=reason,
                evidence=(),
                trace=Trace((ChannelHit(channel.name, rank, float(score)),), float(score), 0.0, ()),
            )
            for rank, (row, score) in enumerate(
                zip(channel.rows, channel.scores, strict=True), start=1
            )
        ]

    def _encode_words(self, text: str) -> Floats:
        vector: Floats = self._run.encoder.encode_texts([text])[0]
        return vector
