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
    """What `forward` remembers of a sequence, feature-major.

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
        input_side: (T, G*H, B), dL_b/d(W_ih x_t + b): the pre-activation gradients.
        recurrent_side: (T, G*H, B), dL_b/d(W_hh h_{t-1}); the same tensor wherever the two are simply added.
    """

    states: dict[str, Tensor]
    input_side: Tensor
    recurrent_side: Tensor


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
        forward: called as `forward(u, weights, activation)`, u = W_ih x + b of shape (T, G*H, B).
        backward: called as `backward(tape, weights, activation, direct)`, direct = dL_b/dh_t through the readout only.
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
    forward: Callable[[Tensor, Weights, str], Tape]
    backward: Callable[[Tape, Weights, str, Tensor], Gradients]


class Activation(NamedTuple):
    """A nonlinearity, its in-place form and its derivative written in its own output."""

    apply: Callable[[Tensor], Tensor]
    apply_: Callable[[Tensor], Tensor]
    slope_from_output: Callable[[Tensor], Tensor]


ACTIVATIONS: dict[str, Activation] = {
    "tanh": Activation(torch.tanh, torch.tanh_, lambda y: 1 - y * y),
    "relu": Activation(torch.relu, torch.relu_, lambda y: (y > 0).to(y.dtype)),
    "sigmoid": Activation(torch.sigmoid, torch.sigmoid_, lambda y: y * (1 - y)),
    "linear": Activation(lambda a: a, lambda a: a, torch.ones_like),
}
