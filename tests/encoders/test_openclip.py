from __future__ import annotations

import copy
from dataclasses import asdict, replace
from io import BytesIO
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image, ImageFilter
from torch import Tensor, nn

from encoders import Encoder, Preprocessing
from encoders.base import ResizeMode
from encoders.batches import _room_in, free_memory, picture_batch, run_halving
from encoders.bundled import open_bundled
from encoders.inference import EXACT, Formats, lay_out, quick_formats
from encoders.prepare import prepare_picture, scale_pixels
from encoders.towers import Towers

CPU = torch.device("cpu")
HOW = Preprocessing(
    (48, 48), (0.48, 0.46, 0.41), (0.27, 0.26, 0.28), resize_mode="shortest", fill_color=255
)
SIZES = [(48, 48), (60, 40), (40, 60), (97, 61), (51, 140), (9, 7), (1, 1), (144, 96), (333, 999)]


def photo(size: tuple[int, int], seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (max(2, size[1] // 9), max(2, size[0] // 9), 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size).filter(ImageFilter.GaussianBlur(1))


def file_of(picture: Image.Image, kind: str) -> bytes:
    file = BytesIO()
    picture.save(file, kind, quality=95)
    return file.getvalue()


def theirs(picture: Image.Image, how: Preprocessing) -> Tensor:
    transform = image_transform_v2(PreprocessCfg(**asdict(how)), is_train=False)
    tensor: Tensor = transform(picture)
    return tensor


def ours(data: bytes, how: Preprocessing) -> Tensor:
    return scale_pixels(torch.from_numpy(prepare_picture(data, how)[None]), how)[0]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("shape", [(48, 48), (32, 56)], ids=str)
@pytest.mark.parametrize("mode", ["shortest", "longest", "squash"])
def test_pictures_are_prepared_as_open_clip_prepares_them(
    size: tuple[int, int], shape: tuple[int, int], mode: ResizeMode
) -> None:
    how = replace(HOW, size=shape, resize_mode=mode)
    picture = photo(size)
    got, wanted = ours(file_of(picture, "PNG"), how), theirs(picture, how)
    assert got.shape == (3, *shape)
    off = (got - wanted).abs() * torch.tensor(how.std).view(3, 1, 1) * 255  # in grey levels
    averaged = max(size[0] / shape[1], size[1] / shape[0]) >= 6  # First, and only then resampled.
    assert off.max() < (13 if averaged else 2.01)
    assert off.mean() < (0.6 if averaged else 0.1)


def test_scaling_is_subtracting_the_mean_and_dividing_by_the_deviation() -> None:
    pixels = np.array([[[[0, 51, 255], [102, 204, 153]]]], np.uint8)
    how = Preprocessing((1, 2), mean=(0.5, 0.2, 0.0), std=(0.25, 0.5, 1.0))
    expected = [[[-2.0, -0.4]], [[0.0, 1.2]], [[1.0, 0.6]]]
    got = scale_pixels(torch.from_numpy(pixels), how)
    torch.testing.assert_close(got, torch.tensor([[row for row in expected]]).view(1, 3, 1, 2))
    assert got.is_contiguous(memory_format=torch.channels_last)


def test_a_large_photo_is_reduced_while_it_is_unpacked(bundled: Encoder) -> None:
    picture = photo((1500, 1100), seed=4)
    data = file_of(picture, "JPEG")
    how = bundled.preprocessing
    exact = theirs(Image.open(BytesIO(data)), how)
    pixels = np.stack([prepare_picture(data, how)])
    whole = ((exact * 0.5 + 0.5) * 255).round().byte().permute(1, 2, 0)[None].numpy()
    cosine = (bundled.encode_prepared(pixels) * bundled.encode_prepared(whole)).sum()
    assert cosine > 0.999


def test_prepared_pictures_of_another_size_are_named(bundled: Encoder) -> None:
    with pytest.raises(ValueError, match=r"uint8 \(2, 7, 7, 3\), expected uint8 \(n, \d+, \d+, 3"):
        bundled.encode_prepared(np.zeros((2, 7, 7, 3), np.uint8))
    with pytest.raises(ValueError, match="float32"):
        bundled.encode_prepared(np.zeros((1, *bundled.preprocessing.size, 3), np.float32))


def test_the_quick_layout_gives_the_same_rows_and_leaves_the_model_alone() -> None:
    towers = open_bundled()
    before = copy.deepcopy(towers.model.state_dict())
    norms = [module for module in towers.model.modules() if isinstance(module, nn.BatchNorm2d)]
    exact = lay_out(towers, CPU, "float32")
    quick = lay_out(towers, CPU, "auto")
    assert exact.model is towers.model
    assert not any(isinstance(module, nn.BatchNorm2d) for module in quick.model.modules())
    assert norms == [m for m in towers.model.modules() if isinstance(m, nn.BatchNorm2d)]
    for name, tensor in towers.model.state_dict().items():
        assert tensor.dtype == before[name].dtype
        assert torch.equal(tensor, before[name])
    pictures = torch.stack(
        [theirs(photo((300, 200), seed), towers.preprocessing) for seed in (1, 2)]
    )
    words = torch.tensor([[101, 2417, 6007, 102], [101, 3712, 2522, 102]])
    with torch.inference_mode():
        seen = exact.encode_pictures(pictures), quick.encode_pictures(pictures)
        read = exact.encode_words(words), quick.encode_words(words)
    assert torch.cosine_similarity(*seen).min() > 0.9998
    assert torch.cosine_similarity(*read).min() > 0.9998
    assert quick.formats == quick_formats(CPU)


@pytest.mark.parametrize("architecture", ["RN50", "ViT-B-32"])
def test_other_towers_in_every_format(architecture: str) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = open_clip.get_model_config(architecture)
        config["vision_cfg"] |= (
            {"layers": [1, 1, 1, 1], "width": 16}
            if architecture == "RN50"
            else {
                "layers": 2,
                "width": 128,
            }
        )
        config["text_cfg"] |= {"layers": 2, "width": 128, "heads": 2}
        model = open_clip.CLIP(**config).eval().requires_grad_(False)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_var.uniform_(0.5, 2.0)
                module.running_mean.normal_()
    towers = towers_of(model, (224, 224))
    quick = lay_out(towers, CPU, "auto")
    picture = theirs(photo((224, 224)), towers.preprocessing)[None]
    words = towers.tokenizer(["a red shoe", "milk"])
    with torch.inference_mode():
        seen = model.encode_image(picture), quick.encode_pictures(picture)
        read = model.encode_text(words), quick.encode_words(words)
    assert quick.model is not model
    assert torch.cosine_similarity(*seen).item() > 0.999
    assert torch.cosine_similarity(*read).min() > 0.999
    assert not any(isinstance(module, nn.BatchNorm2d) for module in quick.model.modules())


class Misleading(nn.Module):
    """Its batch norm is registered after a convolution, and comes before it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.norm = nn.BatchNorm2d(3)
        self.norm.running_mean.copy_(torch.tensor([3.0, -2.0, 1.0]))
        self.norm.running_var.copy_(torch.tensor([0.1, 4.0, 1.0]))

    def forward(self, picture: Tensor) -> Tensor:
        return self.conv(self.norm(picture).relu()).flatten(1)


class SmallModel(nn.Module):
    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual = visual

    def encode_image(self, image: Tensor) -> Tensor:
        tensor: Tensor = self.visual(image)
        return tensor

    def encode_text(self, text: Tensor) -> Tensor:
        return text.float()


def towers_of(model: nn.Module, size: tuple[int, int] = (48, 48)) -> Towers:
    tokenizer = open_clip.get_tokenizer("ViT-B-32")
    return Towers(model, tokenizer, replace(HOW, size=size), dim=1, weights_hash="")


def test_a_model_that_the_layout_would_change_runs_as_it_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = SmallModel(Misleading()).eval().requires_grad_(False)
    kept = lay_out(towers_of(model), CPU, "auto")
    assert kept.model is model
    assert kept.formats == EXACT
    assert "gives other vectors" in caplog.text


def test_without_hardware_for_16_bits_numbers_stay_in_32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
    assert quick_formats(CPU) == EXACT
    old_intel = {"amx_bf16": True}
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: old_intel, raising=False)
    assert quick_formats(CPU) == Formats(torch.float32, torch.bfloat16)


def test_a_batch_that_exceeds_the_gpu_goes_in_halves() -> None:
    sizes = []

    def run(batch: Tensor) -> np.ndarray:
        sizes.append(len(batch))
        if len(batch) > 3:
            raise torch.cuda.OutOfMemoryError("no room")
        rows: np.ndarray = 2 * batch.numpy()
        return rows

    got = run_halving(run, torch.arange(11.0))
    np.testing.assert_array_equal(got, 2 * np.arange(11.0))
    assert sizes == [11, 5, 2, 3, 6, 3, 3]
    with pytest.raises(torch.cuda.OutOfMemoryError):
        run_halving(lambda _: run(torch.zeros(9)), torch.zeros(1))


def test_batches_shrink_with_the_input_and_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    each = 3 * 4 * 48 * 48 * 64
    for room, expected in ((4 * each * 7, 7), (4 * each * 7 - 4, 6), (0, 1), (1 << 50, 32)):
        monkeypatch.setattr("encoders.batches.free_memory", lambda _, room=room: room)
        assert picture_batch(CPU, HOW) == expected


@pytest.mark.parametrize(
    ("names", "limit", "expected"),
    [
        (("memory.max", "memory.current"), "1000", 1000 - 700 + 250),
        (("memory.max", "memory.current"), "max", None),
        (("memory.limit_in_bytes", "memory.usage_in_bytes"), "800", 800 - 700 + 250),
    ],
)
def test_a_container_s_memory_counts(
    tmp_path: Path, names: tuple[str, str], limit: str, expected: int | None
) -> None:
    assert _room_in(tmp_path) is None
    (tmp_path / names[0]).write_text(f"{limit}\n")
    (tmp_path / names[1]).write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 450\ninactive_file 250\n")
    assert _room_in(tmp_path) == expected
    assert free_memory(CPU) > 0
