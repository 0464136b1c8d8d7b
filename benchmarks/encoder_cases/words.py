"""Words to words: whether aligning with pictures has cost what plain MiniLM could do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.encoder_cases.figures import (
    Bool,
    EncodeTexts,
    Figure,
    figure,
    first_ranks,
    ndcg_at,
)

FEWEST_TITLES = 3
"""An attribute query is asked if so many titles bear all its attributes."""

_FOR = {
    "Men": " for men",
    "Women": " for women",
    "Boys": " for boys",
    "Girls": " for girls",
    "Unisex": "",
}


def words(encode_texts: EncodeTexts, data: Path) -> list[Figure]:
    """Measure four kinds of text-to-text search.

    - ``words_paraphrase_r10``: first caption of each test photo to the second one of the same
      photo, among 1,000;
    - ``words_hm_r10``: H&M test descriptions to product name and type;
    - ``words_ikea_r10``: IKEA descriptions to product name and type, the whole catalogue;
    - ``words_attributes_ndcg10``: "navy blue casual shirts for men" to the different fashion
      test titles with all four attributes.
    """
    return [
        paraphrase(encode_texts, data),
        hm_descriptions(encode_texts, data),
        ikea_descriptions(encode_texts, data),
        attribute_queries(encode_texts, data),
    ]


def paraphrase(encode_texts: EncodeTexts, data: Path) -> Figure:
    """Caption 1 to caption 2 of the same test photo."""
    scan = pl.scan_parquet(data / "captioned_photos.parquet").filter(pl.col("split") == "test")
    first, second = (
        scan.select(pl.col("captions").list.get(row)).collect()["captions"].to_list()
        for row in (0, 1)
    )
    return _recall("words_paraphrase_r10", encode_texts, list(zip(first, second, strict=True)))


def hm_descriptions(encode_texts: EncodeTexts, data: Path) -> Figure:
    """H&M ``detail_desc`` to ``prod_name product_type_name``."""
    articles = pl.scan_parquet(data / "hm.parquet").filter(pl.col("split") == "test")
    pairs = articles.select(
        "detail_desc", pl.concat_str("prod_name", "product_type_name", separator=" ")
    )
    return _recall("words_hm_r10", encode_texts, pairs.collect().rows())


def ikea_descriptions(encode_texts: EncodeTexts, data: Path) -> Figure:
    """IKEA ``description`` to ``name type``."""
    products = pl.scan_parquet(data / "ikea_products.parquet").filter(pl.col("description") != "")
    pairs = products.select("description", pl.concat_str("name", "type", separator=" "))
    return _recall("words_ikea_r10", encode_texts, pairs.collect().rows())


def attribute_queries(encode_texts: EncodeTexts, data: Path) -> Figure:
    """Colour, usage, type and gender to titles, by NDCG@10."""
    attributes = ("base_colour", "usage", "article_type", "gender")
    rows = (
        pl.scan_parquet(data / "fashion.parquet")
        .filter(
            pl.col("split") == "test",
            *(pl.col(name).is_not_null() & (pl.col(name) != "NA") for name in attributes),
        )
        .select(*attributes, "title")
        .collect()
    )
    pairs = [
        (attribute_query(colour, usage, kind, gender), title)
        for colour, usage, kind, gender, title in rows.rows()
    ]
    queries, titles, relevant = relevance(pairs)
    often = relevant.sum(axis=1) >= FEWEST_TITLES
    asked = [query for query, enough in zip(queries, often, strict=True) if enough]
    scores = encode_texts(asked) @ encode_texts(titles).T
    return figure(
        "words_attributes_ndcg10", ndcg_at(scores, relevant[often], 10), gallery=len(titles)
    )


def attribute_query(colour: str, usage: str, kind: str, gender: str) -> str:
    """Attributes as one would type them: "navy blue casual shirts for men"."""
    # "Casual Shoes" are casual already.
    usage = "" if usage.lower() in kind.lower() else f"{usage} "
    return f"{colour} {usage}{kind}{_FOR[gender]}".lower()


def relevance(pairs: Sequence[tuple[str, str]]) -> tuple[list[str], list[str], Bool]:
    """Different queries, different answers, and which belong together ``[Q, G]``."""
    query_row = {query: row for row, query in enumerate(dict.fromkeys(q for q, _ in pairs))}
    answer_row = {answer: row for row, answer in enumerate(dict.fromkeys(a for _, a in pairs))}
    relevant = np.zeros((len(query_row), len(answer_row)), dtype=bool)
    for query, answer in pairs:
        relevant[query_row[query], answer_row[answer]] = True
    return list(query_row), list(answer_row), relevant


def _recall(case: str, encode_texts: EncodeTexts, pairs: Sequence[tuple[str, str]]) -> Figure:
    queries, answers, relevant = relevance(pairs)
    scores = encode_texts(queries) @ encode_texts(answers).T
    return figure(case, first_ranks(scores, relevant) <= 10, gallery=len(answers))
