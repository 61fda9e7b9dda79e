import numpy as np
import pytest
import torch

from rnnviz import CELLS, Experiment, RnnvizError, trace
from rnnviz.analysis import (
    Dynamics,
    Products,
    jacobian_products,
    jacobians,
    log10_norms,
    lyapunov_exponents,
    singular_values,
)
from tests.analysis.examples import EXACT, random_checkpoint
from tests.cells.steps import noise, random_weights


def whole(products: Products) -> np.ndarray:
    return products.matrices * 10.0 ** products.log10_scales[..., None, None]


@pytest.mark.parametrize("cell", CELLS)
def test_a_product_is_the_derivative_of_the_whole_chain(cell: str) -> None:
    dynamics = Dynamics.of_cell(cell, random_weights(CELLS[cell], 3, 2, scale=0.7))
    x = noise(7, 1, 2)
    states = dynamics.run(x.numpy())
    found = whole(jacobian_products(dynamics.jacobians(x.numpy())))
    for t in (0, 3, 6, 7):

        def rest_of_the_way(state: torch.Tensor, first: int = t) -> torch.Tensor:
            for now in x[first:]:
                state = dynamics(state[None], now)[0]
            return state

        wanted = torch.autograd.functional.jacobian(rest_of_the_way, torch.from_numpy(states[t, 0]))
        np.testing.assert_allclose(found[t, 0], wanted, **EXACT)


@pytest.mark.parametrize("cell", [name for name, cell in CELLS.items() if "h" in cell.carried])
@pytest.mark.parametrize("task", ["adding", "sentiment"])
def test_the_gradient_of_the_loss_travels_back_by_them(cell: str, task: str) -> None:
    checkpoint = random_checkpoint(Experiment(cell=cell, task=task, hidden_size=3, layers=2))
    tr = trace(checkpoint)
    P = whole(jacobian_products(jacobians(tr), tr.lengths))  # (T + 1, B, n, n)
    ends = np.full(P.shape[1], len(P) - 1) if tr.lengths is None else tr.lengths
    for b, end in enumerate(ends):
        at_end = tr.state_grads["h"][end - 1, b]  # only h is read out
        wanted = at_end @ P[1 : end + 1, b, :3, :3]
        np.testing.assert_allclose(tr.state_grads["h"][:end, b], wanted, rtol=1e-8, atol=1e-13)
        assert np.isnan(P[end + 1 :, b]).all()


@pytest.mark.parametrize("per_step", [0.01, 0.5, 1.0, 20.0])
def test_a_thousand_steps_leave_no_range(per_step: float) -> None:
    Q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))
    products = jacobian_products(np.broadcast_to(per_step * Q, (1000, 2, 6, 6)))
    wanted = np.log10(per_step) * np.arange(1000, -1, -1)[:, None] * np.ones(2)
    np.testing.assert_allclose(log10_norms(products), wanted, rtol=1e-11, atol=1e-10)
    np.testing.assert_allclose(log10_norms(products, "frobenius"), wanted + np.log10(6) / 2, rtol=1e-11, atol=1e-10)
    np.testing.assert_allclose(singular_values(products), np.repeat(wanted[..., None], 6, 2), rtol=1e-11, atol=1e-10)


def test_the_long_run_is_the_largest_lyapunov_exponent() -> None:
    dynamics = Dynamics.of_cell("rnn", random_weights(CELLS["rnn"], 8, 1, scale=0.6))
    inputs = noise(1000, 1, 1).numpy()
    curve = log10_norms(jacobian_products(dynamics.jacobians(inputs)))[:, 0]
    per_step = (curve[0] - curve[500]) / 500 * np.log(10)
    assert per_step == pytest.approx(lyapunov_exponents(dynamics, inputs[:500], 0)[0, 0], abs=0.01)


def test_the_norms_of_the_steps_only_bound_that_of_the_product() -> None:
    J = np.random.default_rng(0).normal(size=(20, 3, 8, 8)) / np.sqrt(8)
    norms, products = log10_norms(J), log10_norms(jacobian_products(J))
    bound = np.cumsum(norms[::-1], 0)[::-1]
    assert (products[:-1] <= bound + 1e-12).all()
    assert (bound[0] - products[0]).min() > 2, "two decades and more apart after 20 steps"
    frobenius = log10_norms(jacobian_products(J), "frobenius")
    assert (products <= frobenius + 1e-12).all()
    assert (frobenius <= products + np.log10(8) / 2 + 1e-12).all()


def test_norms_of_plain_matrices_are_those_of_numpy_however_small() -> None:
    A = np.random.default_rng(0).normal(size=(4, 5, 5))
    np.testing.assert_allclose(log10_norms(A), np.log10(np.linalg.norm(A, 2, (1, 2))), **EXACT)
    np.testing.assert_allclose(log10_norms(A * 1e-250, "frobenius"), np.log10(np.linalg.norm(A, axis=(1, 2))) - 250)
    np.testing.assert_allclose(singular_values(A), np.linalg.svd(A, compute_uv=False), **EXACT)


def test_an_exact_zero_stays_one() -> None:
    J = np.stack([np.eye(2), np.zeros((2, 2)), np.eye(2)])[:, None]
    products = jacobian_products(J)
    np.testing.assert_array_equal(log10_norms(products)[:, 0], [-np.inf, -np.inf, 0, 0])
    assert np.isneginf(singular_values(products)[:2]).all()
    assert np.isneginf(log10_norms(np.zeros((2, 2))))


def test_shapes_and_names_are_checked() -> None:
    with pytest.raises(RnnvizError, match=r"\(T, B, n, n\). Got \(3, 2, 2\)"):
        jacobian_products(np.zeros((3, 2, 2)))
    with pytest.raises(RnnvizError, match="1 whole numbers from 1 to 3"):
        jacobian_products(np.zeros((3, 1, 2, 2)), np.array([4]))
    with pytest.raises(RnnvizError, match="spectral or frobenius"):
        log10_norms(np.eye(2), "nuclear")  # type: ignore[arg-type]
