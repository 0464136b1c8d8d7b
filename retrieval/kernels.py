"""Compiled loops: what a request asks of its few hundred candidates, without a call for each step.

A request's arrays are short, so that NumPy spends more on calls than on sums. Kernels are compiled
when they are first called, which takes seconds, and kept on disk beside the code (or in the user's
cache where that cannot be written).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile a function of arrays and numbers.

    NaN keeps its meaning, sums their order, and other threads run meanwhile.
    """
    return cast(F, numba.njit(cache=True, nogil=True)(function))
