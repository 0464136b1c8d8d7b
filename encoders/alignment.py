r"""Placing pictures among words, in closed form, from a classifier's own class names.

No picture is needed: an ImageNet classifier already says which words a picture deserves. With
features f [1280], the classifier's probabilities p(f) [1000], its weight rows W [1000, 1280],
and the centred vectors T [1000, D] of the class names (mean t), a picture goes to

    normalise(p(f) T)  +  detail * normalise((f - m) M)  +  t

The first term is ConSE (Norouzi et al. 2013, arXiv:1312.5650): what the picture shows, said in
class names. It forgets what two pictures of one class do not share, so the second term keeps a
linear image of the features, where M [1280, D] is the ridge regression from weight rows to name
vectors, ``M = W' (W W' + ridge s I)^-1 T``, with s the mean squared length of a centred row,
and m is the mean feature that the last batch normalisation implies. The third term moves
pictures to where the words are.

The name vectors are shipped as `class_vectors.safetensors`, so that opening is quick and exact
on every machine; :func:`write_class_vectors` makes the file anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from encoders.base import Float32

CLASS_VECTORS = Path(__file__).parent / "class_vectors.safetensors"

DETAIL = 0.75
RIDGE = 1.0


@dataclass(frozen=True, slots=True)
class Classifier:
    """The end of a convolutional classifier.

    Attributes:
        weight: W, ``[classes, F]`` float32.
        bias: ``[classes]`` float32.
        norm_scale: Scale of the batch normalisation before the pooling, ``[F]``.
        norm_shift: Its shift, ``[F]``.
    """

    weight: Tensor
    bias: Tensor
    norm_scale: Tensor
    norm_shift: Tensor


class AlignedHead(nn.Module):
    """Pooled image features to the space of words, as the module's docstring says.

    Shapes:
        - input ``[B, F]`` float
        - output ``[B, D]`` float, not normalised
    """

    def __init__(self, classifier: Classifier, names: Tensor) -> None:
        """Solve for the head.

        Args:
            classifier: What the image tower was trained to tell apart.
            names: Unit vectors of the class names, ``[classes, D]`` float32.
        """
        super().__init__()
        centre = names.mean(dim=0)
        projection = ridge_projection(classifier.weight, names - centre)
        mean = mean_relu6(classifier.norm_scale, classifier.norm_shift)
        self.classify = _frozen_linear(classifier.weight, classifier.bias)
        self.name = _frozen_linear((names - centre).T)
        self.look = _frozen_linear(projection.T, -(mean @ projection))
        self.register_buffer("centre", centre)
        self.centre: Tensor

    def forward(self, features: Tensor) -> Tensor:
        """Map features ``[B, F]`` to rows ``[B, D]``."""
        probabilities = self.classify(features).softmax(dim=-1)  # [B, classes]
        meaning = nn.functional.normalize(self.name(probabilities), dim=-1)
        look = nn.functional.normalize(self.look(features), dim=-1)
        return meaning + DETAIL * look + self.centre


def ridge_projection(weight: Tensor, targets: Tensor, *, ridge: float = RIDGE) -> Tensor:
    """Ridge regression from a classifier's rows to vectors, in its dual form.

    Args:
        weight: W, ``[classes, F]``; centred here, since a softmax ignores what rows share.
        targets: Centred T, ``[classes, D]``.
        ridge: Penalty, relative to the mean squared length of a row.

    Returns:
        M, ``[F, D]`` float32.
    """
    rows = weight.double() - weight.double().mean(dim=0)
    scale = rows.square().sum(dim=1).mean()
    gram = rows @ rows.T / scale
    gram.diagonal().add_(ridge)
    projection: Tensor = rows.T @ torch.linalg.solve(gram, targets.double()) / scale
    return projection.float()


def mean_relu6(scale: Tensor, shift: Tensor) -> Tensor:
    r"""Mean of ``min(max(x, 0), 6)`` for ``x ~ N(shift, scale^2)``, elementwise.

    Batch normalisation leaves each channel with that mean and spread over the training
    pictures, so this is the mean feature of ImageNet, without a picture of it.
    """
    spread = scale.abs().double().clamp_min(1e-12)
    low, high = -shift / spread, (6 - shift) / spread
    density = torch.exp(-low.square() / 2) - torch.exp(-high.square() / 2)
    inside = torch.special.ndtr(high) - torch.special.ndtr(low)
    above = torch.special.ndtr(-high)
    mean: Tensor = spread * density / (2 * torch.pi) ** 0.5 + shift * inside + 6 * above
    return mean.float()


def class_sentences() -> list[tuple[str, ...]]:
    """How each ImageNet class is described: its name, a caption, and WordNet's definition."""
    from open_clip import IMAGENET_CLASSNAMES  # type: ignore[import-untyped]
    from timm.data.imagenet_info import ImageNetInfo

    wordnet = ImageNetInfo("imagenet-1k")
    return [
        (name, f"a photo of a {name}.", wordnet.index_to_description(row, detailed=True))
        for row, name in enumerate(IMAGENET_CLASSNAMES)
    ]


def describe_classes(
    sentences: Sequence[tuple[str, ...]], encode: Callable[[Sequence[str]], Float32]
) -> Float32:
    """Unit mean of each class's sentence vectors, ``[classes, D]`` float32."""
    flat = encode([sentence for group in sentences for sentence in group])
    ends = np.cumsum([len(group) for group in sentences])
    sums = np.add.reduceat(flat, np.concatenate(([0], ends[:-1])), axis=0)
    unit: Float32 = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    return unit


def load_class_vectors() -> Tensor:
    """The shipped vectors of the 1,000 ImageNet class names, ``[1000, 384]`` float32."""
    return load_file(CLASS_VECTORS)["names"].float()


def write_class_vectors() -> None:
    """Make `class_vectors.safetensors` anew with the bundled text tower before training."""
    from encoders.bundled import open_unlearned
    from encoders.openclip import Encoder

    encoder = Encoder(open_unlearned(), device="cpu", precision="float32")
    vectors = describe_classes(class_sentences(), encoder.encode_texts)
    save_file({"names": torch.from_numpy(vectors).half()}, CLASS_VECTORS)


def _frozen_linear(weight: Tensor, bias: Tensor | None = None) -> nn.Linear:
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
    tensors = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    linear.load_state_dict(contiguous, assign=True)
    linear.requires_grad_(False)
    return linear
