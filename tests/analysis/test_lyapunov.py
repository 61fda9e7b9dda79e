import numpy as np
import pytest

from rnnviz import Experiment, RnnvizError, advance, start
from rnnviz.analysis import Dynamics, lyapunov_exponents
from rnnviz.cells import CELLS
from tests.cells.steps import no_weights


def linear(W: np.ndarray) -> Dynamics:
    return Dynamics.of_cell("rnn", {"W_hh": W, "W_ih": np.ones((len(W), 1)), "b": np.zeros(len(W))}, "linear")


def test_of_a_linear_network_they_are_the_logarithms_of_its_eigenvalues() -> None:
    eigenvalues = np.array([1.05, 0.9, -0.7, 0.4, 0.1])
    basis = np.random.default_rng(0).normal(size=(5, 5))
    W = basis @ np.diag(eigenvalues) @ np.linalg.inv(basis)
    found = lyapunov_exponents(linear(W), np.random.default_rng(1).normal(size=(600, 2, 1)), 300)
    np.testing.assert_allclose(found, np.tile(np.log(np.abs(eigenvalues)), (2, 1)), atol=1e-9)


def test_a_pair_that_turns_has_one_exponent_twice() -> None:
    W = 0.8 * np.array([[np.cos(1), -np.sin(1)], [np.sin(1), np.cos(1)]])
    np.testing.assert_allclose(lyapunov_exponents(linear(W), np.zeros((200, 1, 1))), np.log(0.8), rtol=1e-12)


def test_the_exponents_of_a_stack_are_those_of_its_layers() -> None:
    experiment = Experiment(
        cell="rnn", activation="linear", layers=2, hidden_size=4, length=10, initialisation="spectral"
    )
    checkpoint = start(experiment)
    eigenvalues = np.concatenate([np.linalg.eigvals(checkpoint.weights[f"{k}.W_hh"].astype(float)) for k in range(2)])
    found = lyapunov_exponents(checkpoint, np.zeros((6000, 1, 2)), 500)
    np.testing.assert_allclose(found[0], np.sort(np.log(np.abs(eigenvalues)))[::-1], atol=2e-3)


def test_an_lstm_without_weights_keeps_its_cells_and_nothing_else() -> None:
    weights = {name: value.numpy() for name, value in no_weights(CELLS["lstm"], 2).items()}
    weights["b"][2:4] = 3
    found = lyapunov_exponents(Dynamics.of_cell("lstm", weights), np.zeros((150, 1, 1)), 10)
    np.testing.assert_allclose(found[0, :2], np.log(1 / (1 + np.exp(-3))), rtol=1e-12)
    assert (found[0, 2:] < -30).all()


def test_a_strong_random_network_is_chaotic_and_a_driven_one_less_so() -> None:
    W = 2.5 * np.random.default_rng(0).normal(size=(40, 40)) / np.sqrt(40)
    dynamics = Dynamics.of_cell("rnn", {"W_hh": W, "W_ih": np.ones((40, 1)), "b": np.zeros(40)})
    state, noise = np.random.default_rng(1).normal(size=(1, 40)), np.random.default_rng(2).normal(size=(500, 1, 1))
    alone = lyapunov_exponents(dynamics, np.zeros((500, 1, 1)), 100, state=state)[0, 0]
    driven = lyapunov_exponents(dynamics, 10 * noise, 100, state=state)[0, 0]
    assert alone > 0.05 > -0.05 > driven


def test_too_few_steps_would_say_nothing() -> None:
    checkpoint = advance(start(Experiment(cell="rnn", hidden_size=2, length=4)), 1, record_last=False).checkpoint
    with pytest.raises(RnnvizError, match=r"At least 100 steps must remain .* Got 20 - 2"):
        lyapunov_exponents(checkpoint, np.zeros((20, 1, 2)))
    with pytest.raises(RnnvizError, match="At least 100"):
        lyapunov_exponents(checkpoint, np.zeros((120, 1, 2)), -1)
    with pytest.raises(RnnvizError, match="beyond the range"):
        lyapunov_exponents(linear(1e10 * np.eye(2)), np.ones((200, 1, 1)))
