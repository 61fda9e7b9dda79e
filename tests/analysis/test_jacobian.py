import numpy as np
import pytest
from hypothesis import given, settings

from rnnviz import CELLS, Checkpoint, Experiment, RnnvizError, Trace, start, trace
from rnnviz.analysis import Dynamics, inside, jacobians, singular_values
from tests.analysis.examples import random_checkpoint, traced
from tests.cells.latex import Equations


@pytest.mark.parametrize(
    ("cell", "activation"),
    [*((name, "tanh") for name in CELLS), ("rnn", "sigmoid"), ("indrnn", "sigmoid"), ("lru", "sigmoid")],
)
def test_each_column_is_a_finite_difference_of_the_printed_equations(cell: str, activation: str) -> None:
    experiment = Experiment(cell=cell, hidden_size=3, length=8, activation=activation)
    checkpoint = random_checkpoint(experiment)
    tr, carried = trace(checkpoint), CELLS[cell].carried
    own = {k.removeprefix("0."): v.astype(float) for k, v in checkpoint.weights.items() if k.startswith("0.")}
    equations, J = Equations(CELLS[cell], own, activation), jacobians(tr)
    for t, b in [(1, 0), (4, 3), (7, 1)]:
        before = np.concatenate([tr.states[name][t - 1, b] for name in carried])

        def after(state: np.ndarray, x: np.ndarray = tr.inputs[t, b]) -> np.ndarray:
            found = equations.step(x, dict(zip(carried, np.split(state, len(carried)), strict=True)))
            return np.concatenate([found[name] for name in carried])

        for i in range(len(before)):
            nudge = 1e-5 * np.eye(len(before))[i]
            slope = (after(before + nudge) - after(before - nudge)) / 2e-5
            np.testing.assert_allclose(J[t, b, :, i], slope, rtol=1e-7, atol=1e-9)


@settings(max_examples=60)
@given(traced())
def test_every_layer_and_direction_of_any_network_has_them_and_the_padding_none(
    network: tuple[Checkpoint, Trace],
) -> None:
    checkpoint, tr = network  # `jacobians` itself compares each step's end with the trace
    n = len(CELLS[tr.experiment.cell].carried) * tr.experiment.hidden_size
    T, B, _ = tr.inputs.shape
    for layer in range(-tr.experiment.layers, tr.experiment.layers):
        for reverse in (False, True)[: 1 + tr.experiment.bidirectional]:
            J = jacobians(tr, layer=layer, reverse=reverse)
            assert J.shape == (T, B, n, n)
            np.testing.assert_array_equal(np.isfinite(J).all((2, 3)), inside(tr))
            assert np.isnan(J[~inside(tr)]).all()


def test_a_subset_is_a_part_of_the_whole() -> None:
    tr = trace(start(Experiment(cell="lstm", hidden_size=3, length=8)))
    whole = jacobians(tr)
    np.testing.assert_allclose(jacobians(tr, samples=[5, 2], times=slice(3, 6)), whole[3:6][:, [5, 2]], rtol=1e-14)
    np.testing.assert_allclose(jacobians(tr, times=[-1]), whole[-1:], rtol=1e-14)


@pytest.mark.parametrize("cell", ["mingru", "minlstm"])
def test_gates_that_read_only_the_input_leave_a_diagonal_of_what_is_kept(cell: str) -> None:
    tr = trace(start(Experiment(cell=cell, hidden_size=4, length=6)))
    kept = 1 - tr.gates["update"] if cell == "mingru" else tr.gates["forget"]
    np.testing.assert_allclose(jacobians(tr), kept[..., None] * np.eye(4), atol=1e-15)


def test_the_lstm_keeps_its_cell_state_where_h_alone_would_show_nothing() -> None:
    tr = trace(start(Experiment(cell="lstm", initialisation="zeros", forget_bias=4, hidden_size=2, length=5)))
    J, f = jacobians(tr), 1 / (1 + np.exp(-4.0))
    np.testing.assert_allclose(J[..., :2, :2], 0, atol=1e-15)  # h to h
    np.testing.assert_allclose(J[..., 2:, 2:], np.broadcast_to(f * np.eye(2), J[..., 2:, 2:].shape), rtol=1e-14)


def test_an_orthogonal_linear_network_neither_stretches_nor_shrinks_anything() -> None:
    experiment = Experiment(cell="rnn", activation="linear", initialisation="orthogonal", hidden_size=16, length=6)
    np.testing.assert_allclose(singular_values(jacobians(trace(start(experiment)))), 1, rtol=1e-6)  # float32 weights
    Q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(16, 16)))
    dynamics = Dynamics.of_cell("rnn", {"W_hh": Q, "W_ih": np.ones((16, 1)), "b": np.zeros(16)}, "linear")
    np.testing.assert_allclose(singular_values(dynamics.jacobians(np.ones((5, 2, 1)))), 1, rtol=1e-13)


def test_more_than_fits_or_a_layer_that_is_not_there_is_refused() -> None:
    tr = trace(start(Experiment(cell="lstm", hidden_size=128, length=200)))
    with pytest.raises(RnnvizError, match=r"Got 200 × 16 of 256 × 256, 1600 MiB\.$"):
        jacobians(tr)
    assert jacobians(tr, samples=[0], times=[3]).shape == (1, 1, 256, 256)
    with pytest.raises(RnnvizError, match="`layer` must be from 0 to 0"):
        jacobians(tr, layer=1)
    with pytest.raises(RnnvizError, match="bidirectional=false"):
        jacobians(tr, reverse=True)
