"""Search by words on real titles: vectors alone, BM25 alone, and both by several fusions.

The fusion's settings are compared on the queries of even number; what is reported comes from
those of odd number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.encoder_cases.figures import EncodeTexts
from retrieval.candidates import Channel
from retrieval.fusion import fuse
from retrieval.hybrid import blend
from retrieval.tokens import tokens
from retrieval.words import WordIndex

QUERIES = 300
SEED = 0
K = 10
_DEEP = 200
_MOST_RELEVANT = 50

Ask = Callable[[Channel, Channel], Channel]

METHODS: dict[str, Ask] = {
    "vectors": lambda near, told: near,
    "words": lambda near, told: told,
    "rrf": lambda near, told: fuse("both", [near, told], K),
    "rrf_words_twice": lambda near, told: fuse("both", [near, told], K, weights=[1, 2]),
    **{
        f"blend_{share}_power_{power}": (
            lambda near, told, share=share, power=power: blend(
                "both", near, told, K, words_share=share, words_power=power
            )
        )
        for share in (0.3, 0.5, 0.7)
        for power in (1, 2, 3)
    },
}

_OTHER_WORDS = {
    "Tshirts": "tees",
    "Casual Shoes": "everyday footwear",
    "Handbags": "purses",
    "Watches": "timepieces",
    "Jeans": "denim trousers",
    "Tops": "blouses",
    "Sports Shoes": "running sneakers",
    "Backpacks": "rucksacks",
    "Earrings": "ear jewellery",
    "Perfume and Body Mist": "fragrance",
    "Heels": "stilettos",
    "Flip Flops": "beach slippers",
    "Trousers": "pants",
    "Wallets": "billfolds",
    "Kurtas": "ethnic tunics",
    "Briefs": "underwear",
    "Lipstick": "lip colour",
    "Sweatshirts": "hoodies and pullovers",
}
"""Article types of the fashion file in words that its titles do not use."""
_WHO = {"Men": "guys", "Women": "ladies"}


@dataclass(frozen=True, slots=True)
class Asked:
    """Queries of one kind, and what they should find among some texts."""

    case: str
    texts: Sequence[str]
    queries: Sequence[str]
    relevant: Sequence[frozenset[int]]


@dataclass(frozen=True, slots=True)
class HybridFigure:
    """One method on one kind of queries."""

    case: str
    method: str
    recall_10: float
    """Share of the relevant among the first 10, of as many as can be there."""
    missed: float
    """Share of queries without one relevant text among the first 10."""
    tuning_recall_10: float
    """The same recall on the queries that settings were compared on."""
    queries: int
    gallery: int


def fashion_cases(data: Path) -> list[Asked]:
    """Brand and model number, brand and type, titles half remembered, and other words."""
    items = pl.read_parquet(
        data / "fashion.parquet", columns=["title", "article_type", "base_colour", "gender"]
    ).unique("title", keep="first", maintain_order=True)
    return [_models(items), _brands(items), _half_remembered(items), _other_words(items)]


def journey_case(dataset: Path) -> Asked:
    """A grocer's products by kind and package size, "soda 20 oz" and "soda 20oz"."""
    items = pl.read_parquet(dataset / "items.parquet")
    named = pl.concat_str(
        pl.col("title").str.replace(r"(\S)\s*\([^()]*\)$", "${1}"),  # without "(variety 31)"
        pl.col("categories").list.last(),
        pl.col("brand"),
        separator=". ",
        ignore_nulls=True,
    )
    items = items.with_columns(named=named).unique("named", keep="first", maintain_order=True)
    size = pl.element().struct.field("key") == "package_size"
    of_size = pl.col("attributes").list.eval(pl.element().filter(size).struct.field("value"))
    pairs = items.select(pl.col("categories").list.last(), of_size.list.first()).rows()
    relevant: dict[str, set[int]] = {}
    for row, (kind, package) in enumerate(pairs):
        for written in {package, package.replace(" ", "")} if package else ():
            relevant.setdefault(f"{kind} {written}".lower(), set()).add(row)
    return _drawn("journey_size", items["named"].to_list(), relevant)


def caption_case(data: Path) -> Asked:
    """The first caption of a photo asks for the second: everyday words, nothing exact."""
    captions = pl.col("captions").list
    both = (
        pl.scan_parquet(data / "captioned_photos.parquet")
        .filter(pl.col("split") == "test")
        .select(captions.get(0).alias("first"), captions.get(1).alias("second"))
        .collect()
    )
    one = [frozenset({row}) for row in range(both.height)]
    return Asked("captions", both["second"].to_list(), both["first"].to_list(), one)


def hybrid_figures(asked: Asked, encode_texts: EncodeTexts) -> list[HybridFigure]:
    """Every method on one kind of queries; vectors and words both see the same texts."""
    vectors, queries = encode_texts(asked.texts), encode_texts(asked.queries)
    index = WordIndex.build(asked.texts, np.arange(len(asked.texts)))
    scores: dict[str, list[tuple[float, bool]]] = {method: [] for method in METHODS}
    for text, query, relevant in zip(asked.queries, queries, asked.relevant, strict=True):
        cosine = vectors @ query
        top = np.argsort(-cosine, kind="stable")[:_DEEP].astype(np.int64)
        near = Channel("vectors", top, cosine[top].astype(np.float32))
        told = Channel("words", *index.search(text, _DEEP))
        for method, ask in METHODS.items():
            hits = len(relevant.intersection(ask(near, told).rows[:K].tolist()))
            scores[method].append((hits / min(K, len(relevant)), not hits))
    return [
        HybridFigure(
            asked.case,
            method,
            float(np.mean([recall for recall, _ in each[1::2]])),
            float(np.mean([missed for _, missed in each[1::2]])),
            float(np.mean([recall for recall, _ in each[::2]])),
            len(each[1::2]),
            len(asked.texts),
        )
        for method, each in scores.items()
    ]


def _models(items: pl.DataFrame) -> Asked:
    """The brand and a token with a digit: all titles that hold both."""
    titles = items["title"].to_list()
    holders = _holders(titles)
    relevant: dict[str, set[int]] = {}
    for title in titles:
        words = title.split()
        for word in words[1:]:
            if any(letter.isdigit() for letter in word):
                query = f"{words[0]} {word}"
                relevant[query] = set.intersection(*(holders[token] for token in tokens(query)))
    few = {query: rows for query, rows in relevant.items() if len(rows) <= _MOST_RELEVANT}
    return _drawn("fashion_model", titles, few)


def _brands(items: pl.DataFrame) -> Asked:
    """The first word of the title and the article type, "puma sports shoes"."""
    titles, kinds = items["title"].to_list(), items["article_type"].to_list()
    relevant: dict[str, set[int]] = {}
    for row, (title, kind) in enumerate(zip(titles, kinds, strict=True)):
        relevant.setdefault(f"{title.split()[0]} {kind}".lower(), set()).add(row)
    return _drawn("fashion_brand_type", titles, relevant)


def _half_remembered(items: pl.DataFrame) -> Asked:
    """Titles of five words and more without two of them."""
    titles, rng = items["title"].to_list(), np.random.default_rng(SEED)
    relevant: dict[str, set[int]] = {}
    for row, title in enumerate(titles):
        words = title.split()
        if len(words) >= 5:
            kept = np.sort(rng.permutation(len(words))[2:])
            relevant.setdefault(" ".join(words[at] for at in kept), set()).add(row)
    return _drawn("fashion_half_remembered", titles, relevant)


def _other_words(items: pl.DataFrame) -> Asked:
    """Colour, type and gender with other names for the last two."""
    relevant: dict[str, set[int]] = {}
    described = items.select("article_type", "base_colour", "gender").rows()
    for row, (kind, colour, gender) in enumerate(described):
        if kind in _OTHER_WORDS and gender in _WHO:
            query = f"{colour} {_OTHER_WORDS[kind]} for {_WHO[gender]}".lower()
            relevant.setdefault(query, set()).add(row)
    often = {query: rows for query, rows in relevant.items() if len(rows) >= 3}
    return _drawn("fashion_other_words", items["title"].to_list(), often)


def _holders(texts: Sequence[str]) -> dict[str, set[int]]:
    holders: dict[str, set[int]] = {}
    for row, text in enumerate(texts):
        for token in tokens(text):
            holders.setdefault(token, set()).add(row)
    return holders


def _drawn(case: str, texts: Sequence[str], relevant: dict[str, set[int]]) -> Asked:
    names = list(relevant)
    drawn = np.random.default_rng(SEED).permutation(len(names))[:QUERIES]
    queries = [names[at] for at in drawn]
    return Asked(case, texts, queries, [frozenset(relevant[query]) for query in queries])
