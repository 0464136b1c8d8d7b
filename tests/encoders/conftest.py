from __future__ import annotations

import pytest

from encoders import Encoder
from encoders.bundled import open_unlearned


@pytest.fixture(scope="session")
def bundled() -> Encoder:
    return Encoder.open("bundled", device="cpu", precision="float32")


@pytest.fixture(scope="session")
def unlearned() -> Encoder:
    """The bundled model before training: its head in closed form, its words plain MiniLM."""
    return Encoder(open_unlearned(), device="cpu", precision="float32")
