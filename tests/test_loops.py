"""The two nonlinearities inside the compiled loops."""

import numpy as np
import pytest

from rnnviz.loops import Array, loop, sigmoid, tanh


@loop
def _each(x: Array, squashed: Array, opened: Array) -> None:
    for k in range(x.size):
        squashed[k] = tanh(x[k])
        opened[k] = sigmoid(x[k])


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 6e-7), (np.float64, 4e-16)])
def test_tanh_and_sigmoid_are_what_they_say_everywhere(dtype: type, tolerance: float) -> None:
    x = np.concatenate([np.linspace(-30, 30, 600_001), [0, -0.0, 1e-30, -1e-30, 1e30, -1e30, np.inf, -np.inf]]).astype(
        dtype
    )
    squashed, opened = np.empty_like(x), np.empty_like(x)
    _each(x, squashed, opened)
    exact = x.astype(np.float64)
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(squashed, np.tanh(exact), rtol=0, atol=tolerance)
        np.testing.assert_allclose(opened, 1 / (1 + np.exp(-exact)), rtol=0, atol=tolerance)
    small = np.abs(exact) < 1e-3
    np.testing.assert_allclose(squashed[small], np.tanh(exact[small]), rtol=4e-7)
