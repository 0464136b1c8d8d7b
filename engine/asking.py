"""What a request asks for, in the terms of a run: its moment, its wishes, its conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from engine.arrays import to_unix_s
from engine.calendar import days_to_holiday
from engine.filters import Filters, allowed_items
from engine.interactions import Floats
from engine.policy.compiled import Scores
from engine.policy_rules import Policy
from engine.runtime import Run
from engine.scene import Scene
from engine.scene_facets import scene_codes, without_learned
from engine.scene_words import ambience_of, ambience_vector
from engine.scoring import Scored, Wish, none_of
from engine.types import Event
from retrieval.candidates import Bools
from retrieval.rerank.records import Moment

Encode = Callable[[str], Floats]
"""Words to their unit vector, float32 ``[D]``."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request asks of its list, besides the user and the scene."""

    k: int
    exclude: Sequence[str] = ()
    new_only: bool = False
    filters: Filters | None = None
    events: Sequence[Event] = ()
    """What the user did that the store does not hold."""
    explain: bool = True
    policy: Policy | None = None
    """To be tried in the place of the one in force."""


def moment_of(run: Run, scene: Scene) -> Moment:
    """Time and place of a scene in the shop's terms; an unknown place counts as none."""
    moment = scene.at(run.zone)
    at = to_unix_s(moment)
    if scene.time is None:
        at += 1  # what was acknowledged within this second lies before it
    local = at + int((moment.utcoffset() or timedelta()).total_seconds())
    place = run.vocabulary.places.find(scene.place) if scene.place else None
    country = scene.country or run.settings.country
    known = run.vocabulary.facets
    facets = scene_codes(scene, known, local) if known else ()
    return Moment(at, local, place or 0, days_to_holiday(local, country), facets)


def encode_words(run: Run, text: str) -> Floats:
    """Words as the run's encoder has them; see :data:`Encode`."""
    vector: Floats = run.encoder.encode_texts([text])[0]
    return vector


def wishes_of(run: Run, encode: Encode, text: str | None, image: bytes | None) -> tuple[Wish, ...]:
    """What words and a photo ask for.

    Raises:
        ImageError: The photo cannot be read.
    """
    found = []
    if text is not None:
        found.append(Wish("words", encode(text), text))
    if image is not None:
        found.append(Wish("photo", run.encoder.encode_images([image])[0]))
    return tuple(found)


def scene_wishes(run: Run, encode: Encode, scene: Scene) -> Iterator[Wish]:
    """What a scene asks for: its words, its photo, and what its weather and company suggest.

    Raises:
        ImageError: The photo cannot be read.
    """
    yield from wishes_of(run, encode, scene.wish or None, scene.image or None)
    # The reranker knows the calendar; only what it was never shown speaks through words.
    mood = ambience_vector(ambience_of(without_learned(scene, run.vocabulary.facets)), encode)
    if mood is not None:
        yield Wish("ambience", mood)


def conditions(run: Run, scene: Scene, filters: Filters | None) -> Bools | None:
    """Items that meet the filters and the scene's budget, bool ``[I]``; None where all do.

    A budget in another currency than the shop's is passed over: no rate is at hand.
    """
    if filters is None and scene.price_min is None and scene.price_max is None:
        return None
    wanted = filters or Filters()
    if scene.currency in (None, run.settings.currency):
        lows = [price for price in (wanted.min_price, scene.price_min) if price is not None]
        highs = [price for price in (wanted.max_price, scene.price_max) if price is not None]
        wanted = replace(
            wanted, min_price=max(lows, default=None), max_price=min(highs, default=None)
        )
    return None if wanted == Filters() else allowed_items(run, wanted)


def scores_of(scored: Scored, allowed: Bools, resting: Bools | None = None) -> Scores:
    """Scored candidates as a policy takes them.

    Args:
        scored: The request.
        allowed: bool ``[C]``: what the hard rules leave.
        resting: bool ``[C]``: what the user was shown often enough; None asks nobody.
    """
    rows = scored.recalled.candidates.rows
    return Scores(rows, scored.total, allowed, scored.moment.at_unix_s, resting)


def request_rng(request_id: str) -> np.random.Generator:
    """What a request draws: the same request id, the same list."""
    return np.random.default_rng(int(request_id, 16))


def allowed_candidates(
    run: Run, scored: Scored, exclude: Sequence[str], *, new_only: bool
) -> Bools:
    """The hard rules, bool ``[C]``: dismissed, excluded, and, if asked for, taken before."""
    rows = scored.recalled.candidates.rows
    items = run.vocabulary.items
    barred = [row for id_ in exclude if (row := items.find(id_)) is not None]
    allowed: Bools = scored.allowed & none_of(rows, np.array(barred, dtype=np.int64))
    if new_only:
        allowed &= none_of(rows, scored.history.item)
    return allowed
