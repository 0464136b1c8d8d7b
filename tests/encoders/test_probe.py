from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from encoders import (
    Encoder,
    Preprocessing,
    Probe,
    ProbeMismatch,
    check_probe,
    dump_probe,
    load_probe,
    take_probe,
)
from encoders.bundled import open_bundled


@pytest.fixture(scope="module")
def probe(bundled: Encoder) -> Probe:
    return take_probe(bundled)


def lying_encoder(**changes: object) -> Encoder:
    """The bundled model with another preprocessing, which claims to have the right one."""
    towers = open_bundled()

    class LyingEncoder(Encoder):
        @property
        def preprocessing(self) -> Preprocessing:
            return towers.preprocessing

    return LyingEncoder(
        replace(towers, preprocessing=replace(towers.preprocessing, **changes)),
        device="cpu",
        precision="float32",
    )


def test_the_same_encoder_passes_in_any_precision(bundled: Encoder, probe: Probe) -> None:
    check_probe(bundled, probe)
    check_probe(Encoder.open(), probe)


@pytest.mark.parametrize(
    "changes",
    [
        {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)},
        {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)},
        {"size": (224, 224)},
        {"resize_mode": "shortest"},
        {"resize_mode": "longest"},
    ],
    ids=["imagenet-normalisation", "no-normalisation", "size", "shortest", "longest"],
)
def test_a_wrong_preprocessing_is_noticed_by_its_vector(
    probe: Probe, changes: dict[str, object]
) -> None:
    with pytest.raises(ProbeMismatch, match="probe picture"):
        check_probe(lying_encoder(**changes), probe)


def test_a_declared_difference_is_noticed(bundled: Encoder, probe: Probe) -> None:
    other = replace(probe.preprocessing, interpolation="bilinear")
    with pytest.raises(ProbeMismatch, match="bilinear"):
        check_probe(bundled, replace(probe, preprocessing=other))


def test_another_sentence_vector_or_width_is_noticed(bundled: Encoder, probe: Probe) -> None:
    with pytest.raises(ProbeMismatch, match=r"cosine .* sentence"):
        check_probe(bundled, replace(probe, text=np.roll(probe.text, 1)))
    with pytest.raises(ProbeMismatch, match="cosine nan"):
        check_probe(bundled, replace(probe, text=np.full_like(probe.text, np.nan)))
    with pytest.raises(ProbeMismatch, match="width 384, expected 3"):
        check_probe(bundled, replace(probe, image=np.ones(3, np.float32)))


def test_dump_and_load_keep_every_bit(tmp_path: Path, probe: Probe) -> None:
    dump_probe(probe, tmp_path / "probe.json")
    loaded = load_probe(tmp_path / "probe.json")
    np.testing.assert_array_equal(loaded.image, probe.image)
    np.testing.assert_array_equal(loaded.text, probe.text)
    assert (loaded.preprocessing, loaded.fingerprint) == (probe.preprocessing, probe.fingerprint)


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"image": [], "preprocessing": {}}'])
def test_a_file_that_is_no_probe_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "probe.json"
    file.write_text(content)
    with pytest.raises(ValueError, match=r"probe\.json is not a probe"):
        load_probe(file)
