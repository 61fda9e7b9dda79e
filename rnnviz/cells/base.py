"""What every recurrent cell declares.

A cell has two faces that a test holds equal:

- `step`: its equations for one time step, plain differentiable torch on `(B, H)` tensors of any dtype. The reference.
- `forward` and `backward`: the same network over a whole sequence, written by hand on feature-major `(T, H, B)` blocks,
  so that every gate and every total state gradient comes out of the pass for nothing. What trains.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

Weights = Mapping[str, Tensor]
"""One layer's parameters by name: `W_ih` (G*H, I), `W_hh` (G*H, H), `b` (G*H,) and what else the cell declares."""


class Step(NamedTuple):
    """One time step of a cell.

    Attributes:
        state: state name -> (B, H).
        gates: gate name -> (B, H), after its nonlinearity.
        preactivations: block name -> (B, H), before its nonlinearity.
    """

    state: dict[str, Tensor]
    gates: dict[str, Tensor]
    preactivations: dict[str, Tensor]


class Tape(NamedTuple):
    """What `forward` leaves behind of a sequence, feature-major.

    Attributes:
        states: state name -> (T + 1, H, B); index 0 is the initial state.
        gates: gate name -> (T, H, B).
        extra: whatever else the cell's own `backward` needs.
    """

    states: dict[str, Tensor]
    gates: dict[str, Tensor]
    extra: dict[str, Tensor]


class Gradients(NamedTuple):
    """What `backward` finds, feature-major, in units of each sample's own loss.

    Attributes:
        states: state name -> (T, H, B), the total derivative dL_b/d(state_t), every later path included.
        preactivations: block name -> (T, H, B), dL_b/d(pre-activation).
        rows: (R, T, B), derivative with respect to `joined weights @ z_t`; time runs inside, so that the gradient of all
            weights is one matrix product.
    """

    states: dict[str, Tensor]
    preactivations: dict[str, Tensor]
    rows: Tensor


def join(w: Weights) -> Tensor:
    """(G*H, H + I + 1): all weights of a layer side by side, to be multiplied with z = [h; x; 1]."""
    return torch.cat([w["W_hh"], w["W_ih"], w["b"][:, None]], 1)


def split(joined: Tensor, hidden_size: int) -> dict[str, Tensor]:
    """The inverse of `join`, for gradients."""
    return {"W_hh": joined[:, :hidden_size], "W_ih": joined[:, hidden_size:-1], "b": joined[:, -1]}


@dataclass(frozen=True)
class Cell:
    """A recurrent cell as the registry knows it.

    Attributes:
        name: registry, URL and file name.
        title: what people call it.
        teaches: the one line a student should take away.
        citation: the paper the equations come from.
        states: carried from step to step; the first is what the readout sees.
        blocks: pre-activation blocks in the row order of `W_ih` and `W_hh` (PyTorch's order where there is a twin).
        gates: the blocks a page shows as gates.
        signed_gates: those of `gates` that live in (-1, 1) rather than (0, 1).
        equations: symbol -> LaTeX, in the order of evaluation. A test evaluates them against `step`.
        options: the `Experiment` fields that only some cells have and this one does.
        extra_parameters: further parameter vectors, name -> the blocks they cover.
        bias_field: (Experiment field, block) whose value is added to that block's initial bias.
        step: see module docstring; called as `step(x, state, weights, activation)`.
        forward: called as `forward(z, joined, activation)`. z is (T + 1, H + I + 1, B): z[t] holds h_{t-1} (0-based t), x_t
            and a row of ones; the h part is zero at first and filled in. `joined` is (R, H + I + 1).
        backward: called as `backward(tape, joined, activation, direct)`, direct = dL_b/dh_t through the readout only.
        join, split: from a layer's weights to the matrix that multiplies z, and back for its gradient.
    """

    name: str
    title: str
    teaches: str
    citation: str
    states: tuple[str, ...]
    blocks: tuple[str, ...]
    gates: tuple[str, ...]
    signed_gates: tuple[str, ...]
    equations: Mapping[str, str]
    options: tuple[str, ...]
    extra_parameters: Mapping[str, tuple[str, ...]]
    bias_field: tuple[str, str] | None
    step: Callable[[Tensor, Mapping[str, Tensor], Weights, str], Step]
    forward: Callable[[Tensor, Tensor, str], Tape]
    backward: Callable[[Tape, Tensor, str, Tensor], Gradients]
    join: Callable[[Weights], Tensor] = join
    split: Callable[[Tensor, int], dict[str, Tensor]] = split


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "linear": lambda a: a,
}
"""The nonlinearities of the cells that let one choose."""
