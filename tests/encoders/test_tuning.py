from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from safetensors.torch import load_file, save_file
from torch import nn

from encoders import Encoder, EncoderError
from encoders.hub import open_towers
from encoders.low_rank import merge
from encoders.towers import Towers
from encoders.tuning import (
    Base,
    Catalogue,
    Pairs,
    PicturePairs,
    TuningError,
    TuningSettings,
    Update,
    fingerprint_of,
    tune,
    write_tuned,
)
from encoders.tuning.attention import PackedAttention
from encoders.tuning.batches import Sampler
from encoders.tuning.catalogue import digest
from encoders.tuning.exam import Exam, hits_at, recall_at
from encoders.tuning.lora import adapt, layers_to_adapt, without_adapters
from encoders.tuning.losses import drift, symmetric_info_nce
from encoders.tuning.train import pace

pytest.importorskip("peft", reason="peft is not installed: pip install -e '.[tune]'")

ROOT = Path(__file__).parents[2]
SMALL = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}
COLOURS = {"zorp": "red", "blick": "blue", "quam": "green", "fenn": "gold", "tolv": "purple"}
NAMES = (*COLOURS, "rask", "mip", "sol", "gant", "hube", "jilt", "kess", "lorn", "nave", "oft")
NAMES += ("pell", "rune", "sift", "tarn", "vole", "yule", "crim", "drat", "plov")
SHAPES = {"wug": "ellipse", "dax": "rectangle", "toma": "triangle", "blen": "cross"}
NO_PAIRS = Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))
NO_PICTURES = PicturePairs(np.zeros(0, np.int64), [])
QUICK = TuningSettings(
    rank=4,
    alpha=8.0,
    epochs=8,
    patience=8,
    batch_size=40,
    learning_rate=1e-2,
    anchor_weight=0.1,
)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def checkpoint(write_clip: Callable[[str, object], str]) -> str:
    """A small random model, as a name that the hub opens."""
    return write_clip("vitrine-test-tuned", SMALL)


def drawing(colour: str, shape: str, rng: np.random.Generator) -> bytes:
    picture = Image.new("RGB", (32, 32), "white")
    x, y = rng.integers(2, 8, 2).tolist()
    box = (x, y, x + 22, y + 22)
    pen = ImageDraw.Draw(picture)
    if shape == "ellipse":
        pen.ellipse(box, fill=colour)
    elif shape == "rectangle":
        pen.rectangle(box, fill=colour)
    elif shape == "triangle":
        pen.polygon([(x, y + 22), (x + 22, y + 22), (x + 11, y)], fill=colour)
    else:
        pen.line(box, fill=colour, width=5)
        pen.line((x, y + 22, x + 22, y), fill=colour, width=5)
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def planted(n_each: int = 8) -> Catalogue:
    """Twenty kinds of things, named by made-up words; each item has a number of its own."""
    rng = np.random.default_rng(0)
    words, files = [], []
    for n in range(n_each):
        for colour_word, colour in COLOURS.items():
            for shape_word, shape in SHAPES.items():
                words.append(f"{colour_word} {shape_word} {n}")
                files.append(drawing(colour, shape, rng))
    held_out = np.arange(len(words)) >= (n_each - 1) * 20
    return Catalogue(words, PicturePairs(np.arange(len(words)), files), NO_PAIRS, held_out)


def sold_together() -> Catalogue:
    """Things without pictures, of 24 names; four names make a set, whose things sell together.

    Those of one name never do: likeness of words does not lead to what is asked.
    """
    name = np.arange(96) % len(NAMES)
    words = [f"{NAMES[which]} {i // len(NAMES)}" for i, which in enumerate(name)]
    together = (name[:, None] // 4 == name // 4) & (name[:, None] != name)
    first, second = np.nonzero(np.triu(together))
    pairs = Pairs(first, second, np.ones(len(first), np.float32))
    return Catalogue(words, NO_PICTURES, pairs, np.arange(96) >= 72)


# What is made small.


def test_info_nce_by_hand():
    left = torch.eye(2)
    right = torch.tensor([[0.6, 0.8], [0.0, 1.0]])
    # scores: [[2*0.6, 0], [2*0.8, 2]]
    there = -np.log(np.exp(1.2) / (np.exp(1.2) + 1)) - np.log(np.exp(2) / (np.exp(1.6) + np.exp(2)))
    back = -np.log(np.exp(1.2) / (np.exp(1.2) + np.exp(1.6))) - np.log(np.exp(2) / (1 + np.exp(2)))
    allowed = torch.ones(2, 2, dtype=torch.bool)
    loss = symmetric_info_nce(left, right, torch.tensor(2.0), allowed)
    assert loss.item() == pytest.approx((there / 2 + back / 2) / 2, abs=1e-6)


def test_what_is_as_right_as_the_partner_is_no_wrong_answer():
    left, right = torch.eye(3), torch.tensor([[0.6, 0.8, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])
    twins = torch.tensor([[1, 0, 1], [0, 1, 1], [1, 1, 1]]).bool()  # the first two are
    e = np.exp
    # scores: [[0.6, 0.8, 0], [0.8, 0.6, 0], [0, 0, 1]], the two of 0.8 hidden
    one_way = [e(0.6) / (e(0.6) + 1), e(0.6) / (e(0.6) + 1), e(1) / (e(1) + 2)]
    loss = symmetric_info_nce(left, right, torch.tensor(1.0), twins)
    assert loss.item() == pytest.approx(-np.log(one_way).mean(), abs=1e-6)


def test_popular_items_count_less_as_wrong_answers():
    left, right = torch.eye(2), torch.eye(2)
    q = torch.tensor([[0.5, 0.5], [0.2, 0.8]]).log()
    allowed = torch.ones(2, 2, dtype=torch.bool)
    first = -np.log((np.e / 0.2) / (np.e / 0.2 + 1 / 0.8))
    second = -np.log((np.e / 0.8) / (np.e / 0.8 + 1 / 0.2))
    back = -np.log(np.e / (np.e + 1))
    loss = symmetric_info_nce(left, right, torch.tensor(1.0), allowed, q)
    assert loss.item() == pytest.approx(((first + second) / 2 + back) / 2, abs=1e-6)


def test_drift_is_one_minus_cosine():
    assert drift(torch.eye(2), torch.tensor([[0.6, 0.8], [0.0, 1.0]])).item() == pytest.approx(
        (0.4 + 0.0) / 2
    )


def test_the_pace_rises_and_falls_to_nothing():
    paces = [pace(number, 100) for number in range(100)]
    assert paces[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert all(a >= b for a, b in pairwise(paces[5:]))
    assert paces[-1] < 1e-3


# What is asked.


def test_recall_by_hand():
    scores = np.array([[0.9, 0.8, 0.1], [0.9, 0.8, 0.1]], dtype=np.float32)
    right = np.array([[0, 1, 1], [1, 0, 0]], dtype=bool)
    assert hits_at(scores, right, 1) == 1 / 2
    assert hits_at(scores, right, 2) == 1
    assert recall_at(scores, right, 1) == (0 / 1 + 1 / 1) / 2
    assert recall_at(scores, right, 2) == (1 / 2 + 1 / 1) / 2
    assert recall_at(scores, right, 3) == 1


class Told:
    """An encoder that knows where everything is."""

    dim, fingerprint, preprocessing = 3, "told", None

    def __init__(self, places: dict[str | bytes, int]) -> None:
        self.places = places

    def encode_texts(self, texts):
        return np.eye(self.dim, dtype=np.float32)[[self.places[text] for text in texts]]

    encode_images = encode_texts


def test_an_exam_asks_for_held_out_items_alone_and_twins_are_equally_right():
    words = ["a", "b", "b", "c"]
    pictures = PicturePairs(np.arange(4), [b"0", b"1", b"2", b"3"])
    pairs = Pairs(np.array([0, 1]), np.array([1, 3]), np.ones(2, np.float32))
    held_out = np.array([False, True, True, True])
    exam = Exam.of(Catalogue(words, pictures, pairs, held_out), image_weight=0.0, seed=0)
    assert exam.pictures.tolist() == [1, 2, 3]
    assert exam.queries.tolist() == [1, 3]
    # The first "b" lies where its words are, the second and "c" lie with each other's.
    told = Told({"a": 0, "b": 1, "c": 2, b"0": 0, b"1": 1, b"2": 2, b"3": 2})
    figures = exam.sit(told)
    assert figures.text_to_image_r1 == 1 / 2  # "b" finds one of its two; "c" finds the twin first
    assert figures.image_to_text_r1 == 2 / 3
    assert figures.together_r10 == 1.0


def test_an_item_is_no_answer_to_itself():
    pairs = Pairs(np.array([0]), np.array([1]), np.ones(1, np.float32))
    words = [*"abcdefghijklmn"]
    catalogue = Catalogue(words, NO_PICTURES, pairs, np.arange(14) == 0)
    told = Told(dict.fromkeys(words, 0))
    # All alike: the gallery's order decides, and the first is the item itself.
    assert Exam.of(catalogue, image_weight=0.3, seed=0).sit(told).together_r10 == 1.0


# What is learned from.


def test_nothing_held_out_is_learned_from():
    catalogue = planted()
    n = len(catalogue.words)
    rng = np.random.default_rng(0)
    first, second = rng.choice(n, 300), rng.choice(n, 300)
    apart = first != second
    pairs = Pairs(first[apart], second[apart], np.ones(apart.sum(), np.float32))
    sampler = Sampler(replace(catalogue, together=pairs), QUICK)
    steps = [sampler.step(number) for number in range(2 * sampler.steps_per_epoch)]
    seen = np.unique(np.concatenate([step.items for step in steps]))
    assert set(seen) == set(np.flatnonzero(~catalogue.held_out))
    for step in steps:
        assert np.array_equal(catalogue.pictures.item[step.pictures], step.items[step.has_picture])
        assert (step.first != step.second).all()


def test_a_step_is_the_same_whatever_was_drawn_before():
    one, other = Sampler(planted(), QUICK), Sampler(planted(), QUICK)
    for number in range(6):
        one.step(number)
    np.testing.assert_array_equal(one.step(7).pictures, other.step(7).pictures)
    changed = Sampler(planted(), replace(QUICK, seed=1)).step(7)
    assert changed.pictures.tolist() != other.step(7).pictures.tolist()


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=30))
@settings(max_examples=50, deadline=None)
def test_partners_and_twins_are_never_wrong_answers(drawn):
    pairs = [(a, b) for a, b in drawn if a != b] or [(0, 1)]
    first, second = np.array(pairs, dtype=np.int64).T
    words = [f"item {row // 2}" for row in range(10)]
    weights = np.ones(len(pairs), np.float32)
    catalogue = Catalogue(words, NO_PICTURES, Pairs(first, second, weights), np.zeros(10, bool))
    sampler = Sampler(catalogue, QUICK)
    step = sampler.step(0)
    allowed = sampler.allowed_pairs(step)
    known = set(pairs) | {(b, a) for a, b in pairs}
    a, b = step.items[step.first], step.items[step.second]
    for row in range(len(a)):
        for column in range(len(b)):
            twins = any(
                words[x] == words[y]
                for x, y in ((a[row], b[column]), (a[row], a[column]), (b[row], b[column]))
            )
            expected = row == column or not ((a[row], b[column]) in known or twins)
            assert allowed[row, column] == expected
    degree = np.bincount(np.concatenate([first, second]), minlength=10) / (2 * len(pairs))
    np.testing.assert_allclose(np.exp(sampler.log_share(step)[0]), degree[a], rtol=1e-5)


def test_a_heavy_pair_is_drawn_more():
    pairs = Pairs(np.array([0, 2]), np.array([1, 3]), np.array([9.0, 1.0], np.float32))
    catalogue = Catalogue([*"abcd"], NO_PICTURES, pairs, np.zeros(4, bool))
    sampler = Sampler(catalogue, replace(QUICK, together_batch_size=1))
    heavy = [0 in sampler.step(number).items for number in range(400)]
    assert np.mean(heavy) == pytest.approx(0.9, abs=0.05)


def test_the_digest_follows_everything():
    catalogue = planted(2)
    swapped = replace(catalogue.pictures, files=catalogue.pictures.files[::-1])
    others = [
        replace(catalogue, words=[*catalogue.words[:-1], "other"]),
        replace(catalogue, pictures=swapped),
        replace(catalogue, together=Pairs(np.array([0]), np.array([1]), np.ones(1, np.float32))),
        replace(catalogue, held_out=~catalogue.held_out),
    ]
    assert len({digest(c) for c in (catalogue, *others)}) == 5
    assert digest(planted(2)) == digest(catalogue)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"held_out": np.zeros(3, bool)}, r"held_out is \(3,\), expected \(2,\)"),
        ({"pictures": PicturePairs(np.array([0]), [])}, "1 rows of 0 pictures"),
        ({"pictures": PicturePairs(np.array([5]), [b""])}, "rows reach from 5 to 5; there are 2"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, message):
    catalogue = Catalogue(["a", "b"], NO_PICTURES, NO_PAIRS, np.zeros(2, bool))
    with pytest.raises(ValueError, match=message):
        replace(catalogue, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tower": "left"}, "tower is 'left', expected one of"),
        ({"depth": 0.0}, "depth is 0.0, expected a share above 0"),
        ({"rank": 0}, "rank is 0, expected at least 1"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0, expected more than 0"),
        ({"anchor_weight": -1.0}, "anchor_weight is -1.0, expected 0 or more"),
    ],
)
def test_settings_out_of_bounds_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(QUICK, **change)


def test_nothing_to_learn_or_to_measure_on_is_an_error(checkpoint):
    catalogue = planted(2)
    everything = replace(catalogue, held_out=np.ones(len(catalogue.words), bool))
    nothing = replace(catalogue, held_out=np.zeros(len(catalogue.words), bool))
    with pytest.raises(TuningError, match="not held out has a picture, or sells with another"):
        tune(open_towers(checkpoint), everything, QUICK)
    with pytest.raises(TuningError, match=r"no held-out item \(0 of 40\) has a picture"):
        tune(open_towers(checkpoint), nothing, QUICK)


# Adapters.


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("mask", ["none", "added", "hidden", "per head"])
def test_packed_attention_computes_the_same(batch_first, mask):
    torch.manual_seed(0)
    original = nn.MultiheadAttention(16, 4, batch_first=batch_first).eval()
    x = torch.randn(3, 5, 16) if batch_first else torch.randn(5, 3, 16)
    causal = torch.full((5, 5), -torch.inf).triu(1)
    masks = {
        "none": None,
        "added": causal,
        "hidden": causal.isinf(),
        "per head": torch.randn(12, 5, 5),
    }
    expected = original(x, x, x, need_weights=False, attn_mask=masks[mask])[0]
    packed = PackedAttention(original)
    torch.testing.assert_close(packed(x, x, x, attn_mask=masks[mask])[0], expected)
    y = torch.randn_like(x)
    expected = original(x, y, y, need_weights=False, attn_mask=masks[mask])[0]
    torch.testing.assert_close(packed(x, y, y, attn_mask=masks[mask])[0], expected)


def towers_of(config: dict[str, object], folder: Path) -> Towers:
    """A random model of any kind, opened as a checkpoint."""
    name = f"vitrine-test-{abs(hash(json.dumps(config)))}"
    (folder / f"{name}.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder / f"{name}.json")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = open_clip.create_model(name)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):  # Zero at first in some: nothing could be learned.
            nn.init.ones_(layer.weight)
    save_file({k: v.clone() for k, v in model.state_dict().items()}, folder / f"{name}.safetensors")
    return open_towers(f"{name}:{folder / name}.safetensors")


KINDS = {
    "vit": SMALL,
    "resnet": SMALL
    | {"vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "patch_size": None}},
    "timm": SMALL
    | {
        "vision_cfg": {
            "timm_model_name": "tf_efficientnet_lite0",
            "timm_model_pretrained": False,
            "timm_pool": "avg",
            "timm_proj": "linear",
            "image_size": 32,
        }
    },
    "pooled": SMALL
    | {"vision_cfg": SMALL["vision_cfg"] | {"attentional_pool": True, "attn_pooler_heads": 2}},
    "bundled": None,
}


@pytest.mark.parametrize("kind", KINDS)
def test_any_model_takes_adapters_that_learn_and_merge_exactly(kind, tmp_path):
    def fresh() -> Towers:
        return open_towers("bundled") if kind == "bundled" else towers_of(KINDS[kind], tmp_path)

    towers, plain = fresh(), fresh()
    picture = torch.randn(2, 3, *towers.preprocessing.size, generator=torch.manual_seed(1))
    if kind == "bundled":
        picture = picture[..., :64, :64]
    tokens = towers.tokenizer(["zorp wug", "a blue dax"])

    def encoded(model) -> torch.Tensor:
        return torch.cat([model.encode_image(picture), model.encode_text(tokens)])

    norms = {k: v.clone() for k, v in towers.model.state_dict().items() if "running" in k}
    adapters = adapt(towers, TuningSettings(rank=2, alpha=4.0))
    with torch.no_grad():
        torch.testing.assert_close(
            encoded(towers.model), encoded(plain.model), rtol=1e-4, atol=1e-4
        )
    learning = {id(p) for a in adapters for p in (a.down, a.up)}
    assert {id(p) for p in towers.model.parameters() if p.requires_grad} == learning
    with torch.no_grad():
        for adapter in adapters:
            adapter.up.normal_(0, 0.02, generator=torch.manual_seed(2))
    encoded(towers.model).square().sum().backward()
    for adapter in adapters:
        assert adapter.down.grad is not None, adapter.parameter
        assert adapter.down.grad.abs().sum() > 0, adapter.parameter
    with torch.no_grad():
        tuned, base = encoded(towers.model), encoded(plain.model)
        with without_adapters(towers.model):
            torch.testing.assert_close(encoded(towers.model), base, rtol=1e-4, atol=1e-4)
        assert (tuned - base).norm() > 0.01 * base.norm()
        merge(plain.model, [adapter.update() for adapter in adapters])
        torch.testing.assert_close(encoded(plain.model), tuned, rtol=1e-3, atol=1e-3)
    for name, before in norms.items():
        after = towers.model.state_dict().get(name)
        if after is not None:
            torch.testing.assert_close(after, before, rtol=0, atol=0)


def test_the_tower_and_the_depth_choose_the_layers(checkpoint):
    def layers(**choice) -> list[str]:
        return layers_to_adapt(open_towers(checkpoint), TuningSettings(**choice))

    image, text = layers(tower="image"), layers(tower="text")
    assert layers() == image + text
    assert all(name.startswith("visual.") for name in image)
    assert not any(name.startswith("visual.") for name in text)
    half = layers(tower="text", depth=0.5)
    assert half == text[len(text) - len(half) :]
    assert len(half) == -(-len(text) // 2)


# Learning.


def test_made_up_words_are_learned(checkpoint):
    torch.manual_seed(5)
    state = torch.get_rng_state()
    tuned = tune(open_towers(checkpoint), planted(), QUICK)
    assert tuned.n_held_out == 20
    assert tuned.before.score[0] < 0.7  # half of the twenty come among the first ten by chance
    assert tuned.before.score[1] < 0.2
    assert tuned.after.score[1] > 0.5
    assert tuned.after.score[0] > 0.95
    assert tuned.after == tuned.epochs[tuned.best - 1].figures
    assert torch.equal(torch.get_rng_state(), state)  # the caller's seed is not spent


def test_what_sells_together_is_learned_from_words_alone(checkpoint):
    longer = replace(QUICK, tower="text", epochs=30, patience=30, together_weight=1.0)
    tuned = tune(open_towers(checkpoint), sold_together(), longer)
    assert tuned.before.text_to_image_r10 is None
    assert tuned.before.together_r10 < 0.2
    assert tuned.after.together_r10 > 0.5
    assert not any(update.parameter.startswith("visual.") for update in tuned.updates)


def test_the_anchor_keeps_general_words_in_place(checkpoint):
    free, held = (
        tune(open_towers(checkpoint), planted(4), replace(QUICK, epochs=4, anchor_weight=weight))
        for weight in (0.0, 10.0)
    )
    assert held.general_cosine > free.general_cosine + 0.02


def test_tuning_that_gains_nothing_gives_nothing(checkpoint):
    tuned = tune(open_towers(checkpoint), planted(2), replace(QUICK, learning_rate=1e-12, epochs=2))
    assert tuned.best == 0
    assert tuned.updates == ()
    assert tuned.after == tuned.before
    assert tuned.general_cosine == 1.0


def test_it_stops_when_patience_ends(checkpoint):
    still = replace(QUICK, learning_rate=1e-12, epochs=9, patience=2)
    assert len(tune(open_towers(checkpoint), planted(2), still).epochs) == 2


@pytest.mark.parametrize("stop", [2, 24, 30])
def test_an_interrupted_tuning_goes_on_to_the_same_end(checkpoint, tmp_path, stop):
    catalogue = replace(planted(5), together=sold_together().together)
    settings_ = replace(QUICK, epochs=6, batch_size=10, together_batch_size=8, rank=2)
    whole = tune(open_towers(checkpoint), catalogue, settings_)
    file = tmp_path / "progress.safetensors"

    def interrupt(done: int, total: int) -> None:
        if done == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(open_towers(checkpoint), catalogue, settings_, checkpoint=file, on_step=interrupt)
    taken = []
    resumed = tune(
        open_towers(checkpoint),
        catalogue,
        settings_,
        checkpoint=file,
        on_step=lambda done, total: taken.append(done),
    )
    assert taken[0] == {2: 1, 24: 25, 30: 26}[stop]
    assert resumed.epochs == whole.epochs
    assert resumed.best == whole.best > 0
    for one, other in zip(resumed.updates, whole.updates, strict=True):
        assert torch.equal(one.down, other.down)
        assert torch.equal(one.up, other.up)


def test_a_checkpoint_of_another_training_is_not_gone_on_from(checkpoint, tmp_path):
    file = tmp_path / "progress.safetensors"
    short = replace(QUICK, epochs=1)
    tune(open_towers(checkpoint), planted(2), short, checkpoint=file)
    for settings_, catalogue in ((replace(short, seed=1), planted(2)), (short, planted(3))):
        steps = []
        tune(
            open_towers(checkpoint),
            catalogue,
            settings_,
            checkpoint=file,
            on_step=lambda done, total, steps=steps: steps.append(done),
        )
        assert steps[0] == 1
    file.write_bytes(b"cut off")
    steps = []
    tune(
        open_towers(checkpoint),
        planted(2),
        short,
        checkpoint=file,
        on_step=lambda done, total: steps.append(done),
    )
    assert steps[0] == 1


# The folder.


@pytest.fixture(scope="module")
def folder(checkpoint, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("tuned") / "zorp"
    path.mkdir()
    towers = open_towers(checkpoint)
    base = Base(checkpoint, fingerprint_of(towers))
    tuned = tune(towers, planted(), QUICK)
    write_tuned(path, base, tuned.updates, {"note": "planted"})
    return path


def copied(folder: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    return copy


def test_a_tuned_folder_opens_as_an_encoder(folder, checkpoint):
    base, tuned = Encoder.open(checkpoint, device="cpu"), Encoder.open(str(folder), device="cpu")
    assert tuned.dim == base.dim
    assert tuned.fingerprint != base.fingerprint
    assert Encoder.open(str(folder)).fingerprint == tuned.fingerprint
    exam = Exam.of(planted(), image_weight=0.35, seed=0)
    assert exam.sit(tuned).score[0] > 0.95 > exam.sit(base).score[0]
    record = json.loads((folder / "encoder.json").read_text())
    assert record["note"] == "planted"
    assert record["base"] == {"encoder": checkpoint, "fingerprint": base.fingerprint}
    assert {name.rpartition(":")[2] for name in load_file(folder / "adapter.safetensors")} == {
        "A",
        "B",
    }


def test_a_tuned_encoder_can_be_tuned_again(folder, tmp_path):
    towers = open_towers(str(folder))
    base = Base(str(folder), fingerprint_of(towers))
    update = Update("text_projection", torch.full((1, 32), 0.1), torch.full((64, 1), 0.1))
    write_tuned(tmp_path, base, [update], {})
    again = open_towers(str(tmp_path))
    expected = open_towers(str(folder)).model.text_projection + 0.1 * 0.1
    torch.testing.assert_close(again.model.text_projection, expected)


def test_opening_needs_no_peft(folder):
    script = (
        "import sys, json, open_clip\n"
        "sys.modules['peft'] = None\n"
        f"open_clip.add_model_config({str(config_of(folder))!r})\n"
        "from encoders import Encoder, EncoderError\n"
        "from encoders.hub import open_towers\n"
        f"encoder = Encoder.open({str(folder)!r}, device='cpu')\n"
        "from encoders.tuning import TuningSettings\n"
        "from encoders.tuning.lora import adapt\n"
        "try:\n"
        f"    adapt(open_towers({str(folder)!r}), TuningSettings())\n"
        "except EncoderError as error:\n"
        "    sys.stdout.write(json.dumps([encoder.fingerprint, str(error)]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    fingerprint, said = json.loads(done.stdout.splitlines()[-1])
    assert fingerprint == Encoder.open(str(folder)).fingerprint
    assert "pip install 'vitrine-rec[tune]'" in said


def config_of(folder: Path) -> Path:
    record = json.loads((folder / "encoder.json").read_text())
    return Path(record["base"]["encoder"].partition(":")[2]).with_name("vitrine-test-tuned.json")


def test_another_base_is_told_of(folder, checkpoint, tmp_path):
    copy = copied(folder, tmp_path)
    weights = load_file(checkpoint.partition(":")[2])
    weights["text_projection"][0, 0] += 1e-3
    save_file(weights, tmp_path / "other.safetensors")
    record = json.loads((copy / "encoder.json").read_text())
    record["base"]["encoder"] = f"vitrine-test-tuned:{tmp_path / 'other.safetensors'}"
    (copy / "encoder.json").write_text(json.dumps(record))
    with pytest.raises(EncoderError, match=r"was tuned on .* but here it has .* open_clip_torch"):
        Encoder.open(str(copy))


def test_a_damaged_folder_says_what_is_wrong(folder, tmp_path):
    copy = copied(folder, tmp_path)
    data = bytearray((copy / "adapter.safetensors").read_bytes())
    data[-1] ^= 1
    (copy / "adapter.safetensors").write_bytes(data)
    with pytest.raises(EncoderError, match="is not the file that encoder"):
        Encoder.open(str(copy))
    (copy / "adapter.safetensors").write_bytes(b"")
    with pytest.raises(EncoderError, match="holds no adapter"):
        Encoder.open(str(copy))
    record = json.loads((copy / "encoder.json").read_text())
    (copy / "encoder.json").write_text(json.dumps(record | {"format": 9}))
    with pytest.raises(EncoderError, match="format 9, expected 1"):
        Encoder.open(str(copy))
    (copy / "encoder.json").write_text("[]")
    with pytest.raises(EncoderError, match="no record of a tuned encoder"):
        Encoder.open(str(copy))


def test_an_update_that_does_not_fit_is_refused(checkpoint):
    model = open_towers(checkpoint).model
    with pytest.raises(EncoderError, match="it has no such weight"):
        merge(model, [Update("no.such", torch.ones(1, 2), torch.ones(2, 1))])
    with pytest.raises(EncoderError, match=r"text_projection \(2, 2\) does not fit"):
        merge(model, [Update("text_projection", torch.ones(1, 2), torch.ones(2, 1))])
