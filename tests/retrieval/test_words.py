"""Words: tokens by hand, BM25 by hand and against bm25s, changes against building anew."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from retrieval.index.base import Allowed
from retrieval.postings import META_FILE, WordFormatError
from retrieval.tokens import tokens
from retrieval.words import K1, B, WordIndex

SHOP = [
    "Nike Air Zoom trainers, size 9.5",
    "Trainers for men, size 10",
    "Sony WH-1000XM4 headphones",
    "Sony WF-1000XM4 earbuds",
    "Cola, 6.5 oz",
    "Cola, 12 oz",
    "Levi's 501 jeans, 34/32",
    "绿茶 500ml",
]
ROWS = np.arange(10, 18)

VOCABULARY = ["red", "blue", "shirt", "shoe", "6.5oz", "AB-123", "xl", "nike", "绿茶", "crème"]
texts_of_words = st.lists(st.sampled_from(VOCABULARY), max_size=6).map(" ".join)
anything = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def of(texts: Sequence[str]) -> WordIndex:
    return WordIndex.build(texts, np.arange(len(texts)))


def found(index: WordIndex, query: str, k: int = 10) -> list[int]:
    return index.search(query, k)[0].tolist()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Nike Air 6.5oz", ["nike", "air", "6.5", "oz", "6.5oz"]),
        ("6,5 OZ", ["6.5", "oz", "6.5oz"]),
        ("AB-123", ["ab", "123", "ab123"]),
        ("ab123", ["ab", "123", "ab123"]),
        ("WH-1000XM4/B", ["wh", "1000", "xm", "4", "wh1000xm4", "b"]),
        ("Levi's 501", ["levi", "levis", "501"]),
        ("H&M T-Shirt, XL", ["h", "m", "hm", "t", "shirt", "tshirt", "xl"]),
        ("Crème brûlée ＬＡＮＣÔＭＥ", ["creme", "brulee", "lancome"]),
        (
            "boxes, dresses, berries, shoes, bus, glass",
            ["box", "dress", "berry", "shoe", "bus", "glass"],
        ),
        ("绿茶 500ml", ["绿", "茶", "绿茶", "500", "ml", "500ml"]),
        ("豆", ["豆"]),
        ("한국어 상품", ["한국어", "상품"]),
        ("हिन्दी शब्द", ["हिन्दी", "शब्द"]),
        ("½ l", ["1/2", "l", "1/2l"]),
        ("501 jeans", ["501", "jean"]),
        ("--- ... ", []),
        ("", []),
    ],
)
def test_sizes_models_and_brands_keep_their_form(text: str, wanted: list[str]) -> None:
    assert tokens(text) == wanted


@given(st.text())
def test_tokens_are_stable_and_without_space(text: str) -> None:
    once = tokens(text)
    assert once == tokens(text)
    assert not [token for token in once if not token or token != token.strip()]


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("6.5oz", 14),
        ("cola 6.5 OZ", 14),
        ("12oz", 15),
        ("wh1000xm4", 12),
        ("WF 1000XM4", 13),
        ("levis", 16),
        ("levi 501", 16),
        ("NIKE", 10),
        ("绿茶", 17),
        ("茶", 17),
        ("trainer 9,5", 10),
    ],
)
def test_an_exact_size_model_or_brand_comes_first(query: str, best: int) -> None:
    assert found(WordIndex.build(SHOP, ROWS), query)[0] == best


def test_the_score_is_bm25_as_a_share_of_the_query() -> None:
    index = of(["red shirt", "red red shoe tree", "blue shirt"])
    # 3 texts of (2 + 4 + 2) / 3 = 8/3 tokens; "red" in two, "shoe" in one, "hat" in none.
    red, shoe, hat = (math.log(1 + (3 - df + 0.5) / (df + 0.5)) for df in (2, 1, 0))
    total = red + shoe + hat
    short, long = (K1 * (1 - B + B * length / (8 / 3)) for length in (2, 4))
    rows, scores = index.search("red shoe hat", 5)
    assert_array_equal(rows, [1, 0])
    assert_allclose(
        scores,
        [
            (K1 + 1) * (red * 2 / (2 + long) + shoe * 1 / (1 + long)) / total,
            (K1 + 1) * red * 1 / (1 + short) / total,
        ],
        rtol=1e-5,
    )


def test_a_text_of_mean_length_that_holds_every_word_scores_one() -> None:
    index = of(["red shirt", "blue shoe"])
    assert_allclose(index.search("shirt red", 1)[1], [1.0], rtol=1e-6)


@anything
@given(texts=st.lists(texts_of_words, min_size=1, max_size=20), query=texts_of_words)
def test_ranks_as_bm25s_does(texts: list[str], query: str) -> None:
    bm25s = pytest.importorskip("bm25s", reason="bm25s, the peer that scores are compared with")
    corpus, asked = [tokens(text) for text in texts], list(dict.fromkeys(tokens(query)))
    known = [token for token in asked if any(token in text for text in corpus)]
    if not known:
        assert found(of(texts), query) == []
        return
    peer = bm25s.BM25(k1=K1, b=B, method="lucene")
    peer.index(corpus, show_progress=False)
    wanted = peer.get_scores(known)
    rows, scores = of(texts).search(query, len(texts))
    assert_array_equal(np.sort(rows), np.flatnonzero(wanted > 0))
    # The peer's figures lack the factor of the query, which is the same for every text.
    assert_allclose(scores / scores[0], wanted[rows] / wanted[rows][0], rtol=1e-4)


def test_equal_scores_come_by_ascending_row_and_k_bounds() -> None:
    index = WordIndex.build(["red hat"] * 5, np.array([8, 2, 6, 4, 0]))
    assert found(index, "hat", 3) == [0, 2, 4]
    assert found(index, "hat", 50) == [0, 2, 4, 6, 8]


@anything
@given(
    changes=st.lists(
        st.tuples(st.booleans(), st.dictionaries(st.integers(0, 15), texts_of_words, max_size=8)),
        max_size=8,
    ),
    query=texts_of_words,
)
def test_changed_is_as_if_built_anew(
    changes: list[tuple[bool, dict[int, str]]], query: str, tmp_path: Path
) -> None:
    index, model = WordIndex(), {}
    for adds, touched in changes:
        rows = np.array(list(touched), np.int64)
        if adds:
            index.add(rows, list(touched.values()))
            model.update(touched)
        else:
            gone = [row for row in touched if model.pop(row, None) is not None]
            assert index.remove(rows) == len(gone)
        assert len(index) == len(model)
    anew = WordIndex.build(list(model.values()), np.array(list(model), np.int64))
    index.save(tmp_path)
    for other in (index, WordIndex.open(tmp_path)):
        rows, scores = other.search(query, 20)
        want_rows, want_scores = anew.search(query, 20)
        assert_array_equal(rows, want_rows)
        assert_allclose(scores, want_scores, rtol=1e-5)


@anything
@given(texts=st.lists(texts_of_words, max_size=30), query=texts_of_words, data=st.data())
def test_a_filter_is_the_whole_answer_narrowed(
    texts: list[str], query: str, data: st.DataObject
) -> None:
    index = of(texts)
    chosen = data.draw(st.sets(st.integers(0, 40)))
    allowed = np.array(sorted(chosen), np.int64)
    every = found(index, query, 100)
    wanted = [row for row in every if row in chosen][:5]
    assert index.search(query, 5, allowed=allowed)[0].tolist() == wanted
    assert index.search(query, 5, allowed=Allowed(allowed))[0].tolist() == wanted


def test_adding_one_by_one_keeps_few_segments() -> None:
    index = WordIndex()
    for row in range(300):
        index.add(np.array([row]), [f"thing {row}"])
    assert len(index._parts) <= math.ceil(math.log2(300)) + 1
    assert found(index, "thing 123", 1) == [123]


def test_a_reader_of_a_saved_index_is_not_disturbed_by_the_next_save(tmp_path: Path) -> None:
    of(SHOP).save(tmp_path)
    reader, writer = WordIndex.open(tmp_path), WordIndex.open(tmp_path)
    writer.remove(np.arange(4))
    writer.save(tmp_path)
    assert found(reader, "sony") == [2, 3]
    assert found(WordIndex.open(tmp_path), "sony") == []
    assert len(list(tmp_path.iterdir())) == 7  # six arrays and the description: no leftovers


def test_searches_beside_changes_see_whole_states() -> None:
    index = of(["red hat"] * 50)
    stop, wrong = threading.Event(), []

    def ask() -> None:
        while not stop.is_set():
            count = len(index.search("hat", 500)[0])
            if count not in (50, 150):
                wrong.append(count)

    asking = threading.Thread(target=ask)
    asking.start()
    for _ in range(50):
        index.add(np.arange(50, 150), ["blue hat"] * 100)
        index.remove(np.arange(50, 150))
    stop.set()
    asking.join()
    assert not wrong


def test_what_cannot_be_indexed_is_refused() -> None:
    index = of(["red"])
    with pytest.raises(ValueError, match="equally many"):
        index.add(np.array([1, 2]), ["a"])
    with pytest.raises(ValueError, match="twice"):
        index.add(np.array([1, 1]), ["a", "b"])
    with pytest.raises(ValueError, match="from 0 on"):
        index.add(np.array([-1]), ["a"])
    with pytest.raises(ValueError, match="at least 1"):
        index.search("red", 0)
    with pytest.raises(ValueError, match="ascending"):
        index.search("red", 1, allowed=np.array([2, 1]))
    assert found(index, "red") == [0]


def test_a_folder_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WordFormatError, match="build it again"):
        WordIndex.open(tmp_path)
    of(SHOP).save(tmp_path)
    next(tmp_path.glob("words-*-counts.npy")).unlink()
    with pytest.raises(WordFormatError, match="build it again"):
        WordIndex.open(tmp_path)
    (tmp_path / META_FILE).write_text('{"format": 99}')
    with pytest.raises(WordFormatError, match="got format 99"):
        WordIndex.open(tmp_path)
