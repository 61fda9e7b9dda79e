import numpy as np
import pytest

from rnnviz import CELLS, Experiment, RnnvizError, start
from rnnviz.analysis import Dynamics, fixed_points
from tests.cells.steps import random_weights


def unit(w: float, b: float = 0.0, activation: str = "tanh") -> Dynamics:
    return Dynamics.of_cell("rnn", {"W_hh": [[w]], "W_ih": [[1.0]], "b": [b]}, activation)


def test_a_tanh_unit_that_feeds_itself_twice_rests_in_two_places_and_balances_in_one() -> None:
    found = fixed_points(unit(2), np.zeros((10, 2, 1)))
    order = np.argsort(found.states[:, 0])
    np.testing.assert_allclose(found.states[order, 0], [-0.957504, 0, 0.957504], atol=5e-7)
    assert found.stable[order].tolist() == [True, False, True]
    assert found.kinds.tolist() == ["fixed"] * 3
    assert (found.q < 1e-30).all()
    np.testing.assert_allclose(found.eigenvalues[order, 0], [0.166372, 2, 0.166372], atol=5e-6)
    assert found.names == ["h[0]"]


def test_a_weak_unit_rests_only_at_zero() -> None:
    found = fixed_points(unit(0.5), np.random.default_rng(0).normal(size=(20, 3, 1)))
    np.testing.assert_allclose(found.states, [[0]], atol=1e-12)
    assert found.stable.tolist() == [True]


def test_the_held_input_moves_them() -> None:
    found = fixed_points(unit(2), np.zeros((5, 1, 1)), held=[1.0])
    assert len(found.states) == 1, "the other two have met and gone"
    s = found.states[0, 0]
    assert s == pytest.approx(np.tanh(2 * s + 1), abs=1e-12)
    np.testing.assert_array_equal(found.input, [1])


def test_where_two_have_just_met_a_slow_point_is_left_and_not_called_fixed() -> None:
    found = fixed_points(unit(2, b=0.54), np.zeros((10, 2, 1)))
    assert found.kinds.tolist() == ["fixed", "slow"]
    s = found.states[1, 0]
    assert s == pytest.approx(-np.sqrt(0.5), abs=0.01)
    assert found.q[1] == pytest.approx((np.tanh(2 * s + 0.54) - s) ** 2 / 2, rel=1e-6)
    assert 1e-7 < found.q[1] < 1e-4
    assert fixed_points(unit(2, b=0.54), np.zeros((10, 2, 1)), slow_below=1e-8).kinds.tolist() == ["fixed"]


def test_a_linear_network_has_the_one_that_algebra_gives() -> None:
    rng = np.random.default_rng(0)
    W, b, x = 0.3 * rng.normal(size=(6, 6)), rng.normal(size=6), rng.normal(size=2)
    weights = {"W_hh": W, "W_ih": rng.normal(size=(6, 2)), "b": b}
    dynamics = Dynamics.of_cell("rnn", weights, "linear")
    found = fixed_points(dynamics, rng.normal(size=(10, 3, 2)), held=x)
    np.testing.assert_allclose(found.states, [np.linalg.solve(np.eye(6) - W, weights["W_ih"] @ x + b)], rtol=1e-10)
    np.testing.assert_allclose(np.sort(np.abs(found.eigenvalues[0])), np.sort(np.abs(np.linalg.eigvals(W))), rtol=1e-9)


@pytest.mark.parametrize("cell", CELLS)
def test_whatever_is_found_in_any_cell_does_not_move(cell: str) -> None:
    dynamics = Dynamics.of_cell(cell, random_weights(CELLS[cell], 3, 1))
    found = fixed_points(dynamics, np.random.default_rng(0).normal(size=(10, 4, 1)), starts=24, iterations=80)
    for state, kind, stable in zip(found.states, found.kinds, found.stable, strict=True):
        if kind == "fixed":
            still = dynamics.run(np.zeros((3, 1, 1)), state[None])[:, 0]
            np.testing.assert_allclose(still[1], state, atol=1e-9)
        if kind == "fixed" and stable:
            back = dynamics.run(np.zeros((2000, 1, 1)), (state + 1e-6)[None])[-1, 0]
            np.testing.assert_allclose(back, state, atol=2e-6)
    if cell != "slstm":  # its normaliser and its stabiliser need not ever settle
        assert (found.kinds == "fixed").any()


def test_a_whole_stack_rests_as_one() -> None:
    experiment = Experiment(cell="gru", hidden_size=4, layers=2, layer_norm=True, length=8)
    found = fixed_points(start(experiment), np.random.default_rng(0).uniform(size=(8, 4, 2)), starts=16)
    assert found.states.shape == (1, 8)
    assert found.stable.all()
    assert found.unsettled == 0


def test_shapes_are_checked() -> None:
    with pytest.raises(RnnvizError, match=r"`held` must have shape \(1,\)"):
        fixed_points(unit(1), np.zeros((3, 1, 1)), held=[0, 0])
    with pytest.raises(RnnvizError, match=r"at least 1. Got 0"):
        fixed_points(unit(1), np.zeros((3, 1, 1)), starts=0)
