"""What every recurrent cell declares.

A cell has one or two faces, which a test holds equal:

- `step`: its equations for one time step, plain differentiable torch on `(B, H)` tensors of any dtype. The reference,
  and what trains where there is nothing faster.
- `fast`: the same network over a whole sequence, forward and backward, written by hand on feature-major `(T, H, B)`
  blocks, so that every gate and every total state gradient comes out of the pass for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

MATRIX_STARTS = ("default", "xavier", "orthogonal", "identity", "spectral")  # they speak of a recurrent matrix

Weights = Mapping[str, Tensor]
"""One layer's parameters by name, in the shapes that `Cell.shapes` gives."""


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
            weights is one matrix product. Only from a `FastPass`.
        weights: (R, H + I + 1), derivative with respect to the joined weights. Only from a `FastPass` some of whose weights
            multiply something else than z; `rows` is then read for the gradient of x alone.
    """

    states: dict[str, Tensor]
    preactivations: dict[str, Tensor]
    rows: Tensor | None
    weights: Tensor | None = None


def join(w: Weights) -> Tensor:
    """(G*H, H + I + 1): all weights of a layer side by side, to be multiplied with z = [h; x; 1]."""
    return torch.cat([w["W_hh"], w["W_ih"], w["b"][:, None]], 1)


def split(joined: Tensor, hidden_size: int) -> dict[str, Tensor]:
    """The inverse of `join`, for gradients."""
    return {"W_hh": joined[:, :hidden_size], "W_ih": joined[:, hidden_size:-1], "b": joined[:, -1]}


def columns(a: Tensor) -> Tensor:
    """(T, N, B) -> (N, T*B), so that a sum over time and batch becomes one matrix product."""
    return a.transpose(0, 1).reshape(a.shape[1], -1)


def product(rows: Tensor, z: Tensor) -> Tensor:
    """(R, K) gradient of the weights that multiply z (T, K, B), from that of what comes out, `rows` (R, T, B)."""
    # numpy's matrix library is the faster one at a product this long. It would warn of a run that diverges; `advance`
    # says so in a sentence.
    with np.errstate(over="ignore", invalid="ignore"):
        return torch.from_numpy(rows.flatten(1).numpy() @ columns(z).numpy().T)


def spread(direct: Tensor, T: int) -> Tensor:
    """(T, H, B), a copy: `direct` on its last steps, zero before."""
    whole = direct.new_zeros(T, *direct.shape[1:])
    whole[T - len(direct) :] = direct
    return whole


@dataclass(frozen=True)
class FastPass:
    """A hand-written way through a whole sequence, held equal to `Cell.step` by a test.

    Attributes:
        forward: called as `forward(z, joined, activation)`. z is (T + 1, H + I + 1, B): z[t] holds h_{t-1} (0-based t), x_t
            and a row of ones; the h part is zero at first and filled in. `joined` is (R, H + I + 1).
        backward: called as `backward(tape, joined, activation, direct, window)`: direct is dL_b/dh_t by every path but the
            recurrent one, (T, H, B), or (1, H, B) where only the last step has any; with `window` > 0 nothing flows back
            over a multiple of so many steps.
        join, split: from a layer's weights to the matrix that multiplies z, and back for its gradient.
    """

    forward: Callable[[Tensor, Tensor, str], Tape]
    backward: Callable[[Tape, Tensor, str, Tensor, int], Gradients]
    join: Callable[[Weights], Tensor] = join
    split: Callable[[Tensor, int], dict[str, Tensor]] = split


def block_shapes(blocks: int, **more: int) -> Callable[[int, int], dict[str, tuple[int, ...]]]:
    """The parameters of a cell whose blocks each read input and state through a matrix of their own and a bias.

    `more` names further vectors and how many blocks of H each covers.
    """

    def shapes(H: int, I: int) -> dict[str, tuple[int, ...]]:
        rows = blocks * H
        return {"W_ih": (rows, I), "W_hh": (rows, H), "b": (rows,)} | {name: (n * H,) for name, n in more.items()}

    return shapes


def input_shapes(blocks: int, **more: int) -> Callable[[int, int], dict[str, tuple[int, ...]]]:
    """The parameters of a cell whose blocks read only the input through a matrix: as `block_shapes`, without `W_hh`."""

    def shapes(H: int, I: int) -> dict[str, tuple[int, ...]]:
        return {"W_ih": (blocks * H, I), "b": (blocks * H,)} | {name: (n * H,) for name, n in more.items()}

    return shapes


class Start(NamedTuple):
    """What a cell's own initialiser may depend on: T is the length of the sequences, in steps."""

    rng: np.random.Generator
    shape: tuple[int, ...]
    T: int


@dataclass(frozen=True)
class Cell:
    """A recurrent cell as the registry knows it.

    Attributes:
        name: registry, URL and file name.
        title: what people call it.
        teaches: the one line a student should take away.
        citation: the paper the equations come from.
        states: what a step returns, each (B, H); the first is `h`, what the readout and the next layer see.
        blocks: names of the pre-activations, in the row order of `W_ih` and `b` (PyTorch's order where there is a twin).
        gates: those of `blocks` a page shows as gates.
        signed_gates: those of `gates` that live in (-1, 1) rather than (0, 1); an unbounded one, on the whole line.
        equations: symbol -> LaTeX, in the order of evaluation. A test evaluates them against `step`.
        step: the reference; called as `step(x, state, weights, activation)`.
        shapes: `(H, I) -> parameter name -> shape`. One H by H block of `W_hh` for each block that reads the state.
        options: the `Experiment` fields that only some cells have and this one does.
        initialisations: which of `INITIALISATIONS` make sense; those that speak of a recurrent matrix need one.
        own_start: how parameters begin that are no plain matrix or bias; others follow the chosen initialisation.
        bias_fields: `Experiment` field -> the block to whose initial bias its value is added.
        keepers: block -> +1 where an open gate keeps the old state, -1 where it overwrites it. What chrono initialisation
            (Tallec & Ollivier 2018) sets: a bias of +-ln U(1, T - 1).
        carried: those of `states` that the next step reads; a state read out but not carried is left out. Default: all.
        unbounded_gates: those of `gates` with no upper bound.
        symbols: gate or state name -> its symbol, as the equations write it, without the time index ("i", "c", "\\tilde h").
        definitions: LaTeX of what the equations abbreviate, printed and evaluated before them: functions of weights, input
            and past states. One of the form "m_0 = ..." says where a state starts if not at zero.
        fast: the hand-written pass; without one the cell trains by autograd through `step`.
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
    symbols: Mapping[str, str]
    step: Callable[[Tensor, Mapping[str, Tensor], Weights, str], Step]
    shapes: Callable[[int, int], dict[str, tuple[int, ...]]]
    options: tuple[str, ...] = ()
    initialisations: tuple[str, ...] = (*MATRIX_STARTS, "zeros")
    own_start: Mapping[str, Callable[[Start], np.ndarray]] = field(default_factory=dict)
    bias_fields: Mapping[str, str] = field(default_factory=dict)
    keepers: Mapping[str, int] = field(default_factory=dict)
    carried: tuple[str, ...] = ()
    unbounded_gates: tuple[str, ...] = ()
    definitions: tuple[str, ...] = ()
    fast: FastPass | None = None

    def __post_init__(self) -> None:
        if not self.carried:
            object.__setattr__(self, "carried", self.states)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "linear": lambda a: a,
}
"""The nonlinearities of the cells that let one choose."""

SLOPES: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": lambda h: 1 - h * h,
    "relu": lambda h: (h > 0).to(h.dtype),
    "sigmoid": lambda h: h * (1 - h),
    "linear": torch.ones_like,
}
"""Their derivatives, by what they gave."""
