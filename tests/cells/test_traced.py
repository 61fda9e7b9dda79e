"""What a trace of a network shows of its cells is what the cells declare."""

import pytest

from rnnviz import CELLS, Experiment, start, trace
from rnnviz.cells import Cell


@pytest.mark.parametrize("cell", CELLS.values(), ids=list(CELLS))
def test_the_declared_symbols_are_exactly_the_gates_and_states_of_a_trace(cell: Cell) -> None:
    tr = trace(start(Experiment(cell=cell.name, length=5, hidden_size=3)))
    assert set(cell.equations) == set(tr.states) | set(tr.gates)
    assert set(tr.states) == set(cell.states) == set(tr.state_grads)
    assert tuple(tr.gates) == cell.gates == tuple(tr.gate_grads)
    assert set(tr.layers[0].preactivation_grads) == set(cell.blocks)
