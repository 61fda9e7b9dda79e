"""What holds for the step of every cell: its gradients, its dtype, and that its declarations are true of it."""

import math

import pytest
import torch
from torch import Tensor

from rnnviz.cells import ACTIVATIONS, CELLS, MATRIX_STARTS, Cell
from tests.cells.steps import no_weights, noise, over_time, random_weights, run

B, H, I = 2, 3, 2
CELL = pytest.mark.parametrize("cell", CELLS.values(), ids=list(CELLS))
KEEPING = pytest.mark.parametrize("cell", [c for c in CELLS.values() if c.keepers], ids=lambda cell: cell.name)


@pytest.mark.parametrize(
    ("cell", "activation"),
    [
        (cell, phi)
        for cell in CELLS.values()
        for phi in (("tanh", "sigmoid") if "activation" in cell.options else ("tanh",))
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_autograd_through_a_step_equals_finite_differences(cell: Cell, activation: str) -> None:
    weights, before = random_weights(cell, H, I), {name: noise(B, H, seed=k) for k, name in enumerate(cell.carried)}
    values = [noise(B, I, seed=9), *before.values(), *weights.values()]

    def step(x: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        state = dict(zip(before, rest, strict=False))
        done = cell.step(x, state, dict(zip(weights, rest[len(before) :], strict=True)), activation)
        return tuple({**done.state, **done.gates, **done.preactivations}.values())

    assert torch.autograd.gradcheck(step, [value.requires_grad_() for value in values])


@CELL
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_step_returns_what_is_declared_in_the_shape_and_dtype_it_was_given(cell: Cell, dtype: torch.dtype) -> None:
    weights = {name: value.to(dtype) for name, value in random_weights(cell, H, I).items()}
    for step in run(cell, weights, noise(3, B, I).to(dtype)):
        assert tuple(step.state) == cell.states
        assert set(step.gates) == set(cell.gates)
        assert tuple(step.preactivations) == cell.blocks
        for value in (*step.state.values(), *step.gates.values(), *step.preactivations.values()):
            assert value.shape == (B, H)
            assert value.dtype == dtype


@CELL
def test_every_parameter_and_everything_carried_matters(cell: Cell) -> None:
    weights = {name: value.requires_grad_() for name, value in random_weights(cell, H, I).items()}
    before = {name: noise(B, H, seed=k).requires_grad_() for k, name in enumerate(cell.carried)}
    h = over_time(run(cell, weights, noise(3, B, I), state=before), "h")
    gradients = torch.autograd.grad(h.square().sum(), [*weights.values(), *before.values()])
    assert all(gradient.abs().max() > 1e-6 for gradient in gradients)


@CELL
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_an_activation_matters_exactly_where_it_is_an_option(cell: Cell, activation: str) -> None:
    weights, xs = random_weights(cell, H, I), noise(3, B, I)
    h, other = (over_time(run(cell, weights, xs, name), "h") for name in ("tanh", activation))
    assert torch.equal(h, other) == ("activation" not in cell.options or activation == "tanh")


@CELL
def test_gates_live_where_the_declarations_say(cell: Cell) -> None:
    assert set(cell.signed_gates) <= set(cell.gates)
    assert set(cell.unbounded_gates) <= set(cell.gates)
    steps = run(cell, random_weights(cell, 16, I, scale=4), noise(20, 8, I))
    for name in cell.gates:
        values = over_time(steps, name)
        highest = math.inf if name in cell.unbounded_gates else 1
        lowest = -highest if name in cell.signed_gates else 0
        assert lowest <= values.min()
        assert values.max() <= highest
        assert (values.min() < 0) == (name in cell.signed_gates)
        assert (values.max() > 1) == (name in cell.unbounded_gates)


@CELL
def test_declarations_fit_the_parameters(cell: Cell) -> None:
    shapes, initialisations = cell.shapes(5, 3), set(cell.initialisations)
    for name, width in (("W_ih", 3), ("W_hh", 5)):
        assert shapes.get(name, (5 * len(cell.blocks), width)) == (5 * len(cell.blocks), width)
    assert shapes.get("b", (5 * len(cell.blocks),)) == (5 * len(cell.blocks),)
    assert set(MATRIX_STARTS[1:]) & initialisations == (set(MATRIX_STARTS[1:]) if "W_hh" in shapes else set())
    assert {"default", "zeros"} <= initialisations
    assert ("chrono" in initialisations) == bool(cell.keepers)
    assert set(cell.own_start) <= set(shapes)
    assert set(cell.carried) <= set(cell.states)
    assert set(cell.bias_fields) <= set(cell.options)
    assert set(cell.bias_fields.values()) | set(cell.keepers) <= set(cell.blocks)
    assert not cell.bias_fields or "b" in shapes


@KEEPING
def test_a_keeper_keeps_with_the_sign_it_declares(cell: Cell) -> None:
    weights, before = random_weights(cell, H, I, scale=0.1), {name: noise(B, H, seed=1) for name in cell.carried}
    if "m" in before:  # much is stored, or a new input of ordinary weight would weigh as much as all of it
        before["m"] = before["m"] + 60
    for block, sign in cell.keepers.items():
        row = cell.blocks.index(block) * H
        weights["b"][row : row + H] = sign * 40
    memory = "c" if "c" in before else "h"
    kept = cell.step(noise(B, I), before, weights, "tanh").state[memory]
    torch.testing.assert_close(kept, before[memory], rtol=1e-12, atol=1e-12)
    for block, sign in cell.keepers.items():
        row = cell.blocks.index(block) * H
        weights["b"][row : row + H] = -sign * 40
    replaced = cell.step(noise(B, I), before, weights, "tanh").state[memory]
    if "m" not in before:
        assert (replaced - before[memory]).abs().min() > 1e-3


@KEEPING
def test_the_bias_that_chrono_sets_for_a_time_scale_gives_that_time_scale(cell: Cell) -> None:
    """A bias of ln(tau - 1) is a forget factor of 1 - 1/tau."""
    weights, tau = no_weights(cell), 20.0
    for block, sign in cell.keepers.items():
        weights["b"][cell.blocks.index(block)] = sign * math.log(tau - 1)
    memory = "c" if "c" in cell.carried else "h"
    before = {name: torch.ones(1, 1, dtype=torch.float64) for name in cell.carried}
    after = cell.step(torch.zeros(1, 1, dtype=torch.float64), before, weights, "tanh").state
    kept = after[memory].item()
    if "m" in before:  # as it would be without the stabiliser
        kept *= math.exp(after["m"].item() - before["m"].item())
    assert kept == pytest.approx(1 - 1 / tau, rel=1e-12)
