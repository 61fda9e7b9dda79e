import re

import numpy as np
import pytest
import torch

from rnnviz import CELLS, Checkpoint, Experiment, RnnvizError, trace
from rnnviz.analysis import Dynamics
from rnnviz.cells import Cell
from tests.analysis.examples import EXACT, random_checkpoint
from tests.cells.steps import noise, random_weights


def checkpoint_of(**fields: object) -> Checkpoint:
    return random_checkpoint(Experiment(**({"hidden_size": 3, "length": 8} | fields)))


@pytest.mark.parametrize("cell", CELLS)
def test_a_network_and_its_dynamics_visit_the_same_states(cell: str) -> None:
    checkpoint = checkpoint_of(cell=cell, layers=3, layer_norm=True, residual=True)
    tr, dynamics = trace(checkpoint), Dynamics.of(checkpoint)
    carried = CELLS[cell].carried
    wanted = np.concatenate([layer.states[name] for layer in tr.layers for name in carried], 2)
    found = dynamics.run(tr.inputs)
    np.testing.assert_allclose(found[1:], wanted, **EXACT)
    assert not found[0].any()
    assert found.shape[2] == dynamics.size == len(dynamics.names) == 3 * 3 * len(carried)
    assert dynamics.names[3 * len(carried)] == f"1.{carried[0]}[0]"


@pytest.mark.parametrize("cell", CELLS.values(), ids=list(CELLS))
def test_a_cell_by_itself_knows_its_sizes(cell: Cell) -> None:
    dynamics = Dynamics.of_cell(cell.name, random_weights(cell, 5, 2))
    assert (dynamics.hidden_size, dynamics.input_size) == (5, 2)
    assert dynamics.names[:2] == [f"{cell.carried[0]}[0]", f"{cell.carried[0]}[1]"]
    assert Dynamics.of(dynamics) is dynamics


def test_a_run_goes_on_from_any_state() -> None:
    dynamics = Dynamics.of(checkpoint_of(cell="lstm"))
    inputs = noise(6, 2, 2).numpy()
    states = dynamics.run(inputs)
    np.testing.assert_allclose(dynamics.run(inputs[2:], states[2]), states[2:], **EXACT)
    J = dynamics.jacobians(inputs)
    np.testing.assert_allclose(dynamics.jacobians(inputs[2:], states[2]), J[2:], **EXACT)


def test_many_jacobians_are_found_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    dynamics = Dynamics.of(checkpoint_of(cell="gru"))
    inputs = noise(5, 3, 2).numpy()
    whole = dynamics.jacobians(inputs)
    monkeypatch.setattr("rnnviz.analysis.dynamics.CHUNK", 4 * dynamics.size**2)
    np.testing.assert_allclose(dynamics.jacobians(inputs), whole, rtol=1e-14, atol=1e-16)


def test_what_cannot_be_a_map_from_state_to_state_is_refused() -> None:
    with pytest.raises(RnnvizError, match="reads forwards"):
        Dynamics.of(checkpoint_of(bidirectional=True))
    dynamics = Dynamics.of(checkpoint_of(cell="rnn"))
    with pytest.raises(RnnvizError, match=re.escape("(T, B, 2). Got (4, 2, 3)")):
        dynamics.run(np.zeros((4, 2, 3)))
    with pytest.raises(RnnvizError, match=re.escape("(2, 3). Got (1, 3)")):
        dynamics.run(np.zeros((4, 2, 2)), np.zeros((1, 3)))
    with pytest.raises(RnnvizError, match="1024 MiB"):
        dynamics.jacobians(np.zeros((10**6, 16, 2)))
    weights = {name: np.asarray(value) for name, value in random_weights(CELLS["rnn"], 2, 1).items()}
    for cell, given, activation, said in [
        ("rnm", weights, "tanh", "must be one of rnn"),
        ("rnn", weights, "tan", "must be one of tanh"),
        ("lstm", weights, "tanh", r"`b` must have|must have shape"),
        ("gru", weights, "tanh", "are W_ih, W_hh, b, b_hn"),
        ("rnn", weights | {"b": np.zeros(3)}, "tanh", re.escape("`b` must have shape (2,)")),
    ]:
        with pytest.raises(RnnvizError, match=said):
            Dynamics.of_cell(cell, given, activation)


def test_it_is_differentiable() -> None:
    dynamics = Dynamics.of(checkpoint_of(cell="lstm", layers=2))
    assert torch.autograd.gradcheck(dynamics, (noise(2, 12).requires_grad_(), noise(2, 2, seed=1).requires_grad_()))
