"""Random views of pictures, a batch at a time, on tensors."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

_WHITE = 0.93


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far a view may stray from its picture.

    Attributes:
        zoom: Least share of a side that stays visible; 1 keeps the whole picture.
        shrink: Largest factor by which the picture may be made smaller than the view.
        degrees: Largest rotation either way.
        stretch: Largest ratio of the two sides' scales.
        jitter: Largest change of brightness, contrast and saturation, as a share.
        ground: Probability that a white ground is replaced by another picture.
    """

    zoom: float
    shrink: float
    degrees: float
    stretch: float
    jitter: float
    ground: float


NOTHING = Augmentation(zoom=1, shrink=1, degrees=0, stretch=1, jitter=0, ground=0)


def random_views(
    pictures: Tensor,
    size: int,
    augmentation: Augmentation,
    generator: torch.Generator,
    grounds: Tensor | None = None,
) -> Tensor:
    """One random view of each picture.

    Shapes:
        - pictures ``[B, 3, h, w]`` uint8
        - grounds ``[G, 3, h', w']`` uint8, what a white ground may be replaced by
        - returns ``[B, 3, size, size]`` float32 in [0, 1]
    """
    sources = pictures.float() / 255
    grid = _grid(len(sources), size, augmentation, generator)
    views = functional.grid_sample(
        sources, grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    if grounds is not None and augmentation.ground > 0:
        mask = functional.grid_sample(
            _thing_mask(sources), grid, mode="bilinear", align_corners=False
        )
        replace = _uniform(len(sources), generator, 0, 1) < augmentation.ground
        thing = torch.where(replace[:, None, None, None], mask, torch.ones_like(mask))
        other = _random_grounds(grounds, len(sources), size, generator)
        views = views * thing + other * (1 - thing)
    return _jitter(views, augmentation.jitter, generator).clamp_(0, 1)


def _grid(batch: int, size: int, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    scale = _uniform(batch, generator, augmentation.zoom, augmentation.shrink)
    stretch = torch.exp(
        _uniform(batch, generator, -1, 1) * 0.5 * torch.tensor(augmentation.stretch).log()
    )
    flip = torch.where(_uniform(batch, generator, 0, 1) < 0.5, -1.0, 1.0)
    if augmentation == NOTHING:
        flip = torch.ones(batch)
    angle = _uniform(batch, generator, -1, 1) * augmentation.degrees * torch.pi / 180
    wide, high = scale * stretch, scale / stretch
    # A crop moves within the picture, a shrunk picture within the view.
    play = (1 - torch.stack([wide, high], dim=1)).abs()
    shift = (torch.rand(batch, 2, generator=generator) * 2 - 1) * play
    cos, sin = angle.cos(), angle.sin()
    matrix = torch.stack(
        [
            torch.stack([flip * wide * cos, -wide * sin, shift[:, 0]], dim=1),
            torch.stack([flip * high * sin, high * cos, shift[:, 1]], dim=1),
        ],
        dim=1,
    )
    return functional.affine_grid(matrix, [batch, 3, size, size], align_corners=False)


def _thing_mask(sources: Tensor) -> Tensor:
    """Where a picture differs from its white ground, ``[B, 1, h, w]`` in [0, 1], soft-edged."""
    darkest = sources.amin(dim=1, keepdim=True)
    mask = (darkest < _WHITE).float()
    # Holes inside a white shirt belong to it: closing fills what is narrower than the kernel.
    closed = functional.max_pool2d(mask, 9, stride=1, padding=4)
    closed = 1 - functional.max_pool2d(1 - closed, 9, stride=1, padding=4)
    return functional.avg_pool2d(closed, 3, stride=1, padding=1)


def _random_grounds(grounds: Tensor, count: int, size: int, generator: torch.Generator) -> Tensor:
    rows = torch.randint(len(grounds), (count,), generator=generator)
    crop = Augmentation(zoom=0.2, shrink=0.8, degrees=90, stretch=1.5, jitter=0.4, ground=0)
    grid = _grid(count, size, crop, generator)
    found = functional.grid_sample(
        grounds[rows].float() / 255, grid, padding_mode="reflection", align_corners=False
    )
    plain = torch.rand(count, 3, 1, 1, generator=generator)
    share = _uniform(count, generator, 0, 1)[:, None, None, None]
    return found * share + plain * (1 - share)


def _jitter(views: Tensor, most: float, generator: torch.Generator) -> Tensor:
    if most <= 0:
        return views
    batch = len(views)
    brightness, contrast, saturation = (
        1 + most * _uniform(batch, generator, -1, 1)[:, None, None, None] for _ in range(3)
    )
    views = views * brightness
    mean = views.mean(dim=(1, 2, 3), keepdim=True)
    views = (views - mean) * contrast + mean
    grey = views.mean(dim=1, keepdim=True)
    return (views - grey) * saturation + grey


def _uniform(count: int, generator: torch.Generator, low: float, high: float) -> Tensor:
    return low + (high - low) * torch.rand(count, generator=generator)
