from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from encoders import Encoder, EncoderError
from encoders.probe import probe_picture
from encoders.tuning import Base, Update, write_tuned

SMALL = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}
TEXTS = ["red shoes", "", "a " * 50]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> torch.nn.Module:
    config = tmp_path_factory.mktemp("configs") / "vitrine-test-small.json"
    config.write_text(json.dumps(SMALL))
    open_clip.add_model_config(config)
    torch.manual_seed(0)
    return open_clip.create_model("vitrine-test-small").eval()


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_local_checkpoint_gives_the_models_own_vectors(
    tmp_path: Path, small: torch.nn.Module, suffix: str
) -> None:
    file = tmp_path / f"small{suffix}"
    (save_file if suffix == ".safetensors" else torch.save)(small.state_dict(), file)
    encoder = Encoder.open(f"vitrine-test-small:{file}", device="cpu", precision="float32")
    tokens = open_clip.get_tokenizer("vitrine-test-small")(TEXTS)
    with torch.no_grad():
        expected = small.encode_text(tokens, normalize=True).numpy()
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), expected, atol=1e-5)
    assert encoder.dim == 24
    assert encoder.preprocessing.size == (32, 32)
    assert encoder.encode_images([probe_picture()]).shape == (1, 24)


def test_the_fingerprint_follows_the_weights(tmp_path: Path, small: torch.nn.Module) -> None:
    def fingerprint(weights: dict[str, torch.Tensor], name: str) -> str:
        save_file(weights, tmp_path / name)
        return Encoder.open(f"vitrine-test-small:{tmp_path / name}").fingerprint

    weights = {name: tensor.clone() for name, tensor in small.state_dict().items()}
    first, copy = fingerprint(weights, "a.safetensors"), fingerprint(weights, "b.safetensors")
    weights["text_projection"][0, 0] += 1e-3
    assert first == copy
    assert fingerprint(weights, "c.safetensors") != first


def test_the_folder_of_a_tuned_model_is_a_name(tmp_path: Path, small: torch.nn.Module) -> None:
    file, folder = tmp_path / "small.safetensors", tmp_path / "tuned"
    save_file(small.state_dict(), file)
    folder.mkdir()
    base = Encoder.open(f"vitrine-test-small:{file}", device="cpu", precision="float32")
    down, up = torch.randn(2, 32), torch.randn(32, 2)
    update = Update("transformer.resblocks.0.mlp.c_proj.weight", down.repeat(1, 4), up)
    write_tuned(folder, Base(f"vitrine-test-small:{file}", base.fingerprint), [update], {})
    tuned = Encoder.open(str(folder), device="cpu", precision="float32")
    weights = {name: tensor.clone() for name, tensor in small.state_dict().items()}
    weights[update.parameter] += up @ down.repeat(1, 4)
    save_file(weights, tmp_path / "merged.safetensors")
    merged = Encoder.open(
        f"vitrine-test-small:{tmp_path / 'merged.safetensors'}", device="cpu", precision="float32"
    )
    np.testing.assert_allclose(tuned.encode_texts(TEXTS), merged.encode_texts(TEXTS), atol=1e-5)
    assert len({base.fingerprint, tuned.fingerprint, merged.fingerprint}) == 3


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match="no record of a tuned encoder"):
        Encoder.open(str(tmp_path))


class Bomb:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.file,)


def test_a_checkpoint_is_never_unpickled(tmp_path: Path, small: torch.nn.Module) -> None:
    fired, file = tmp_path / "fired", tmp_path / "bomb.pt"
    file.write_bytes(pickle.dumps(Bomb(fired), protocol=2))
    with pytest.raises(EncoderError, match="does not hold the weights"):
        Encoder.open(f"vitrine-test-small:{file}")
    assert not fired.exists()


def test_weights_of_another_model_are_refused(tmp_path: Path, small: torch.nn.Module) -> None:
    file = tmp_path / "other.safetensors"
    save_file({"logit_scale": torch.zeros(())}, file)
    with pytest.raises(EncoderError, match="does not hold the weights of vitrine-test-small"):
        Encoder.open(f"vitrine-test-small:{file}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("clip", "'clip' is not understood: expected 'bundled'"),
        ("ViT-B-32:", "is not understood"),
        ("VitB32:openai", "no architecture 'VitB32'"),
        ("ViT-B-32:nonsense", "no weights 'nonsense' for ViT-B-32; known: openai"),
        ("ViT-B-32:/no/such.pt", "no such checkpoint file"),
    ],
)
def test_a_wrong_name_says_what_is_known(name: str, message: str) -> None:
    with pytest.raises(EncoderError, match=message):
        Encoder.open(name)


def test_a_hub_out_of_reach_says_how_to_go_on(tmp_path: Path) -> None:
    script = (
        "import encoders\n"
        "try:\n"
        "    encoders.Encoder.open('ViT-B-32:laion2b_s34b_b79k')\n"
        "except encoders.EncoderError as error:\n"
        "    open('said', 'w').write(str(error))\n"
    )
    root = str(Path(__file__).parents[2])
    environment = os.environ | {
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(tmp_path / "empty"),
        "PYTHONPATH": root,
    }
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, env=environment, check=True)
    said = (tmp_path / "said").read_text()
    assert "'laion2b_s34b_b79k' of ViT-B-32" in said
    assert "Offline: copy the checkpoint here and open 'ViT-B-32:/path/to/checkpoint" in said
    assert "'bundled'" in said
