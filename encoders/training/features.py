"""What the front of the picture tower, which never changes, makes of many views: kept on disk.

One view of one picture is one float16 record, so training on it again costs a read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from encoders.base import Preprocessing
from encoders.training.augment import Augmentation, random_views

_BATCH = 64

Front = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Views:
    """How many views of each picture are kept, and of which kind.

    Attributes:
        kinds: An augmentation per view.
        size: Side of a view, in pixels.
        source_side: Pictures are brought to this square first; 0 keeps the size they have.
        seed: Of the random views.
    """

    kinds: tuple[Augmentation, ...]
    size: int
    source_side: int
    seed: int


def front_features(
    pictures: Sequence[bytes],
    views: Views,
    front: Front,
    preprocessing: Preprocessing,
    folder: Path,
    *,
    grounds: Tensor | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> NDArray[np.float16]:
    """Features of every view of every picture, ``[n, V, C, h, w]`` float16, memory-mapped.

    What an interrupted call finished is found again.

    Args:
        pictures: n files, as bytes.
        views: V kinds of view.
        front: Maps ``[B, 3, size, size]`` to ``[B, C, h, w]``.
        preprocessing: Its mean and deviation.
        folder: Where the features are kept.
        grounds: Pictures to be put behind things, ``[G, 3, h', w']`` uint8.
        on_progress: Told views done, and in all.
    """
    shape = (len(pictures), len(views.kinds), *_feature_shape(front, views.size))
    path = folder / f"{_key(pictures, views)}.npy"
    state = path.with_suffix(".json")
    done = json.loads(state.read_text())["done"] if state.exists() else 0
    folder.mkdir(parents=True, exist_ok=True)
    mode = "r+" if path.exists() and state.exists() else "w+"
    kept = np.lib.format.open_memmap(path, mode=mode, dtype=np.float16, shape=shape)
    mean, std = (
        torch.tensor(values).view(1, 3, 1, 1) for values in (preprocessing.mean, preprocessing.std)
    )
    for start in range(done, len(pictures), _BATCH):
        some = pictures[start : start + _BATCH]
        sources = load_pictures(some, views.source_side)
        for row, kind in enumerate(views.kinds):
            generator = torch.Generator().manual_seed(hash((views.seed, start, row)) % 2**63)
            seen = (random_views(sources, views.size, kind, generator, grounds) - mean) / std
            features = front(seen.to(memory_format=torch.channels_last))
            kept[start : start + len(some), row] = features.half().numpy()
        if on_progress is not None:
            on_progress((start + len(some)) * len(views.kinds), len(pictures) * len(views.kinds))
        if start // _BATCH % 20 == 19:
            kept.flush()
            state.write_text(json.dumps({"done": start + len(some)}))
    kept.flush()
    state.write_text(json.dumps({"done": len(pictures)}))
    return kept


def load_pictures(pictures: Sequence[bytes], side: int) -> Tensor:
    """Decode files to one ``[n, 3, h, w]`` uint8; a side of 0 takes the first picture's size."""
    with Image.open(BytesIO(pictures[0])) as first:
        size = (side, side) if side else first.size

    def load(data: bytes) -> NDArray[np.uint8]:
        with Image.open(BytesIO(data)) as picture:
            rgb = picture.convert("RGB")
        if rgb.size != size:
            rgb = rgb.resize(size, Image.Resampling.BICUBIC)
        return np.asarray(rgb).transpose(2, 0, 1)

    with ThreadPoolExecutor(4) as pool:
        return torch.from_numpy(np.stack(list(pool.map(load, pictures))))


def front_of(trunk: nn.Module, blocks: int) -> Front:
    """The first stages of a timm EfficientNet, in half precision where the CPU is made for it."""
    stem = nn.Sequential(trunk.conv_stem, trunk.bn1, *list(trunk.blocks)[:blocks]).eval()  # type: ignore[arg-type]

    @torch.inference_mode()
    def front(batch: Tensor) -> Tensor:
        with torch.autocast(batch.device.type, dtype=torch.float16):
            return stem(batch).float()  # type: ignore[no-any-return]

    return front


def _feature_shape(front: Front, size: int) -> tuple[int, ...]:
    return tuple(front(torch.zeros(1, 3, size, size)).shape[1:])


def _key(pictures: Sequence[bytes], views: Views) -> str:
    digest = hashlib.sha256(json.dumps(asdict(views), sort_keys=True).encode())
    for picture in pictures:
        digest.update(hashlib.sha256(picture).digest())
    return digest.hexdigest()[:16]
