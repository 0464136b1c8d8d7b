from __future__ import annotations

import pytest

from encoders import Encoder


@pytest.fixture(scope="session")
def bundled() -> Encoder:
    return Encoder.open("bundled", device="cpu", precision="float32")
