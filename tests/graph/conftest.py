"""Fixtures of the graph tests."""

from __future__ import annotations

import pytest
import torch
from planted_shop import Shop, make_shop


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shop() -> Shop:
    return make_shop()
