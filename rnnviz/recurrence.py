"""One recurrent layer over a whole sequence as a single differentiable operation that remembers everything.

Autograd sees one node, `(T, I, B)` in, `(T, H, B)` out; what happens inside is the cell's fast pass, or its reference
equations where it has none. Either way every state, every gate and every total gradient is left behind.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rnnviz.cells import Cell, Gradients, Tape, Weights
from rnnviz.cells.base import product, spread
from rnnviz.loops import Array, loop


class Layer:
    """One pass of one layer in one direction.

    Attributes:
        name: prefix of its parameters: "0", "1_reverse", "decoder_0".
        cell: the recurrent cell.
        order: (T, B) where each of the layer's own steps lies in real time, for one that reads backwards; else None.
        tape: every state and gate, in the layer's own time.
        gradients: every total gradient of the latest backward pass, in the layer's own time.
    """

    tape: Tape
    gradients: Gradients

    def __init__(
        self, name: str, cell: Cell, hidden_size: int, activation: str, *, window: int = 0, reference: bool = False
    ):
        """`window`: steps after which the gradient stops, 0 for never. `reference`: no fast pass."""
        self.name, self.cell, self.hidden_size = name, cell, hidden_size
        self.activation, self.window = activation, window
        self.fast = None if reference else cell.fast
        self.order: Tensor | None = None

    def run(self, x: Tensor, weights: Weights) -> Tensor:
        """x (T, I, B) -> h (T, H, B), as one node of autograd's graph."""
        self._names, self._graph = tuple(weights), torch.is_grad_enabled()
        h: Tensor = _Node.apply(self, x, *weights.values())  # type: ignore[no-untyped-call]
        return h

    def record(self, x: Tensor, weights: Weights) -> Tensor:
        """Like `run`, but the way back is `back`, not autograd's."""
        self._names, self._graph = tuple(weights), True
        return self._forward(x, weights)

    def back(self, direct: Tensor, wants_x: bool) -> tuple[Tensor | None, dict[str, Tensor]]:
        """From dL_b/dh through other paths, (T, H, B) or (1, H, B) for the last step alone, to x and the weights."""
        to_x, pieces = self._backward(direct, wants_x)
        return to_x, {name: piece for name, piece in zip(self._names, pieces, strict=True) if piece is not None}

    def _forward(self, x: Tensor, weights: Weights) -> Tensor:
        if self.fast is None:
            return self._forward_by_steps(x, weights)
        self._joined = self.fast.join(weights)
        self._z = _states_and_inputs(x, self.hidden_size)
        self.tape = self.fast.forward(self._z, self._joined, self.activation)
        return self.tape.states["h"][1:]

    def _backward(self, direct: Tensor, wants_x: bool) -> tuple[Tensor | None, Sequence[Tensor | None]]:
        if self.fast is None:
            return self._backward_by_steps(direct)
        H = direct.shape[1]
        self.gradients = self.fast.backward(self.tape, self._joined, self.activation, direct, self.window)
        rows, whole = self.gradients.rows, self.gradients.weights
        assert rows is not None
        pieces = self.fast.split(product(rows, self._z[:-1]) if whole is None else whole, H)
        to_x = None
        if wants_x:
            below = self._joined[:, H:-1].T @ rows.flatten(1)  # (I, T*B)
            to_x = below.unflatten(1, (-1, direct.shape[2])).transpose(0, 1)
        return to_x, [pieces[name] for name in self._names]

    def _forward_by_steps(self, x: Tensor, weights: Weights) -> Tensor:
        """Autograd's own graph inside this one node: leaves are cut off here and joined again in `_backward_by_steps`."""
        cell, H, B = self.cell, self.hidden_size, x.shape[2]
        with torch.set_grad_enabled(self._graph):
            self._leaves = [x.detach().requires_grad_(self._graph)]
            self._leaves += [value.detach().requires_grad_(self._graph) for value in weights.values()]
            w = dict(zip(weights, self._leaves[1:], strict=True))
            state = {name: x.new_zeros(B, H) for name in cell.carried}
            self._steps = []
            for t, now in enumerate(self._leaves[0].transpose(1, 2).unbind(0)):
                if t and self.window and t % self.window == 0:  # truncated: nothing flows back from here on
                    state = {name: value.detach() for name, value in state.items()}
                step = cell.step(now, state, w, self.activation)
                self._steps.append(step)
                state = {name: step.state[name] for name in cell.carried}
        with torch.no_grad():
            states = {
                name: torch.cat([x.new_zeros(1, H, B), _feature_major([step.state[name] for step in self._steps])])
                for name in cell.states
            }
            gates = {name: _feature_major([step.gates[name] for step in self._steps]) for name in cell.gates}
        self.tape = Tape(states, gates, {})
        if not self._graph:
            del self._steps, self._leaves
        return self.tape.states["h"][1:]

    def _backward_by_steps(self, direct: Tensor) -> tuple[Tensor | None, Sequence[Tensor | None]]:
        cell, steps = self.cell, self._steps
        states = [step.state[name] for name in cell.states for step in steps]
        blocks = [step.preactivations[name] for name in cell.blocks for step in steps]
        found = torch.autograd.grad(
            [step.state["h"] for step in steps],
            [*self._leaves, *states, *blocks],
            list(spread(direct, len(steps)).transpose(1, 2)),
            retain_graph=True,
            allow_unused=True,
            materialize_grads=True,
        )
        n, T = len(self._leaves), len(steps)
        runs = [_feature_major(found[k : k + T]) for k in range(n, len(found), T)]
        self.gradients = Gradients(
            dict(zip(cell.states, runs, strict=False)),
            dict(zip(cell.blocks, runs[len(cell.states) :], strict=True)),
            None,
        )
        return found[0], found[1:n]

    def sample_norms(self) -> dict[str, np.ndarray]:
        """State name -> (T, B) 2-norm over units of each sample's total state gradient, in the layer's own time."""
        return {name: norms_over_units(grads.numpy()) for name, grads in self.gradients.states.items()}


def norms_over_units(grads: np.ndarray) -> np.ndarray:
    """(T, H, B) contiguous -> (T, B) 2-norms, in the same precision."""
    norms = np.empty((grads.shape[0], grads.shape[2]), grads.dtype)
    _norms_over_units(grads, norms)
    return norms


@loop
def _norms_over_units(grads: Array, norms: Array) -> None:
    # Scaled by the largest before squaring: a float64 reaches 1e+-308, its square only half as far.
    T, H, B = grads.shape
    largest, total = np.empty(B), np.empty(B)
    for t in range(T):
        largest[:] = 0
        total[:] = 0
        for j in range(H):
            for b in range(B):
                largest[b] = max(largest[b], abs(np.float64(grads[t, j, b])))
        for b in range(B):
            if largest[b] == 0:  # also where all are not numbers: those stay in the sum
                largest[b] = 1
        for j in range(H):
            for b in range(B):
                value = np.float64(grads[t, j, b]) / largest[b]
                total[b] += value * value
        for b in range(B):
            norms[t, b] = largest[b] * math.sqrt(total[b])


class _Node(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, layer: Layer, x: Tensor, *weights: Tensor) -> Tensor:
        ctx.layer = layer
        return layer._forward(x, dict(zip(layer._names, weights, strict=True)))

    @staticmethod
    def backward(ctx: Any, direct: Tensor) -> tuple[Tensor | None, ...]:
        to_x, to_weights = ctx.layer._backward(direct.contiguous(), ctx.needs_input_grad[1])
        return None, to_x, *to_weights


def _states_and_inputs(x: Tensor, hidden_size: int) -> Tensor:
    """(T + 1, H + I + 1, B): room for the states, the inputs x (T, I, B), and a row of ones for the bias."""
    T, I, B = x.shape
    z = x.new_empty(T + 1, hidden_size + I + 1, B)
    z[0, :hidden_size] = 0
    z[:-1, hidden_size:-1] = x
    z[:, -1] = 1
    return z


def _feature_major(steps: Sequence[Tensor]) -> Tensor:
    """T of (B, H) -> (T, H, B), contiguous."""
    return torch.stack(tuple(steps)).transpose(1, 2).contiguous()
