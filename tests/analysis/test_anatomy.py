"""One step taken apart: its numbers are those of the trace, forwards and backwards, for every cell."""

import re

import numpy as np
import pytest

from rnnviz import CELLS, Experiment, advance, start, trace
from rnnviz.analysis import dissect
from rnnviz.analysis.anatomy import latex_number
from rnnviz.errors import RnnvizError

T, EXAMPLE = 10, 2


@pytest.fixture(scope="module", params=CELLS)
def told(request):
    experiment = Experiment(cell=request.param, task="adding", length=T, hidden_size=6, seed=3)
    return trace(advance(start(experiment), steps=3).checkpoint)


@pytest.mark.parametrize("t", [0, 4, T - 1])
def test_every_line_has_the_value_of_the_trace(told, t):
    cell = CELLS[told.experiment.cell]
    found = {line.name: line for line in dissect(told, t, EXAMPLE).lines}
    for name in (*cell.states, *cell.gates):
        expected = told.layers[-1].states.get(name, told.layers[-1].gates.get(name))[t, EXAMPLE]
        np.testing.assert_allclose(found[name].value, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("t", [0, 4, T - 1])
def test_the_line_in_numbers_ends_with_the_value_of_the_trace(told, t):
    cell = CELLS[told.experiment.cell]
    for line in dissect(told, t, EXAMPLE).lines:
        if line.name in cell.equations:
            expected = told.layers[-1].states.get(line.name, told.layers[-1].gates.get(line.name))[t, EXAMPLE]
            for unit in range(6):
                assert line.substituted(unit)[-1] == latex_number(float(line.value[unit]))
                assert abs(line.value[unit] - expected[unit]) < 1e-6


def test_what_comes_back_along_all_wires_is_the_total_gradient(told):
    """dL/ds_t: by this step's own later lines, and through the next step; the loss reads only the last one."""
    for t in (0, 3, T - 2):
        now, following = dissect(told, t, EXAMPLE), dissect(told, t + 1, EXAMPLE)
        for name in CELLS[told.experiment.cell].carried:
            back = sum(wire.grad for wire in now.wires if wire.source == name)
            back = back + sum(wire.grad for wire in following.wires if wire.source == f"past {name}")
            np.testing.assert_allclose(back, told.state_grads[name][t, EXAMPLE], rtol=1e-7, atol=1e-15)


def test_every_declared_symbol_is_one_node_with_its_number(told):
    cell = CELLS[told.experiment.cell]
    found = dissect(told, 4, EXAMPLE)
    named = [node.name for node in found.nodes]
    assert len(set(named)) == len(named)
    for name in cell.symbols:
        (node,) = (node for node in found.nodes if node.name == name)
        assert node.symbol.replace("{", "").replace("}", "") == f"{cell.symbols[name]}_t"
        expected = told.layers[-1].state_grads.get(name, told.layers[-1].preactivation_grads.get(name))
        np.testing.assert_array_equal(node.grad, expected[4, EXAMPLE])
    assert {end for wire in found.wires for end in wire[:2]} == set(named), "no node stands alone"


def test_a_wire_from_the_input_carries_what_the_matrix_makes_of_it():
    told = trace(start(Experiment(cell="lstm", task="adding", length=T, hidden_size=6)))
    found = dissect(told, 4, EXAMPLE)
    (wire,) = (wire for wire in found.wires if wire[:2] == ("x", "forget"))
    W = start(told.experiment).weights["0.W_ih"][6:12].astype(float)
    np.testing.assert_allclose(wire.value, W @ told.inputs[4, EXAMPLE])
    np.testing.assert_allclose(wire.grad, told.gate_grads["forget"][4, EXAMPLE], rtol=1e-12)


def test_each_layer_of_a_stack():
    told = trace(start(Experiment(cell="gru", task="adding", length=T, hidden_size=6, layers=2)))
    for layer in (0, 1):
        (h,) = (line for line in dissect(told, 5, 1, layer).lines if line.name == "h")
        np.testing.assert_allclose(h.value, told.layers[layer].states["h"][5, 1])


def agrees(told, layer, part, values, steps):
    """The part's numbers are the trace's, and what comes back along its wires is its total gradient."""
    cell, after = CELLS[told.experiment.cell], -1 if part.get("reverse") else 1
    for t in steps:
        now = dissect(told, t, EXAMPLE, layer, **part)
        said = {line.name: line.value for line in now.lines}
        for name in cell.states:
            np.testing.assert_allclose(said[name], values.states[name][t, EXAMPLE], rtol=1e-9, atol=1e-12)
        for name in cell.gates:
            np.testing.assert_allclose(said[name], values.gates[name][t, EXAMPLE], rtol=1e-9, atol=1e-12)
        if layer + 1 < told.experiment.layers or not 0 <= t + after < len(values.states["h"]):
            continue  # the layer above reads h too
        following = dissect(told, t + after, EXAMPLE, layer, **part)
        for name in set(cell.carried) - {"h"}:
            back = sum(wire.grad for wire in now.wires if wire.source == name)
            back = back + sum(wire.grad for wire in following.wires if wire.source == f"past {name}")
            np.testing.assert_allclose(back, values.state_grads[name][t, EXAMPLE], rtol=1e-7, atol=1e-15)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("layer", [0, 1])
def test_the_half_that_reads_from_the_end(cell, layer):
    task = "xor_last" if cell in ("lstm", "rnn") else "latch"  # latch: sequences of different lengths
    told = trace(start(Experiment(cell=cell, task=task, length=20, hidden_size=5, layers=2, bidirectional=True)))
    end = len(told.inputs) if told.lengths is None else int(told.lengths[EXAMPLE])
    agrees(told, layer, {"reverse": True}, told.layers[layer].reverse, [0, 3, end - 2, end - 1])
    found = dissect(told, 3, EXAMPLE, layer, reverse=True)
    assert {node.symbol[-6:] for node in found.nodes if node.kind == "past"} == {"_{t+1}"}
    printed = " ".join(line.latex for line in found.lines)
    assert "t-1" not in printed
    assert "t+1" in printed


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("more", [{}, {"bidirectional": True, "attention": True, "residual": True, "layer_norm": True}])
def test_every_layer_of_a_decoder(cell, more):
    experiment = Experiment(cell=cell, task="reverse", length=6, hidden_size=5, layers=2, **more)
    told = trace(advance(start(experiment), steps=2).checkpoint)
    for layer in (0, 1):
        agrees(told, layer, {"decoder": True}, told.decoder[layer], range(len(told.outputs)))


@pytest.mark.parametrize("reverse", [False, True])
def test_nothing_comes_back_over_a_cut(reverse):
    experiment = Experiment(cell="lstm", task="xor_last", length=12, hidden_size=5, bptt_window=4, bidirectional=True)
    told = trace(start(experiment))
    values = told.layers[0].reverse if reverse else told.layers[0]
    agrees(told, 0, {"reverse": reverse}, values, range(12))
    cut = 12 - 1 - 4 if reverse else 4
    assert not any(node.grad.any() for node in dissect(told, cut, reverse=reverse).nodes if node.kind == "past")


def test_numbers_have_at_most_three_digits():
    assert latex_number(0.123456) == "0.123"
    assert latex_number(-1.5e-12) == r"-1.5 \times 10^{-12}"
    assert latex_number(-np.inf) == r"-\infty"
    assert latex_number(0.5 - 0.25j) == r"(0.5 - 0.25\,i)"
    told = trace(start(Experiment(cell="slstm", task="adding", length=T, hidden_size=6)))
    for line in dissect(told, 5).lines:
        for number in re.findall(r"\d+\.?\d*", " ".join(line.substituted(0))):
            assert len(number.replace(".", "").lstrip("0")) <= 3 or float(number) >= 1000


@pytest.mark.parametrize(("t", "example", "layer"), [(T, 0, -1), (-1, 0, -1), (0, 999, -1), (0, 0, 1)])
def test_what_is_not_there_is_refused(t, example, layer):
    told = trace(start(Experiment(cell="rnn", task="adding", length=T, hidden_size=4)))
    with pytest.raises(RnnvizError, match=r"must be from 0 to"):
        dissect(told, t, example, layer)


@pytest.mark.parametrize("part", [{"reverse": True}, {"decoder": True}])
def test_a_part_that_the_network_lacks_is_refused(part):
    told = trace(start(Experiment(cell="rnn", task="adding", length=T, hidden_size=4)))
    with pytest.raises(RnnvizError, match=f"`{next(iter(part))}` needs a "):
        dissect(told, 0, **part)
