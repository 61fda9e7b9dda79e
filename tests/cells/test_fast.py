"""Each hand-written pass against autograd through the step of the same cell, without a network around it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rnnviz.cells import ACTIVATIONS, CELLS, Cell, Gradients, Tape
from tests.cells.steps import noise, random_weights, rest

FAST = [
    (cell, phi)
    for cell in CELLS.values()
    if cell.fast is not None
    for phi in (ACTIVATIONS if "activation" in cell.options else ("tanh",))
]


def by_hand(
    cell: Cell, weights: dict[str, Tensor], xs: Tensor, activation: str, direct: Tensor, window: int
) -> tuple[Tape, Gradients, dict[str, Tensor], Tensor]:
    """The pass, and what it says of the weights and of the inputs: xs (T, B, I), direct (T, B, H)."""
    assert cell.fast is not None
    T, (_, B, H) = len(xs), direct.shape
    z = torch.zeros(T + 1, H + xs.shape[2] + 1, B, dtype=xs.dtype)
    z[:-1, H:-1], z[:, -1] = xs.transpose(1, 2), 1
    joined = cell.fast.join(weights)
    tape = cell.fast.forward(z, joined, activation)
    found = cell.fast.backward(tape, joined, activation, direct.transpose(1, 2).contiguous(), window)
    assert found.rows is not None
    whole = torch.einsum("rtb,tkb->rk", found.rows, z[:-1]) if found.weights is None else found.weights
    to_inputs = torch.einsum("rk,rtb->tbk", joined[:, H:-1], found.rows)
    return tape, found, cell.fast.split(whole, H), to_inputs


def agrees_with_autograd(cell: Cell, activation: str, T: int, B: int, H: int, window: int, seed: int) -> None:
    weights = {name: w.requires_grad_() for name, w in random_weights(cell, H, 2, seed, 0.7).items()}
    xs, direct = noise(T, B, 2, seed=seed + 1).requires_grad_(), noise(T, B, H, seed=seed + 2)
    state, steps = rest(cell, B, H), []
    for t, x in enumerate(xs):
        if window and t % window == 0:
            state = {name: value.detach() for name, value in state.items()}
        steps.append(cell.step(x, state, weights, activation))
        state = {name: steps[-1].state[name] for name in cell.carried}
    for step in steps:
        for value in (*step.state.values(), *step.preactivations.values()):
            value.retain_grad()
    (torch.stack([step.state["h"] for step in steps]) * direct).sum().backward()

    plain = {name: w.detach() for name, w in weights.items()}
    tape, found, to_weights, to_inputs = by_hand(cell, plain, xs.detach(), activation, direct, window)
    expected = [(to_inputs, gradient_of(xs)), *((to_weights[name], gradient_of(w)) for name, w in weights.items())]
    for t, step in enumerate(steps):
        expected += [(tape.states[name][t + 1].T, value.detach()) for name, value in step.state.items()]
        expected += [(tape.gates[name][t].T, value.detach()) for name, value in step.gates.items()]
        expected += [(found.states[name][t].T, gradient_of(value)) for name, value in step.state.items()]
        expected += [
            (found.preactivations[name][t].T, gradient_of(value)) for name, value in step.preactivations.items()
        ]
    for ours, right in expected:
        torch.testing.assert_close(ours, right, rtol=1e-10, atol=1e-10)
    assert set(to_weights) == set(weights)
    assert not any(value[0].any() for value in tape.states.values()), "states start at zero"


def gradient_of(value: Tensor) -> Tensor:
    return torch.zeros_like(value) if value.grad is None else value.grad


@pytest.mark.parametrize(("cell", "activation"), FAST, ids=lambda value: getattr(value, "name", value))
@settings(max_examples=15)
@given(
    T=st.integers(1, 9),
    B=st.integers(1, 4),
    H=st.integers(1, 5),
    window=st.integers(0, 5),
    seed=st.integers(0, 9),
)
def test_every_state_gate_and_gradient_equals_autograd(
    cell: Cell, activation: str, T: int, B: int, H: int, window: int, seed: int
) -> None:
    agrees_with_autograd(cell, activation, T, B, H, window, seed)


@pytest.mark.parametrize("cell", [cell for cell, phi in FAST if phi == "tanh"], ids=lambda cell: cell.name)
def test_over_a_long_sequence_too(cell: Cell) -> None:
    agrees_with_autograd(cell, "tanh", 60, 3, 8, 0, 0)


@pytest.mark.parametrize(("cell", "activation"), FAST, ids=lambda value: getattr(value, "name", value))
@pytest.mark.parametrize("window", [0, 3])
def test_a_gradient_that_only_the_last_step_has_may_come_alone(cell: Cell, activation: str, window: int) -> None:
    weights, xs, direct = random_weights(cell, 4, 2, scale=0.7), noise(7, 3, 2, seed=1), noise(7, 3, 4, seed=2)
    direct[:-1] = 0
    _, whole, to_weights, to_inputs = by_hand(cell, weights, xs, activation, direct, window)
    _, alone, same_weights, same_inputs = by_hand(cell, weights, xs, activation, direct[-1:], window)
    for name, value in (whole.states | whole.preactivations).items():
        assert torch.equal((alone.states | alone.preactivations)[name], value)
    assert torch.equal(same_inputs, to_inputs)
    assert all(torch.equal(same_weights[name], value) for name, value in to_weights.items())


@pytest.mark.parametrize("name", ["slstm", "minlstm"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_inputs_leave_the_passes_finite_and_equal_to_the_steps(name: str, dtype: torch.dtype) -> None:
    cell = CELLS[name]
    weights = {key: w.to(dtype) for key, w in random_weights(cell, 4, 2).items()}
    xs, direct = 300 * noise(8, 3, 2, seed=1).to(dtype), noise(8, 3, 4, seed=2).to(dtype)
    tape, found, to_weights, _ = by_hand(cell, weights, xs, "tanh", direct, 0)
    state = rest(cell, 3, 4, dtype)
    for t, x in enumerate(xs):
        step = cell.step(x, state, weights, "tanh")
        state = {key: step.state[key] for key in cell.carried}
        torch.testing.assert_close(tape.states["h"][t + 1].T, step.state["h"], rtol=1e-4, atol=1e-4)
    for value in (*tape.states.values(), *found.states.values(), *to_weights.values()):
        assert value.isfinite().all()
