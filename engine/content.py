"""What each item looks and reads like: pictures and words to one vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from encoders import ItemEncoder, VectorCache, cached_texts
from encoders.bulk import Rejected, encode_pictures
from encoders.fusion import fuse_parts, pool_pictures
from encoders.gate_learning import fit_gates
from encoders.gates import Gates, fixed_gates
from engine.interactions import Floats, Interactions, Ints
from engine.pictures import read_for_encoding
from retrieval.neighbours import item_neighbours

PARTS = ("pictures", "title", "description", "attributes")
"""What an item's vector is mixed of, in the order of :class:`encoders.gates.Gates`."""
DESCRIPTION_ODDS = 0.5
ATTRIBUTES_ODDS = 0.1
"""How much these count for a title's 1, until gates are learned."""
MAX_WORDS_CHARS = 1_000
PARTNERS = 10
"""Items that count as taken together with an item, at most."""
PARTNERS_SHRINK = 3.0
"""Keeps items that few visits have from being everybody's nearest."""
MAX_PAIRS = 200_000

REJECT_SCHEMA = pl.Schema({"item_id": pl.String(), "image": pl.String(), "reason": pl.String()})
"""A picture that is there and could not be encoded, once for every item that has it."""


@dataclass(frozen=True, slots=True)
class Content:
    """Content vectors of every item."""

    vectors: Floats
    """float32 ``[I, D]``; unit rows, or zero where an item has neither picture nor words."""
    known: NDArray[np.bool_]
    """bool ``[I]``"""


@dataclass(frozen=True, slots=True)
class Parts:
    """What items are mixed of."""

    vectors: Floats
    """float32 ``[I, P, D]``: unit rows, zero where absent; P as in :data:`PARTS`."""
    present: NDArray[np.bool_]
    """bool ``[I, P]``"""
    rejects: pl.DataFrame
    """As :data:`REJECT_SCHEMA`."""

    def fused(self, gates: Gates) -> Content:
        """One vector an item."""
        known: NDArray[np.bool_] = np.any(self.present, axis=1)
        return Content(fuse_parts(self.vectors, self.present, gates), known)


def words_of(items: pl.DataFrame) -> list[str | None]:
    """The text that names each item: title, finest category, brand.

    What a title holds in closing parentheses ("Yogurt, 6 oz (variety 31)") tells twins apart for
    people; it says nothing of what the item is, and would have every twin encoded anew.
    """
    return _texts(
        items,
        pl.concat_str(
            pl.col("title").str.replace(r"(\S)\s*\([^()]*\)$", "${1}"),
            pl.col("categories").list.last(),
            pl.col("brand"),
            separator=". ",
            ignore_nulls=True,
        ),
    )


def searchable_texts(items: pl.DataFrame) -> list[str]:
    """All words of each item, for a search that takes them literally: names, sizes, numbers."""
    attributes = pl.Series(attributes_of(items), dtype=pl.String)
    categories = pl.col("categories").list.join(" ")
    texts = pl.concat_str(
        "title", "brand", categories, "description", attributes, separator=" ", ignore_nulls=True
    )
    return items.select(texts).to_series().to_list()


def descriptions_of(items: pl.DataFrame) -> list[str | None]:
    """The description of each item, None where there is none."""
    return _texts(items, pl.col("description"))


def attributes_of(items: pl.DataFrame) -> list[str | None]:
    """The attributes of each item in words, "colour: blue, size: M"; None where it has none."""
    key = pl.element().struct.field("key").str.replace_all("_", " ")
    pair = pl.concat_str(key, pl.lit(": "), pl.element().struct.field("value"))
    return _texts(items, pl.col("attributes").list.eval(pair.drop_nulls()).list.join(", "))


def pictures_of(items: pl.DataFrame) -> pl.DataFrame:
    """Every picture of every item once: columns ``row``, ``item_id`` and ``image``."""
    every = pl.concat_list(pl.concat_list("image"), "images").list.unique(maintain_order=True)
    return (
        items.select(pl.int_range(pl.len(), dtype=pl.Int64).alias("row"), "item_id", image=every)
        .explode("image")
        .drop_nulls("image")
    )


def rejects_of(pictures: pl.DataFrame, rejected: Sequence[Rejected]) -> pl.DataFrame:
    """The items whose pictures could not be encoded, as :data:`REJECT_SCHEMA`.

    Args:
        pictures: As :func:`pictures_of` gives them.
        rejected: Pictures by name; one may be named twice.
    """
    reasons = pl.DataFrame(
        {"image": [r.name for r in rejected], "reason": [r.reason for r in rejected]},
        schema={"image": pl.String, "reason": pl.String},
    ).unique("image", keep="last")
    lost = pictures.join(reasons, on="image", how="inner", maintain_order="left")
    return lost.select(REJECT_SCHEMA.names())


def set_gates(image_weight: float) -> Gates:
    """Shares that no one has learned: the picture's beside a title, and what the rest count.

    Raises:
        ValueError: The weight is outside [0, 1].
    """
    words = 1.0 - image_weight
    return fixed_gates([image_weight, words, words * DESCRIPTION_ODDS, words * ATTRIBUTES_ODDS])


def encode_parts(
    items: pl.DataFrame,
    folder: Path,
    encoder: ItemEncoder,
    cache: VectorCache,
    *,
    on_progress: Callable[[int, int], None] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Parts:
    """Vectors of the parts of items; each different text and picture is encoded once.

    Args:
        items: Rows of the items table: a dataset's, or a new one.
        folder: Where their pictures are.
        encoder: Makes the vectors.
        cache: Keeps them, so that an interrupted run resumes.
        on_progress: Called with texts done, and in all; then the same with pictures.
        on_note: Told how many pictures could not be read, if any, and why.
    """
    # One block a part: memory is only ever touched for the parts that some item has.
    vectors = np.zeros((len(PARTS), len(items), encoder.dim), dtype=np.float32)
    present = np.zeros((len(PARTS), len(items)), dtype=np.bool_)
    part, row, words = _words_by_part(items)
    vectors[part, row] = cached_texts(cache, encoder, words, on_progress=on_progress)
    present[part, row] = True
    pictures = pictures_of(items)
    distinct = pictures["image"].unique().sort()
    found = encode_pictures(
        cache,
        encoder,
        distinct.to_list(),
        partial(read_for_encoding, folder),
        on_progress=on_progress,
    )
    place = distinct.search_sorted(pictures["image"]).to_numpy().astype(np.int64)
    usable = found.known[place]
    vectors[0], present[0] = pool_pictures(
        found.vectors[place[usable]], pictures["row"].to_numpy()[usable], len(items)
    )
    rejects = rejects_of(pictures, found.rejected)
    if len(rejects) and on_note:
        item_id, image, reason = rejects.row(0)
        on_note(
            f"{len(found.rejected)} of {len(distinct)} pictures not encoded; "
            f"the first: {image} of item {item_id}: {reason}"
        )
    return Parts(vectors.transpose(1, 0, 2), present.T, rejects)


def learn_gates(
    parts: Parts,
    events: Interactions,
    *,
    image_weight: float,
    seed: int,
    on_note: Callable[[str], None] | None = None,
) -> Gates:
    """How much each part counts in this shop, by what is taken together; see :func:`fit_gates`.

    Args:
        parts: Of all items.
        events: Those that may be learned from.
        image_weight: Share of the picture in the gates that learned ones must beat.
        seed: Of every choice.
        on_note: Told how learned gates did, if there was enough to learn from.
    """
    start = set_gates(image_weight)
    if parts.present.sum(axis=1).max(initial=0) < 2 or not len(events):
        return start
    pairs = taken_together(events, seed=seed)
    gates = fit_gates(parts.vectors, parts.present, pairs, seed=seed, start=start)
    if gates.trial and on_note:
        trial = gates.trial
        on_note(
            f"learned gates {'kept' if trial.kept else 'not kept'}: Recall@20 of what is taken "
            f"together {trial.recall_learned:.4f}, with set shares {trial.recall_fixed:.4f} "
            f"({trial.pairs:,} pairs)"
        )
    return gates


def taken_together(events: Interactions, *, seed: int, most: int = MAX_PAIRS) -> Ints:
    """Pairs of items that share visits or baskets, int64 ``[m, 2]``.

    Of each item its nearest by the cosine of their visits, and not whatever once lay in a basket
    with it: two things that everybody buys meet often and say nothing of each other.

    Args:
        events: Those that may be learned from.
        seed: Of the choice where there are more than ``most`` pairs.
        most: Pairs at most.
    """
    visits, visit = np.unique(events.session, return_inverse=True)
    near = item_neighbours(
        visit,
        events.item,
        np.ones(len(events), dtype=np.float32),
        shape=(len(visits), events.n_items),
        n=PARTNERS,
        shrink=PARTNERS_SHRINK,
    )
    item, place = np.nonzero(near.weight > 0)
    pairs = np.stack([item, near.rows[item, place].astype(np.int64)], axis=1)
    return np.random.default_rng(seed).permutation(pairs)[:most]


def _texts(items: pl.DataFrame, text: pl.Expr) -> list[str | None]:
    cut = text.str.slice(0, MAX_WORDS_CHARS)
    return items.select(pl.when(cut != "").then(cut)).to_series().to_list()


def _words_by_part(items: pl.DataFrame) -> tuple[Ints, Ints, list[str]]:
    """Every text that an item has: its part, its item's row, and the text itself."""
    columns = (words_of(items), descriptions_of(items), attributes_of(items))
    given = [
        (part, row, text)
        for part, texts in enumerate(columns, start=1)
        for row, text in enumerate(texts)
        if text is not None
    ]
    where = np.array([(part, row) for part, row, _ in given], dtype=np.int64).reshape(-1, 2)
    return where[:, 0], where[:, 1], [text for _, _, text in given]
