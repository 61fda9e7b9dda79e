"""The LaTeX a page prints is executed here and held against the code that trains."""

from collections.abc import Iterator, Mapping

import numpy as np
import pytest
import torch

from rnnviz.cells import ACTIVATIONS, CELLS, Cell
from tests.cells.latex import Equations, parse, printed, remember

B, I, H = 3, 2, 4
CELL = pytest.mark.parametrize("cell", CELLS.values(), ids=list(CELLS))


def random_weights(cell: Cell, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, 1, shape) for name, shape in cell.shapes(H, I).items()}


def tensors(arrays: Mapping[str, np.ndarray]) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(value) for name, value in arrays.items()}


def largest_difference(cell: Cell, activation: str, seed: int, lines: dict[str, str] | None = None) -> float:
    """Between what the equations say and what `step` returns, over every declared symbol and every sample."""
    weights, rng = random_weights(cell, seed), np.random.default_rng(seed + 1000)
    x, state = rng.normal(size=(B, I)), {name: rng.normal(size=(B, H)) for name in cell.carried}
    done = cell.step(torch.tensor(x), tensors(state), tensors(weights), activation)
    returned = done.state | done.gates
    declared = Equations(cell, weights, activation, lines)
    differences = []
    for b in range(B):
        found = declared.step(x[b], {name: value[b] for name, value in state.items()})
        assert set(found) == set(returned)
        differences += [np.abs(found[name] - returned[name][b].numpy()).max() for name in found]
    return float(np.max(differences))


@CELL
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("seed", range(3))
def test_the_printed_equations_are_what_step_computes(cell: Cell, activation: str, seed: int) -> None:
    assert largest_difference(cell, activation, seed) < 1e-12


@CELL
def test_the_equations_run_from_the_start_as_step_does(cell: Cell) -> None:
    weights, xs = random_weights(cell, 5), np.random.default_rng(6).normal(size=(4, I))
    run = Equations(cell, weights).run(xs)
    state = {name: torch.zeros(1, H, dtype=torch.float64) for name in cell.carried}
    for t, x in enumerate(xs):
        done = cell.step(torch.tensor(x[None]), state, tensors(weights), "tanh")
        state = {name: done.state[name] for name in cell.carried}
        for name, value in (done.state | done.gates).items():
            np.testing.assert_allclose(run[name][t], value[0].numpy(), rtol=1e-12, atol=1e-12)


@CELL
def test_every_gate_and_state_is_printed_under_its_symbol(cell: Cell) -> None:
    parsed = {name: parse(latex, "tanh") for name, latex in printed(cell).items()}
    assert set(cell.equations) == set(cell.states) | set(cell.gates) == set(cell.symbols)
    for name, symbol in cell.symbols.items():
        assert parsed[name].symbol == f"{symbol}_t"


@CELL
def test_what_a_cell_defines_it_uses(cell: Cell) -> None:
    for latex in cell.definitions:
        symbol = latex.partition(" = ")[0]
        if not symbol.endswith("_0"):
            assert sum(symbol in other.partition(" = ")[2] for other in printed(cell).values()) > 0


def wrong_versions(lines: dict[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """Misprints of the kind tutorials contain: one slip in one equation."""
    slips = [
        (" + ", " - "),
        (" - ", " + "),
        ("(-", "("),
        (r"\sigma", r"\tanh"),
        (r"\tanh", r"\sigma"),
        (r"\phi", r"\sigma"),
        (r"\max(\ln(f_t) + m_{t-1}, \ln(i_t))", r"\ln(f_t) + m_{t-1}"),
        (r"\max(\ln(f_t) + m_{t-1}, \ln(i_t))", r"\ln(i_t)"),
        (r"\exp", r"\sigma"),
        (r"\exp(", "("),
        (r"\ln(", "("),
        (r"\Re", r"\Im"),
        (r"\Im", r"\Re"),
        (r"\lambda", r"\gamma"),
        (r"\gamma \odot ", ""),
        (r"\nu", r"\theta"),
        (r"\theta", r"\nu"),
        ("B x_t", "D x_t"),
        (" + D x_t", ""),
        ("(1 - z_t)", "z_t"),
        ("(1 - f_t)", "f_t"),
        ("(1 - f_t)", "(1 - f_t) \\odot f_t"),
        ("h_{t-1}", "h_t"),
        ("c_{t-1}", "c_t"),
        ("n_{t-1}", "n_t"),
        ("m_{t-1}", "m_t"),
        (r"\odot c_t ", r"\odot c_{t-1} "),
        ("- m_t", "- m_{t-1}"),
        ("f_t", "i_t"),
        ("i_t", "f_t"),
        ("f'_t", "f_t"),
        ("i'_t", "i_t"),
        ("f'_t", "i'_t"),
        ("W_{if}", "W_{ii}"),
        ("W_{ho}", "W_{hf}"),
        ("b_f", "b_i"),
        ("p_o", "p_i"),
        (r"u \odot h_{t-1}", "h_{t-1}"),
        (r"r_t \odot (W_{hn} h_{t-1} + b_{hn})", "W_{hn} h_{t-1} + b_{hn}"),
        (r"W_{hn} (r_t \odot h_{t-1})", r"r_t \odot (W_{hn} h_{t-1})"),
        (r"W_{hh} (f_t \odot h_{t-1})", "W_{hh} h_{t-1}"),
        (r"r_t \odot n_t", "n_t"),
        (r"\tilde h_t", "h_{t-1}"),
        (r"\frac{i_t}{f_t + i_t}", "i_t"),
        (r"\frac{f_t}{f_t + i_t}", "f_t"),
        (r"\frac{c_t}{n_t}", "c_t"),
        (r"\frac{c_t}{n_t}", r"\tanh(c_t)"),
        (" + b)", ")"),
        (" + b_h", ""),
        (r"\odot", ""),
    ]
    for name, latex in lines.items():
        for right, wrong in slips:
            left, _, body = latex.partition("=")
            if right in body:
                yield f"{name}: {right} for {wrong}", lines | {name: f"{left}={body.replace(right, wrong, 1)}"}


@CELL
def test_a_misprint_in_any_line_is_noticed(cell: Cell) -> None:
    # where a state starts is no part of a single step: the run from the start notices that
    lines = {name: latex for name, latex in printed(cell).items() if not latex.startswith("m_0")}
    versions = list(wrong_versions(lines))
    assert {name.split(":")[0] for name, _ in versions} == set(lines)
    for what, wrong in versions:
        try:
            with np.errstate(all="ignore"):  # what it computes may be no number
                difference = np.max([largest_difference(cell, "tanh", seed, wrong) for seed in range(3)])
        except (KeyError, TypeError):  # a symbol not known yet, a product that is none
            continue
        assert not difference < 1e-3, what


def test_a_misprinted_start_is_noticed() -> None:
    cell, xs = CELLS["slstm"], np.ones((1, I))
    weights = {name: np.zeros_like(value) for name, value in random_weights(cell, 0).items()}
    right, wrong = printed(cell), {name: latex for name, latex in printed(cell).items() if "m_0" not in latex}
    assert Equations(cell, weights, lines=right).run(xs)["forget"].tolist() == [[0] * H], "nothing to keep yet"
    assert Equations(cell, weights, lines=wrong).run(xs)["forget"].tolist() == [[0.5] * H]


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
        r"h_t = \frac{a}",
        r"h_t = \frac a b",
        r"h_t = \max(a_t)",
        r"h_t = \max(a_t, b_t, c_t)",
        r"h_t = \exp a_t",
        r"h_t = \Re z_t",
        r"h_t = \cosh(a_t)",
        r"h_t = a_t^2",
        r"h_t = {a_t}",
        r"h_t a_t",
        r"h_t = + a",
        r"h_t = a_t + - b_t",
        r"\Re = a_t",
        r"\tanh h_t = a_t",
    ],
)
def test_the_evaluator_refuses_what_it_cannot_read(latex: str) -> None:
    with pytest.raises((SyntaxError, IndexError)):
        parse(latex, "tanh")


def test_the_evaluator_knows_precedence() -> None:
    known = {"W_a": np.array([[2.0, 0], [0, 3]]), "a_t": np.array([1.0, 2]), "b_t": np.array([5.0, 7])}
    assert parse(r"y_t = b_t - W_a a_t \odot b_t + 1", "tanh").evaluate(known).tolist() == [5 - 10 + 1, 7 - 42 + 1]
    assert parse(r"y_t = -a_t + b_t", "tanh").evaluate(known).tolist() == [4, 5]
    assert parse(r"y_t = 1 - \frac{a_t}{b_t + a_t} \odot b_t", "tanh").evaluate(known) == pytest.approx([1 / 6, -5 / 9])
    assert parse(r"y_t = \max(a_t + 4, b_t)", "tanh").evaluate(known).tolist() == [5, 7]
    assert parse(r"y_t = W_a (a_t \odot b_t)", "tanh").evaluate(known).tolist() == [10, 42]


def test_the_evaluator_computes_with_complex_numbers_and_returns_real_parts() -> None:
    known = {"i": np.array(1j), r"\lambda": np.array([1j, 1 + 1j]), "z_t-1": np.array([2 + 3j, 4.0])}
    line = parse(r"\Im z_t = \Im(\lambda \odot z_{t-1} + i (\Re(z_{t-1})))", "tanh")
    assert line.symbol == r"\Im z_t"
    assert line.evaluate(known).tolist() == [2 + 2, 4 + 4]
    both: dict[str, np.ndarray] = {}
    remember(both, r"\Re z_t", np.array([2.0]))
    assert "z_t" not in both, "half a number"
    remember(both, r"\Im z_t", np.array([3.0]))
    assert both["z_t"].tolist() == [2 + 3j]


@pytest.mark.parametrize(
    "latex", [r"y_t = a_t b_t", r"y_t = 2 a_t", r"y_t = a_t W_a", r"y_t = \max(a_t, 1)", r"y_t = W_a W_a"]
)
def test_the_evaluator_refuses_products_and_pairs_that_do_not_fit(latex: str) -> None:
    known = {"W_a": np.eye(2), "a_t": np.ones(2), "b_t": np.ones(2)}
    with pytest.raises(TypeError):
        parse(latex, "tanh").evaluate(known)


def test_a_declared_value_must_come_out_real() -> None:
    lines = printed(CELLS["lru"]) | {"h": r"h_t = C z_t + i (D x_t)"}
    with pytest.raises(TypeError, match="complex"):
        largest_difference(CELLS["lru"], "linear", 0, lines)
