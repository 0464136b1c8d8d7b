"""Compiled loops: what a request asks of its few hundred candidates, without a call for each step.

A request's arrays are short, so that NumPy spends more on calls than on sums. Kernels are compiled
when they are first called, which takes seconds, and kept on disk beside the code (or in the user's
cache where that cannot be written). What is kept is made anew when its own file changes, and no
other: a kernel stands in one file with the kernels that it calls, and with the constants that it
reads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile a function of arrays and numbers.

    NaN keeps its meaning, sums their order, a division by zero is no error, and other threads run
    meanwhile. Bounds are not checked.
    """
    try:
        return cast(F, numba.njit(cache=True, nogil=True, error_model="numpy")(function))
    except RuntimeError:  # no folder to keep it in can be written
        return cast(F, numba.njit(nogil=True, error_model="numpy")(function))
