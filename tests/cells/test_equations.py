"""The LaTeX a page prints is executed here and held against the code that trains."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from rnnviz import CELLS, Experiment, start, trace
from rnnviz.cells import ACTIVATIONS, Cell
from tests.cells.latex import Equations, parse

B, I, H = 3, 2, 4


def random_weights(cell: Cell, seed: int) -> dict[str, np.ndarray]:
    rng, rows = np.random.default_rng(seed), len(cell.blocks) * H
    shapes = {"W_ih": (rows, I), "W_hh": (rows, H), "b": (rows,)}
    shapes |= {name: (len(on) * H,) for name, on in cell.extra_parameters.items()}
    return {name: rng.normal(0, 1, shape) for name, shape in shapes.items()}


def largest_difference(cell: Cell, activation: str, seed: int, equations: dict[str, str] | None = None) -> float:
    """Between what the equations say and what `step` returns, over every declared symbol and every sample."""
    weights, rng = random_weights(cell, seed), np.random.default_rng(seed + 1000)
    x, state = rng.normal(size=(B, I)), {name: rng.normal(size=(B, H)) for name in cell.states}
    done = cell.step(
        torch.tensor(x),
        {name: torch.tensor(value) for name, value in state.items()},
        {name: torch.tensor(value) for name, value in weights.items()},
        activation,
    )
    returned = done.state | done.gates
    declared = Equations(cell, weights, activation, equations)
    worst = 0.0
    for b in range(B):
        found = declared.step(x[b], {name: value[b] for name, value in state.items()})
        assert set(found) == set(returned)
        worst = max(worst, *(np.abs(found[name] - returned[name][b].numpy()).max() for name in found))
    return worst


@pytest.mark.parametrize("cell", CELLS.values(), ids=list(CELLS))
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("seed", range(3))
def test_the_printed_equations_are_what_step_computes(cell: Cell, activation: str, seed: int) -> None:
    assert largest_difference(cell, activation, seed) < 1e-12


@pytest.mark.parametrize("cell", CELLS.values(), ids=list(CELLS))
def test_the_declared_symbols_are_exactly_the_gates_and_states_of_a_trace(cell: Cell) -> None:
    tr = trace(start(Experiment(cell=cell.name, length=5, hidden_size=3)))
    assert set(cell.equations) == set(tr.states) | set(tr.gates)
    assert set(tr.states) == set(cell.states) == set(tr.state_grads)
    assert tuple(tr.gates) == cell.gates == tuple(tr.gate_grads)
    assert set(tr.layers[0].preactivation_grads) == set(cell.blocks)


def wrong_versions(equations: dict[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Misprints of the kind tutorials contain: one slip in one equation."""
    slips = [
        (" + ", " - "),
        (r"\sigma", r"\tanh"),
        (r"\tanh", r"\sigma"),
        (r"\phi", r"\sigma"),
        ("(1 - z_t)", "z_t"),
        ("h_{t-1}", "h_t"),
        ("c_{t-1}", "c_t"),
        ("f_t", "i_t"),
        ("W_{if}", "W_{ii}"),
        ("W_{ho}", "W_{hf}"),
        ("b_f", "b_i"),
        (r"r_t \odot (W_{hn} h_{t-1} + b_{hn})", "W_{hn} h_{t-1} + b_{hn}"),
        (" + b)", ")"),
        (r"\odot", ""),
    ]
    for name, latex in equations.items():
        for right, wrong in slips:
            left, _, body = latex.partition("=")
            if right in body:
                yield f"{name}: {right} for {wrong}", equations | {name: f"{left}={body.replace(right, wrong, 1)}"}


@pytest.mark.parametrize("cell", CELLS.values(), ids=list(CELLS))
def test_a_misprint_in_any_equation_is_noticed(cell: Cell) -> None:
    versions = list(wrong_versions(dict(cell.equations)))
    assert {name.split(":")[0] for name, _ in versions} == set(cell.equations)
    for what, wrong in versions:
        try:
            difference = largest_difference(cell, "tanh", 0, wrong)
        except (KeyError, TypeError):  # a symbol not known yet, a product that is none
            continue
        assert difference > 1e-3, what


def test_swapped_lines_are_noticed() -> None:
    lines = list(CELLS["gru"].equations.items())
    with pytest.raises(KeyError, match="r_t"):  # the candidate printed before the reset gate it uses
        largest_difference(CELLS["gru"], "tanh", 0, dict([lines[2], lines[0], lines[1], lines[3]]))


@pytest.mark.parametrize(
    "latex",
    [
        r"h_t = \sigma(a_t",
        r"h_t = a_t)",
        r"h_t = a_t + ",
        r"h_t = a_t * b_t",
        r"h_t = \frac{a}{b}",
        r"h_t a_t",
        r"h_t = + a",
    ],
)
def test_the_evaluator_refuses_what_it_cannot_read(latex: str) -> None:
    with pytest.raises((SyntaxError, IndexError)):
        parse(latex, "tanh")


def test_the_evaluator_knows_precedence() -> None:
    known = {"W_a": np.array([[2.0, 0], [0, 3]]), "a_t": np.array([1.0, 2]), "b_t": np.array([5.0, 7])}
    assert parse(r"y_t = b_t - W_a a_t \odot b_t + 1", "tanh").evaluate(known).tolist() == [5 - 10 + 1, 7 - 42 + 1]
    with pytest.raises(TypeError):
        parse(r"y_t = a_t b_t", "tanh").evaluate(known)
