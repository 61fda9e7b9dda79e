"""Each newer cell against numbers worked out from its paper another way: closed forms, other codes, limiting cases."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from rnnviz.cells import CELLS, Start
from tests.cells.steps import jacobian, no_weights, noise, over_time, random_weights, rest, run

EXACT: dict[str, Any] = {"rtol": 0, "atol": 0}
CLOSE: dict[str, Any] = {"rtol": 1e-12, "atol": 1e-12}


def logistic(a: float) -> float:
    return 1 / (1 + math.exp(-a))


def column(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


# GRU, reset before the matrix ---------------------------------------------------------------------------------------


def test_gru_v3_is_the_gru_of_keras_with_reset_after_off() -> None:
    """Keras: row vectors, kernels side by side in the order z, r, h, units added up one by one here."""
    cell, T, H, I = CELLS["gru_v3"], 6, 3, 2
    ours, xs = random_weights(cell, H, I), noise(T, 1, I, seed=1)
    order = {"z": 1, "r": 0, "h": 2}  # where our rows keep what Keras calls z, r and h
    kernel, recurrent, bias = (
        {k: ours[name].numpy().reshape(3, H, -1)[place].T for k, place in order.items()}
        for name in ("W_ih", "W_hh", "b")
    )
    h = np.zeros(H)
    for step, x in zip(run(cell, ours, xs), xs[:, 0].numpy(), strict=True):

        def into(gate: str, j: int, seen: np.ndarray, x: np.ndarray = x) -> float:
            of_input = sum(x[i] * kernel[gate][i, j] for i in range(I))
            return of_input + bias[gate][0, j] + sum(seen[m] * recurrent[gate][m, j] for m in range(H))

        z = np.array([logistic(into("z", j, h)) for j in range(H)])
        r = np.array([logistic(into("r", j, h)) for j in range(H)])
        candidate = np.array([math.tanh(into("h", j, r * h)) for j in range(H)])
        h = z * h + (1 - z) * candidate
        np.testing.assert_allclose(step.state["h"][0].numpy(), h, rtol=1e-12)


def test_weights_of_the_two_grus_do_not_transfer() -> None:
    weights = random_weights(CELLS["gru"], 4, 2) | {"b_hn": torch.zeros(4, dtype=torch.float64)}
    xs = noise(5, 3, 2, seed=1)
    one = over_time(run(CELLS["gru"], weights, xs), "h")
    other = over_time(run(CELLS["gru_v3"], weights, xs), "h")
    torch.testing.assert_close(one[0], other[0])  # nothing to reset yet
    assert (one[1:] - other[1:]).abs().max() > 0.05
    weights["b"][:4] = 40  # r = 1: only then they are one cell
    torch.testing.assert_close(
        over_time(run(CELLS["gru"], weights, xs), "h"), over_time(run(CELLS["gru_v3"], weights, xs), "h"), **CLOSE
    )


def test_a_closed_reset_gate_leaves_its_unit_out_of_every_candidates_sum() -> None:
    """And in the GRU that resets after the matrix it does not."""
    H, state = 3, {"h": noise(1, 3)}
    for name, hidden in (("gru_v3", True), ("gru", False)):
        weights = random_weights(CELLS[name], H, 2)
        weights["W_hh"][: 2 * H] = 0  # gates that do not look at the state, so that only the candidate's sum can
        weights["b"][1] = -800  # the reset gate of unit 1
        sent = jacobian(CELLS[name], noise(1, 2, seed=1), state, weights)[[0, 2], 1]
        assert (sent.abs().max() == 0) == hidden


def product_norm(name: str, seed: int, T: int = 50, H: int = 64) -> float:
    """Spectral norm of the product of T Jacobians along a run, from PyTorch's default weights (two biases summed)."""
    cell, generator = CELLS[name], torch.Generator().manual_seed(seed)
    weights = {
        key: (torch.rand(shape, generator=generator, dtype=torch.float64) * 2 - 1) / math.sqrt(H)
        for key, shape in cell.shapes(H, 2).items()
    }
    weights["b"] += (torch.rand(3 * H, generator=generator, dtype=torch.float64) * 2 - 1) / math.sqrt(H)
    state, product = rest(cell, 1, H), torch.eye(H, dtype=torch.float64)
    for x in noise(T, 1, 2, seed=seed + 100):
        product = jacobian(cell, x, state, weights) @ product
        state = {"h": cell.step(x, state, weights, "tanh").state["h"]}
    return float(torch.linalg.matrix_norm(product, 2))


def test_without_its_leak_the_gru_loses_forty_decades_over_fifty_steps() -> None:
    for seed in range(5):
        assert product_norm("gru_leakless", seed) < 1e-48
        assert product_norm("gru_v3", seed) > 1e-13


def test_no_gate_of_the_misprint_can_keep_the_state() -> None:
    """Whatever the gates are pushed to, with W_hh = 0 nothing of the past is left after one step."""
    cell = CELLS["gru_leakless"]
    for pushed in (-40.0, 0.0, 40.0):
        weights = no_weights(cell, 2, 1)
        weights["b"][:4] = pushed
        assert not jacobian(cell, noise(1, 1), {"h": noise(1, 2)}, weights).any()


def test_the_misprint_is_the_right_cell_where_the_missing_term_is_nothing() -> None:
    """z = 0 and r = 1: both are tanh(W x + U h + b)."""
    weights = random_weights(CELLS["gru_v3"], 3, 2)
    weights["b"][:3], weights["b"][3:6] = 60, -60
    weights["W_hh"][:6], weights["W_ih"][:6] = 0, 0
    xs = noise(5, 2, 2)
    right, wrong = (over_time(run(CELLS[name], weights, xs), "h") for name in ("gru_v3", "gru_leakless"))
    torch.testing.assert_close(right, wrong, **CLOSE)


# LSTMs with fewer and with more connections ---------------------------------------------------------------------------


def test_without_peepholes_the_peephole_lstm_is_the_lstm() -> None:
    weights, xs = random_weights(CELLS["lstm_peephole"], 4, 2), noise(6, 3, 2, seed=1)
    blind = weights | {name: torch.zeros(4, dtype=torch.float64) for name in ("p_i", "p_f", "p_o")}
    for name in ("h", "c", "input", "forget", "candidate", "output"):
        plain = over_time(run(CELLS["lstm"], weights, xs), name)
        torch.testing.assert_close(over_time(run(CELLS["lstm_peephole"], blind, xs), name), plain, **CLOSE)
        seeing = over_time(run(CELLS["lstm_peephole"], weights, xs), name)
        assert (seeing - plain).abs().max() > 0.01


def test_input_and_forget_gates_see_the_old_cell_and_the_output_gate_the_new_one() -> None:
    cell = CELLS["lstm_peephole"]
    weights = no_weights(cell) | {"p_i": column(2)[0], "p_f": column(-1)[0], "p_o": column(3)[0]}
    weights["b"][2] = math.atanh(0.5)  # g = 1/2
    step = cell.step(column(0), {"h": column(0), "c": column(0.8)}, weights, "tanh")
    i, f = logistic(1.6), logistic(-0.8)
    c = f * 0.8 + i * 0.5
    o = logistic(3 * c)
    for name, value in {"input": i, "forget": f, "candidate": 0.5, "output": o}.items():
        assert step.gates[name].item() == pytest.approx(value, rel=1e-14)
    assert step.state["c"].item() == pytest.approx(c, rel=1e-14)
    assert step.state["h"].item() == pytest.approx(o * math.tanh(c), rel=1e-14)


def test_a_closed_output_gate_blinds_the_gates_of_the_lstm_but_not_of_the_one_with_peepholes() -> None:
    for name, sees in (("lstm", False), ("lstm_peephole", True)):
        cell, weights = CELLS[name], random_weights(CELLS[name], 3, 2)
        weights["b"][9:], weights["W_hh"][9:], weights["W_ih"][9:] = -800, 0, 0
        x, gates = noise(1, 2), []
        for c in (0.1, 0.9):
            before = {"h": torch.zeros(1, 3, dtype=torch.float64), "c": torch.full((1, 3), c, dtype=torch.float64)}
            gates.append(cell.step(x, before, weights, "tanh").gates["forget"])
        assert torch.equal(*gates) != sees


def test_the_coupled_lstm_is_the_lstm_whose_input_gate_is_one_minus_its_forget_gate() -> None:
    """sigma(-a) = 1 - sigma(a): an LSTM whose input rows are minus its forget rows."""
    coupled, xs = random_weights(CELLS["lstm_coupled"], 4, 2), noise(6, 3, 2, seed=1)
    weights = {name: torch.cat([-value[:4], value]) for name, value in coupled.items()}
    for name in ("h", "c", "forget", "candidate", "output"):
        one, other = run(CELLS["lstm_coupled"], coupled, xs), run(CELLS["lstm"], weights, xs)
        torch.testing.assert_close(over_time(one, name), over_time(other, name), **CLOSE)


@given(st.integers(0, 99), st.floats(0.1, 30))
def test_the_cell_state_of_the_coupled_lstm_stays_between_minus_one_and_one(seed: int, scale: float) -> None:
    cell = CELLS["lstm_coupled"]
    c = over_time(run(cell, random_weights(cell, 3, 2, seed, scale), noise(30, 2, 2, seed=seed)), "c")
    assert c.abs().max() <= 1


# One gate -------------------------------------------------------------------------------------------------------------


def test_the_minimal_unit_by_hand() -> None:
    cell, weights = CELLS["mgu"], no_weights(CELLS["mgu"])
    weights["b"][0] = math.log(1 / 3)  # f = 1/4
    weights["W_ih"][1], weights["W_hh"][1], weights["b"][1] = 0.5, 2, 0.1
    step = cell.step(column(3), {"h": column(0.6)}, weights, "tanh")
    candidate = math.tanh(0.5 * 3 + 2 * (0.25 * 0.6) + 0.1)
    assert step.gates["update"].item() == pytest.approx(0.25, rel=1e-14)
    assert step.gates["candidate"].item() == pytest.approx(candidate, rel=1e-14)
    assert step.state["h"].item() == pytest.approx(0.75 * 0.6 + 0.25 * candidate, rel=1e-14)


def test_the_minimal_unit_is_a_gru_whose_reset_gate_is_its_write_gate() -> None:
    """Our GRU's z keeps and the unit's f overwrites, so z has the weights of f with the other sign."""
    minimal, xs = random_weights(CELLS["mgu"], 4, 2), noise(6, 3, 2, seed=1)
    weights = {name: torch.cat([value[:4], -value[:4], value[4:]]) for name, value in minimal.items()}
    one, other = run(CELLS["mgu"], minimal, xs), run(CELLS["gru_v3"], weights, xs)
    torch.testing.assert_close(over_time(one, "h"), over_time(other, "h"), **CLOSE)
    torch.testing.assert_close(over_time(one, "update"), over_time(other, "reset"), **CLOSE)


# Elementwise and linear recurrences -----------------------------------------------------------------------------------


def test_a_linear_independent_unit_multiplies_what_it_holds_by_u_at_every_step() -> None:
    cell = CELLS["indrnn"]
    u = torch.tensor([0.5, 1.0, 1.0625, -0.75], dtype=torch.float64)  # powers of two apart: no rounding
    weights = no_weights(cell, 4, 1) | {"u": u}
    steps = run(cell, weights, torch.zeros(10, 1, 1, dtype=torch.float64), "linear", {"h": column(1, 1, 1, 1)})
    for k, step in enumerate(steps):
        torch.testing.assert_close(step.state["h"][0], u ** (k + 1), **EXACT)


def test_independent_units_do_not_see_one_another() -> None:
    cell, x, h = CELLS["indrnn"], noise(1, 2, seed=1), noise(1, 4, seed=2)
    weights = random_weights(cell, 4, 2)
    J = jacobian(cell, x, {"h": h}, weights)
    now = cell.step(x, {"h": h}, weights, "tanh").state["h"][0]
    torch.testing.assert_close(J, torch.diag(weights["u"] * (1 - now**2)), **CLOSE)


@pytest.mark.parametrize("T", [1, 4, 50, 1000])
def test_independent_units_start_where_nothing_more_than_doubles(T: int) -> None:
    u = CELLS["indrnn"].own_start["u"](Start(np.random.default_rng(0), (400,), T))
    assert 0 <= u.min() < 0.05
    assert u.max() <= 2 ** (1 / T)
    assert u.max() > 0.98 * 2 ** (1 / T)
    assert (u**T).max() <= 2 * (1 + 1e-9)


def test_the_state_of_mingru_passes_on_by_one_minus_z_and_by_nothing_else() -> None:
    cell, weights, state = CELLS["mingru"], random_weights(CELLS["mingru"], 5, 2), {"h": noise(1, 5)}
    product, kept = torch.eye(5, dtype=torch.float64), torch.ones(5, dtype=torch.float64)
    for x in noise(20, 1, 2, seed=1):
        J = jacobian(cell, x, state, weights)
        step = cell.step(x, state, weights, "tanh")
        z = step.gates["update"][0]
        torch.testing.assert_close(J, torch.diag(1 - z), **EXACT)
        product, kept, state = J @ product, kept * (1 - z), {"h": step.state["h"]}
    torch.testing.assert_close(product, torch.diag(kept), **CLOSE)


def test_mingru_by_hand() -> None:
    cell, weights = CELLS["mingru"], no_weights(CELLS["mingru"])
    weights["b"][1] = 4  # z = 1/2 and a candidate of 4, not squashed
    h = over_time(run(cell, weights, torch.zeros(4, 1, 1, dtype=torch.float64)), "h").flatten()
    assert h.tolist() == [2, 3, 3.5, 3.75]


def test_minlstm_by_hand() -> None:
    cell, weights = CELLS["minlstm"], no_weights(CELLS["minlstm"])
    weights["b"][:] = column(0, math.log(3), 5)[0]  # i = 1/2, f = 3/4
    step = cell.step(column(1), {"h": column(10)}, weights, "tanh")
    assert step.gates["input"].item() == pytest.approx(0.4, rel=1e-12)
    assert step.gates["forget"].item() == pytest.approx(0.6, rel=1e-12)
    assert step.state["h"].item() == pytest.approx(8, rel=1e-12)


@given(st.integers(0, 99), st.floats(0.1, 30))
def test_minlstm_averages_its_candidates_however_long_the_sequence(seed: int, scale: float) -> None:
    cell = CELLS["minlstm"]
    steps = run(cell, random_weights(cell, 3, 2, seed, scale), noise(40, 2, 2, seed=seed))
    f, i, candidate, h = (over_time(steps, name) for name in ("forget", "input", "candidate", "h"))
    torch.testing.assert_close(f + i, torch.ones_like(f), **CLOSE)
    highest = candidate.cummax(0).values.clamp(min=0)  # it starts at 0
    lowest = candidate.cummin(0).values.clamp(max=0)
    assert (h <= highest + 1e-9).all()
    assert (h >= lowest - 1e-9).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_minlstm_divides_two_closed_gates_without_dividing_zero_by_zero(dtype: torch.dtype) -> None:
    cell = CELLS["minlstm"]
    weights = {name: value.to(dtype) for name, value in no_weights(cell).items()}
    weights["b"][:2] = -2000
    step = cell.step(torch.zeros(1, 1, dtype=dtype), {"h": torch.ones(1, 1, dtype=dtype)}, weights, "tanh")
    assert step.gates["forget"].item() == step.gates["input"].item() == 0.5


# Complex and diagonal -------------------------------------------------------------------------------------------------


def test_an_impulse_decays_by_the_modulus_of_lambda_and_turns_by_its_angle() -> None:
    cell, radius, angle = CELLS["lru"], 0.9, 0.3
    weights = no_weights(cell)  # gamma = exp(0) = 1
    weights["nu_log"][0], weights["theta_log"][0] = math.log(-math.log(radius)), math.log(angle)
    weights["B_re"][0], weights["C_re"][0] = 1, 1
    impulse = torch.zeros(30, 1, 1, dtype=torch.float64)
    impulse[0] = 1
    steps = run(cell, weights, impulse, "linear")
    for k, step in enumerate(steps):
        assert step.state["re"].item() == pytest.approx(radius**k * math.cos(k * angle), abs=1e-13)
        assert step.state["im"].item() == pytest.approx(radius**k * math.sin(k * angle), abs=1e-13)
        assert step.state["h"].item() == step.state["re"].item()


def test_the_linear_recurrent_unit_is_a_convolution_with_powers_of_lambda() -> None:
    """The unrolled form of the paper, in complex numpy, all steps at once."""
    cell, T, H, I = CELLS["lru"], 12, 3, 2
    weights, xs = random_weights(cell, H, I), noise(T, 1, I, seed=1)
    w = {name: value.numpy() for name, value in weights.items()}
    lambdas = np.exp(-np.exp(w["nu_log"]) + 1j * np.exp(w["theta_log"]))
    driven = np.exp(w["gamma_log"]) * (xs[:, 0].numpy() @ (w["B_re"] + 1j * w["B_im"]).T)  # (T, H)
    z = np.array([sum(lambdas ** (t - k) * driven[k] for k in range(t + 1)) for t in range(T)])
    y = (z @ (w["C_re"] + 1j * w["C_im"]).T).real + xs[:, 0].numpy() @ w["D"].T
    for activation, phi in (("linear", lambda a: a), ("tanh", np.tanh), ("relu", lambda a: np.maximum(a, 0))):
        h = over_time(run(cell, weights, xs, activation), "h")[:, 0].numpy()
        np.testing.assert_allclose(h, phi(y), rtol=1e-10, atol=1e-12)


def test_the_recurrence_of_the_linear_unit_is_diagonal_and_a_rotation_of_length_lambda() -> None:
    cell, x = CELLS["lru"], noise(1, 2)
    weights, state = random_weights(cell, 3, 2), {"re": noise(1, 3, seed=1), "im": noise(1, 3, seed=2)}
    blocks = {(of, by): jacobian(cell, x, state, weights, of, by) for of in ("re", "im") for by in ("re", "im")}
    for block in blocks.values():
        torch.testing.assert_close(block, torch.diag(block.diag()), **EXACT)
    for k in range(3):
        J = np.array([[blocks[of, by][k, k].item() for by in ("re", "im")] for of in ("re", "im")])
        radius = math.exp(-math.exp(weights["nu_log"][k]))
        np.testing.assert_allclose(J @ J.T, radius**2 * np.eye(2), atol=1e-14)


@pytest.mark.parametrize("H", [1, 2, 64])
def test_the_linear_unit_starts_on_a_ring_where_every_unit_is_equally_loud(H: int) -> None:
    own = CELLS["lru"].own_start
    start = Start(np.random.default_rng(0), (H,), 50)
    nu, theta, gamma = (own[name](start) for name in ("nu_log", "theta_log", "gamma_log"))
    radius, phase = np.exp(-np.exp(nu)), np.exp(theta)
    assert ((radius > 0.9) & (radius < 0.999)).all()
    assert (np.diff(radius) > 0).all()
    assert ((phase > 0) & (phase <= 2 * np.pi)).all()
    # a unit driven by white noise of variance 1 has the variance gamma^2 (1 + |lambda|^2 + |lambda|^4 + ...)
    np.testing.assert_allclose(np.exp(2 * gamma) / (1 - radius**2), 1, rtol=1e-12)


# sLSTM ----------------------------------------------------------------------------------------------------------------


def unstabilised(weights: dict[str, Tensor], xs: np.ndarray, H: int) -> list[dict[str, np.ndarray]]:
    """The equations of the paper before any stabilisation, one sample, in plain numpy."""
    W, U, b = (weights[name].numpy() for name in ("W_ih", "W_hh", "b"))
    h, c, n = np.zeros(H), np.zeros(H), np.zeros(H)
    history = []
    for x in xs:
        i, f, z, o = np.split(W @ x + U @ h + b, 4)
        i, f, z, o = np.exp(i), 1 / (1 + np.exp(-f)), np.tanh(z), 1 / (1 + np.exp(-o))
        c, n = f * c + i * z, f * n + i
        h = o * c / n
        history.append({"h": h, "c": c, "n": n, "input": i, "forget": f})
    return history


@pytest.mark.parametrize("scale", [0.3, 1, 3])
def test_stabilising_the_slstm_changes_no_state_that_can_be_seen(scale: float) -> None:
    cell, H = CELLS["slstm"], 4
    weights, xs = random_weights(cell, H, 2, scale=scale), noise(25, 1, 2, seed=1)
    plain = unstabilised(weights, xs[:, 0].numpy(), H)
    before = np.full(H, -np.inf)
    for step, expected in zip(run(cell, weights, xs), plain, strict=True):
        found = {name: value[0].numpy() for name, value in (step.state | step.gates).items()}
        m = found["m"]
        np.testing.assert_allclose(found["h"], expected["h"], rtol=1e-9)
        for name in ("c", "n", "input"):
            np.testing.assert_allclose(found[name] * np.exp(m), expected[name], rtol=1e-9)
        np.testing.assert_allclose(found["forget"], expected["forget"] * np.exp(before - m), rtol=1e-9)
        before = m


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1e2, 1e4, 1e6])
def test_the_slstm_stays_finite_where_its_exponentials_would_not(size: float, dtype: torch.dtype) -> None:
    cell = CELLS["slstm"]
    weights = {name: value.to(dtype).requires_grad_() for name, value in random_weights(cell, 4, 2).items()}
    steps = run(cell, weights, size * noise(12, 3, 2, seed=1).to(dtype))
    values = [over_time(steps, name) for name in (*cell.states, *cell.gates)]
    gradients = torch.autograd.grad(over_time(steps, "h").sum(), list(weights.values()))
    assert all(value.isfinite().all() for value in (*values, *gradients))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bias", [-5000.0, -200.0, 0.0, 200.0, 5000.0])
def test_the_first_step_of_the_slstm_reads_out_its_first_candidate(bias: float, dtype: torch.dtype) -> None:
    """However faint the first input gate: n = i' = 1, not 0 / 0."""
    cell = CELLS["slstm"]
    weights = {name: value.to(dtype) for name, value in random_weights(cell, 3, 2).items()}
    weights["b"][:3] += bias
    weights["b"].requires_grad_()
    (step,) = run(cell, weights, noise(1, 2, 2).to(dtype))
    ones = torch.ones(2, 3, dtype=dtype)
    torch.testing.assert_close(step.state["n"], ones, **EXACT)
    torch.testing.assert_close(step.gates["input"], ones, **EXACT)
    torch.testing.assert_close(step.gates["forget"], 0 * ones, **EXACT)
    torch.testing.assert_close(step.state["h"], step.gates["output"] * step.gates["candidate"])
    (gradient,) = torch.autograd.grad(step.state["h"].sum(), weights["b"])
    assert gradient.isfinite().all()
    assert not gradient[:6].any(), "of one candidate alone every average is that candidate"


def test_nothing_the_slstm_shows_depends_on_its_stabiliser() -> None:
    cell = CELLS["slstm"]
    steps = run(
        cell, {name: w.requires_grad_() for name, w in random_weights(cell, 4, 2).items()}, noise(8, 3, 2, seed=1)
    )
    by_name = {name: [step.state[name] for step in steps[:-1]] for name in ("c", "m")}
    for name, states in by_name.items():
        found = torch.autograd.grad(over_time(steps, "h").square().sum(), states, retain_graph=True)
        largest = max(gradient.abs().max() for gradient in found)
        assert (largest < 1e-14) == (name == "m")


@given(st.integers(0, 99), st.floats(0.1, 30))
def test_the_slstm_shows_a_weighted_average_of_its_candidates(seed: int, scale: float) -> None:
    cell = CELLS["slstm"]
    steps = run(cell, random_weights(cell, 3, 2, seed, scale), noise(30, 2, 2, seed=seed))
    c, n, candidate = (over_time(steps, name) for name in ("c", "n", "candidate"))
    assert (n >= 1).all(), "so that nothing is ever divided by nothing"
    assert (c / n <= candidate.cummax(0).values + 1e-9).all()
    assert (c / n >= candidate.cummin(0).values - 1e-9).all()


def test_one_strong_input_overwrites_all_that_the_slstm_has_stored() -> None:
    cell, weights = CELLS["slstm"], no_weights(CELLS["slstm"])
    weights["W_ih"][0], weights["W_ih"][2] = 50, 1
    weights["b"][1], weights["b"][3] = 40, 40  # forget and output gates open
    xs = torch.full((30, 1, 1), -0.5, dtype=torch.float64)
    xs[-1] = 1
    h = over_time(run(cell, weights, xs), "h").flatten()
    assert h[-2].item() == pytest.approx(math.tanh(-0.5))
    assert h[-1].item() == pytest.approx(math.tanh(1))
