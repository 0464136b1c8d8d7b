"""What training added to the bundled towers: one small file, put in place on opening.

The file holds float16 tensors under four prefixes: ``tail.`` (the last stages of the picture
tower), ``head.`` (:class:`encoders.heads.PictureHead` without its closed-form part),
``projection.`` (after the text tower) and ``lora.`` (low-rank updates of the text tower,
``W + B A``; Hu et al. 2021, arXiv:2106.09685).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from encoders.base import EncoderError
from encoders.low_rank import Update, merge

if TYPE_CHECKING:
    from collections.abc import Mapping

LEARNED = Path(__file__).parent / "model_configs" / "vitrine-lite0-minilm.safetensors"

FRONT_BLOCKS = 5
"""How many stages of the picture tower stay as their package gives them."""


def load_learned(
    file: Path, *, trunk: nn.Module, head: nn.Module, projection: nn.Module, text: nn.Module
) -> None:
    """Put learned tensors into the modules of a bundled model.

    Args:
        file: What :mod:`encoders.training` wrote.
        trunk: The picture tower, a timm EfficientNet.
        head: A :class:`encoders.heads.PictureHead`.
        projection: After the text tower.
        text: The text tower.

    Raises:
        EncoderError: The file is missing, is no such file, or fits another model.
    """
    try:
        found = {name: tensor.float() for name, tensor in load_file(file).items()}
        _load_tail(trunk, _under("tail.", found))
        head.load_state_dict(_under("head.", found) | _aligned(head), strict=True)
        projection.load_state_dict(_under("projection.", found), strict=True)
        add_low_rank(text, _under("lora.", found))
    except (OSError, SafetensorError, KeyError, RuntimeError, AttributeError) as error:
        raise EncoderError(
            f"{file} does not hold what was learned for this model: {error}"
        ) from error


def add_low_rank(tower: nn.Module, updates: Mapping[str, Tensor]) -> None:
    """Add ``B A`` to the weights of linear layers, in place.

    Args:
        tower: Holds the layers.
        updates: For every layer ``NAME.A`` ``[rank, inputs]`` and ``NAME.B`` ``[outputs, rank]``.
    """
    names = sorted({key.rpartition(".")[0] for key in updates})
    merge(tower, [Update(f"{n}.weight", updates[f"{n}.A"], updates[f"{n}.B"]) for n in names])


def _load_tail(trunk: nn.Module, tensors: dict[str, Tensor]) -> None:
    state = trunk.state_dict()
    for name, tensor in tensors.items():
        first, _, rest = name.partition(".")
        if first == "blocks":
            stage, _, rest = rest.partition(".")
            name = f"blocks.{int(stage) + FRONT_BLOCKS}.{rest}"
        if state[name].shape != tensor.shape:
            raise KeyError(f"{name} is {tuple(tensor.shape)}, not {tuple(state[name].shape)}")
        state[name] = tensor
    trunk.load_state_dict(state, strict=True)


def _aligned(head: nn.Module) -> dict[str, Tensor]:
    return {name: t for name, t in head.state_dict().items() if name.startswith("aligned.")}


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
