"""A recurrent network as a map from state to state, s_t = F(s_{t-1}, x_t), and the derivative of that map."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from rnnviz.analysis.gradients import READS_THROUGH, SPEAKS_THROUGH
from rnnviz.arithmetic import one_thread
from rnnviz.cells import ACTIVATIONS, CELLS, Cell, Weights
from rnnviz.errors import RnnvizError
from rnnviz.experiment import Experiment
from rnnviz.model import between, layer_weights, views
from rnnviz.recurrence import Layer
from rnnviz.training import Checkpoint

CHUNK = 2**23  # float64 numbers in one block of Jacobians, 64 MiB
JACOBIAN_BOUND = 1024  # MiB of Jacobians one call may return


@dataclass(frozen=True)
class Dynamics:
    """s_t = F(s_{t-1}, x_t): one cell, or a stack of them that reads forwards. Float64.

    The state s is everything one step hands to the next: (h, c) of an LSTM, (re, im) of an LRU, one layer after the other.

    Attributes:
        cell: the recurrent cell.
        layers: each layer's weights, bottom to top.
        activation: one of `ACTIVATIONS`; only some cells ask for it.
        network: what lies between the layers of a network: its experiment and all its weights. None for a cell alone.
    """

    cell: Cell
    layers: tuple[Weights, ...]
    activation: str = "tanh"
    network: tuple[Experiment, dict[str, Tensor]] | None = None

    @classmethod
    def of(cls, source: Checkpoint | Dynamics) -> Dynamics:
        """The recurrent layers of a checkpoint's network (of its encoder, if it has a decoder).

        Raises:
            RnnvizError: if the network also reads backwards: what comes later is no state.
        """
        if isinstance(source, Dynamics):
            return source
        experiment = source.experiment
        if experiment.bidirectional:
            raise RnnvizError(
                "A network is a map from state to state only if it reads forwards. Got bidirectional=true."
            )
        weights = views(experiment, torch.tensor(source.parameters).double())
        layers = tuple(layer_weights(weights, f"{k}") for k in range(experiment.layers))
        return cls(CELLS[experiment.cell], layers, experiment.activation, (experiment, weights))

    @classmethod
    def of_cell(cls, cell: str | Cell, weights: Mapping[str, ArrayLike | Tensor], activation: str = "tanh") -> Dynamics:
        """One cell with weights of your own, arrays or tensors in the shapes of `Cell.shapes`.

        Raises:
            RnnvizError: if the cell or activation is unknown, or a weight is missing, unknown or misshapen.
        """
        if isinstance(cell, str):
            if cell not in CELLS:
                raise RnnvizError(f"`cell` must be one of {', '.join(CELLS)}. Got {cell!r}.")
            cell = CELLS[cell]
        if activation not in ACTIVATIONS:
            raise RnnvizError(f"`activation` must be one of {', '.join(ACTIVATIONS)}. Got {activation!r}.")
        given = {name: _float64(value) for name, value in weights.items()}
        names = cell.shapes(1, 1)
        if set(given) != set(names):
            raise RnnvizError(f"`weights` of the cell {cell.name} are {', '.join(names)}. Got {', '.join(given)}.")
        H, I = _sizes(cell, given)
        for name, shape in cell.shapes(H, I).items():
            if tuple(given[name].shape) != shape:
                raise RnnvizError(
                    f"`{name}` must have shape {shape} for the cell {cell.name}, H = {H} and I = {I}. "
                    f"Got {tuple(given[name].shape)}."
                )
        return cls(cell, (given,), activation)

    @property
    def hidden_size(self) -> int:
        """H, units of one layer."""
        return _sizes(self.cell, self.layers[0])[0]

    @property
    def input_size(self) -> int:
        """I, channels of x_t."""
        return _sizes(self.cell, self.layers[0])[1]

    @property
    def size(self) -> int:
        """n, numbers in the state."""
        return len(self.layers) * len(self.cell.carried) * self.hidden_size

    @property
    def names(self) -> list[str]:
        """(n,) what each number of the state is: "h[0]", or "1.c[3]" in the second of several layers."""
        return [
            f"{f'{k}.' if len(self.layers) > 1 else ''}{state}[{unit}]"
            for k in range(len(self.layers))
            for state in self.cell.carried
            for unit in range(self.hidden_size)
        ]

    def __call__(self, state: Tensor, x: Tensor) -> Tensor:
        """F: s_{t-1} (B, n) and x_t (B, I) -> s_t (B, n), differentiable."""
        carried, after = self.cell.carried, []
        pieces = iter(state.split(self.hidden_size, 1))
        for k, w in enumerate(self.layers):
            before = {name: next(pieces) for name in carried}
            step = self.cell.step(x, before, w, self.activation)
            after += [step.state[name] for name in carried]
            if k + 1 < len(self.layers) and self.network is not None:
                experiment, weights = self.network
                x = between(experiment, weights, "norm", k, step.state["h"].T[None], x.T[None])[0].T
        return torch.cat(after, 1)

    @one_thread()
    def run(self, inputs: ArrayLike, state: ArrayLike | None = None) -> np.ndarray:
        """(T + 1, B, n) every state along inputs (T, B, I), the initial one (B, n) first; default: zero.

        Raises:
            RnnvizError: if a shape does not fit.
        """
        x = self.checked_inputs(inputs)
        T, B, _ = x.shape
        states = torch.zeros(T + 1, B, self.size, dtype=torch.float64)
        if state is not None:
            first = torch.from_numpy(np.array(state, np.float64))
            if first.shape != (B, self.size):
                raise RnnvizError(f"`state` must have shape ({B}, {self.size}). Got {tuple(first.shape)}.")
            states[0] = first
        with torch.no_grad():
            if self.cell.fast is not None and len(self.layers) == 1 and state is None:
                layer = Layer("0", self.cell, self.hidden_size, self.activation)
                layer.run(x.transpose(1, 2), self.layers[0])
                found = [layer.tape.states[name].transpose(1, 2) for name in self.cell.carried]
                torch.cat(found, 2, out=states)
            else:
                for t in range(T):
                    states[t + 1] = self(states[t], x[t])
        return states.numpy()

    def checked_inputs(self, inputs: ArrayLike) -> Tensor:
        """(T, B, I) as float64, or the sentence that says what is wrong with them."""
        x = torch.from_numpy(np.array(inputs, np.float64))
        if x.ndim != 3 or 0 in x.shape or x.shape[2] != self.input_size:
            raise RnnvizError(f"`inputs` must have shape (T, B, {self.input_size}). Got {tuple(x.shape)}.")
        return x

    @one_thread()
    def jacobians(self, inputs: ArrayLike, state: ArrayLike | None = None) -> np.ndarray:
        """(T, B, n, n) ds_t/ds_{t-1} along inputs (T, B, I), from the state (B, n) or from zero; see `jacobians`.

        Raises:
            RnnvizError: if a shape does not fit, or they would need more than 1 GiB.
        """
        x = self.checked_inputs(inputs)
        T, B, I = x.shape
        self.room_for(T, B)
        states = torch.from_numpy(self.run(inputs, state)[:-1])
        _, found = self.linearised(states.reshape(T * B, -1), x.reshape(T * B, I))
        return found.unflatten(0, (T, B)).numpy()

    def room_for(self, T: int, B: int) -> None:
        """Refuse more Jacobians than fit."""
        n = self.size
        need = T * B * n * n * 8 / 2**20
        if need > JACOBIAN_BOUND:
            raise RnnvizError(
                f"T × B Jacobians of n × n numbers must fit {JACOBIAN_BOUND} MiB; choose fewer samples or steps. "
                f"Got {T} × {B} of {n} × {n}, {need:.0f} MiB."
            )

    @property
    def block(self) -> int:
        """How many Jacobians to hold at a time."""
        return max(1, CHUNK // self.size**2)

    def linearised(self, states: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """F and its Jacobian at N points.

        Args:
            states: (N, n) s_{t-1}.
            x: (N, I) x_t.

        Returns:
            (N, n) s_t and (N, n, n) ds_t/ds_{t-1}, row = which component of s_t.
        """
        N, n = states.shape
        after, found = torch.empty_like(states), torch.empty(N, n, n, dtype=states.dtype)
        if self.unit_by_unit:
            for k in range(0, N, self.block):
                part = slice(k, k + self.block)
                self._fill(states[part], x[part], after[part], found[part])
            return after, found
        rows = torch.eye(n, dtype=states.dtype)[:, None]
        for k in range(0, N, self.block):
            here = states[k : k + self.block].detach().requires_grad_()
            with torch.enable_grad():
                there = self(here, x[k : k + self.block])
            # Samples do not see one another, so one way back for component i serves them all.
            slopes = torch.autograd.grad(there, here, rows.expand(n, *here.shape), is_grads_batched=True)[0]
            found[k : k + self.block] = slopes.transpose(0, 1)
            after[k : k + self.block] = there.detach()
        return after, found

    @property
    def unit_by_unit(self) -> bool:
        """Whether units meet only in W_hh h, so that a Jacobian is diagonals and rows of W_hh, each times a number."""
        return len(self.layers) == 1 and "W_hh" in self.layers[0] and self.cell.name not in READS_THROUGH

    def _fill(self, states: Tensor, x: Tensor, after: Tensor, found: Tensor) -> None:
        """`linearised` with a way back for each state rather than for each unit: ten times as fast for an LSTM of 64."""
        H, cell, w = self.hidden_size, self.cell, self.layers[0]
        before = {
            name: part.detach().requires_grad_() for name, part in zip(cell.carried, states.split(H, 1), strict=True)
        }
        with torch.enable_grad():
            step = cell.step(x, before, w, self.activation)
        blocks = list(step.preactivations)
        W = w["W_hh"].view(len(cell.blocks), H, H)[[cell.blocks.index(block) for block in blocks]]
        speaks = SPEAKS_THROUGH.get(cell.name, {})
        for i, name in enumerate(cell.carried):
            value = step.state[name]
            after[:, i * H : (i + 1) * H] = value.detach()
            slopes = torch.autograd.grad(
                value.sum(),
                [*step.preactivations.values(), *before.values()],
                retain_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )
            own = [
                slope * step.gates[speaks[block]].detach() if block in speaks else slope
                for block, slope in zip(blocks, slopes, strict=False)
            ]
            rows = torch.bmm(torch.stack(own).permute(2, 1, 0), W.transpose(0, 1)).transpose(0, 1)  # (N, H, H)
            for j, (other, direct) in enumerate(zip(cell.carried, slopes[len(blocks) :], strict=True)):
                place = found[:, i * H : (i + 1) * H, j * H : (j + 1) * H]
                if other == "h":
                    # What came by W_hh is in `rows`; without it the way through the other states and gates remains.
                    direct = direct - sum(d @ W_block for d, W_block in zip(own, W, strict=True))
                    place.copy_(rows)
                else:
                    place.zero_()
                place.diagonal(dim1=1, dim2=2).add_(direct)


def _float64(value: ArrayLike | Tensor) -> Tensor:
    """A copy."""
    return torch.from_numpy(np.array(value.detach().numpy() if isinstance(value, Tensor) else value, np.float64))


def _sizes(cell: Cell, weights: Weights) -> tuple[int, int]:
    """H and I, read off the shapes."""
    name, (rows, *_) = next(iter(cell.shapes(1, 1).items()))
    H = len(weights[name]) // rows
    reads_input = next(name for name, shape in cell.shapes(H, 1).items() if shape != cell.shapes(H, 2)[name])
    return H, weights[reads_input].shape[-1]
