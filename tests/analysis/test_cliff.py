import numpy as np
import pytest
import torch

from rnnviz import RnnvizError
from rnnviz.analysis.cliff import FIRST, STEPS, WANTED, descend, unit_error


@pytest.mark.parametrize(("w", "b"), [(6.0, -2.5), (4.5, -2.3), (2.0, 0.0), (-3.0, 1.0)])
def test_the_error_and_its_gradient_are_those_of_autograd(w: float, b: float) -> None:
    both = torch.tensor([w, b], dtype=torch.float64, requires_grad=True)
    x = torch.tensor(FIRST, dtype=torch.float64)
    for _ in range(STEPS):
        x = both[0] * torch.sigmoid(x) + both[1]
    error = (torch.sigmoid(x) - WANTED) ** 2
    error.backward()
    found, gradient = unit_error(w, b)
    assert found == pytest.approx(error.item())
    np.testing.assert_allclose(gradient, both.grad, rtol=1e-9)


def test_there_is_a_wall() -> None:
    w, b = np.linspace(2, 8, 121), np.linspace(-4, 0, 81)
    error, gradient = unit_error(w, b[:, None])
    norms = np.linalg.norm(gradient, axis=-1)
    assert error.shape == norms.shape == (81, 121)
    assert norms.max() > 100 * np.median(norms)


def test_clipping_shortens_long_gradients_and_leaves_the_others() -> None:
    plain, cut = descend(6, -2.5, 3, 0, 60), descend(6, -2.5, 3, 0.2, 60)
    np.testing.assert_array_equal(plain.norms, plain.clipped)
    np.testing.assert_array_equal(cut.clipped, np.minimum(cut.norms, 0.2))
    moved = np.linalg.norm(np.diff(cut.path, axis=0), axis=1)
    np.testing.assert_allclose(moved, 3 * cut.clipped, rtol=1e-9, atol=1e-12)
    assert np.linalg.norm(np.diff(plain.path, axis=0), axis=1).max() > 10, "thrown off the wall"
    assert cut.errors[-1] < plain.errors[-1]
    assert cut.errors[-1] == unit_error(*cut.path[-1])[0]


def test_numbers_are_checked() -> None:
    with pytest.raises(RnnvizError, match="must be numbers"):
        descend(float("nan"), 0, 1, 1, 10)
    with pytest.raises(RnnvizError, match="0 or more"):
        descend(6, -2.5, -1, 1, 10)
