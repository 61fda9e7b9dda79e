"""What the cells' compiled passes share: how loops are compiled, and the two nonlinearities inside them.

A pass is a loop over time around one matrix product and one sweep over contiguous memory. Interpreted, most of its time
goes into calling operations on arrays of a thousand numbers; compiled, a sweep is a few microseconds of vector code.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numba.core import types
from numba.extending import overload

F = TypeVar("F", bound=Callable[..., Any])
Array = np.ndarray[Any, Any]


def loop(function: F) -> F:
    """Compile for float32 and float64 on first use, kept on disk beside the source; other threads run meanwhile.

    Sums may be reordered and contracted, but not-a-number and infinity keep their meaning: a diverging run must be seen.
    The numpy error model drops the test for division by zero that would keep LLVM from vectorising.
    """
    compiled: Any = numba.njit(
        cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz", "arcp"}
    )(function)
    return cast(F, compiled)


def tanh(x: float) -> float:
    """Hyperbolic tangent inside a compiled loop; exact in float64, within 1e-6 in float32."""
    return math.tanh(x)


# In float32 the tangent is x P(x^2) / Q(x^2) on [-7.9, 7.9], outside which it is 1 to the last bit. It vectorises, where a
# call of the C library's function does not. Coefficients, ascending: our own least-maximum fit; the test states the error.
BOUND = np.float32(7.9)
P0, P1, P2, P3, P4 = map(np.float32, (0.999999808, 0.127209529, 0.00270523364, 7.22925824e-06, -6.26348893e-09))
Q1, Q2, Q3 = map(np.float32, (0.460541309, 0.0228877831, 0.000197882399))
ONE = np.float32(1)


@overload(tanh, inline="always", strict=False)
def _tanh(x: types.Float) -> Callable[[Any], Any]:
    if x != types.float32:
        return lambda x: math.tanh(x)

    def rational(x: Any) -> Any:
        x = min(max(x, -BOUND), BOUND)
        s = x * x
        odd = ((((P4 * s + P3) * s + P2) * s + P1) * s + P0) * x
        even = ((Q3 * s + Q2) * s + Q1) * s + ONE
        return odd / even

    return rational


def sigmoid(x: float) -> float:
    """Logistic function inside a compiled loop."""
    return 0.5 + 0.5 * tanh(0.5 * x)


@overload(sigmoid, inline="always", strict=False)
def _sigmoid(x: types.Float) -> Callable[[Any], Any]:
    if x != types.float32:
        return lambda x: (
            1 / (1 + math.exp(-x))
        )  # half the time of a tangent, and right to the last bit where it vanishes
    half = np.float32(0.5)
    return lambda x: half + half * tanh(half * x)
