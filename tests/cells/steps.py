"""A cell by itself, without the network around it: random weights, and its reference equations over a sequence."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from rnnviz.cells import Cell, Step

State = dict[str, Tensor]


def random_weights(cell: Cell, H: int, I: int, seed: int = 0, scale: float = 1.0) -> dict[str, Tensor]:
    """Normal, in float64."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: scale * torch.randn(shape, generator=generator, dtype=torch.float64)
        for name, shape in cell.shapes(H, I).items()
    }


def no_weights(cell: Cell, H: int = 1, I: int = 1) -> dict[str, Tensor]:
    """All zero, in float64."""
    return {name: torch.zeros(shape, dtype=torch.float64) for name, shape in cell.shapes(H, I).items()}


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def rest(cell: Cell, B: int, H: int, dtype: torch.dtype = torch.float64) -> State:
    return {name: torch.zeros(B, H, dtype=dtype) for name in cell.carried}


def run(
    cell: Cell, weights: Mapping[str, Tensor], xs: Tensor, activation: str = "tanh", state: State | None = None
) -> list[Step]:
    """xs (T, B, I) -> T steps, from rest or from `state`."""
    first, shape = next(iter(cell.shapes(1, 1).items()))
    state = state or rest(cell, xs.shape[1], len(weights[first]) // shape[0], xs.dtype)
    steps = []
    for x in xs:
        steps.append(cell.step(x, state, weights, activation))
        state = {name: steps[-1].state[name] for name in cell.carried}
    return steps


def over_time(steps: list[Step], name: str) -> Tensor:
    """(T, B, H) of a state or a gate."""
    return torch.stack([(step.state | step.gates)[name] for step in steps])


def jacobian(
    cell: Cell, x: Tensor, state: State, weights: Mapping[str, Tensor], of: str = "h", by: str = "h"
) -> Tensor:
    """(H, H) d of_t / d by_{t-1} of one sample: x (1, I), states (1, H)."""
    H = state[by].shape[1]
    rows = {name: value.detach().expand(H, H).clone() for name, value in state.items()}
    rows[by].requires_grad_()
    after = cell.step(x.expand(H, -1), rows, weights, "tanh").state[of]
    found: Tensor = torch.autograd.grad(after, rows[by], torch.eye(H, dtype=x.dtype))[0]
    return found
