"""A network that reads its own outputs: the future it forecasts, the text it writes.

Step by step through the cells' reference equations, forward only; a network that reads backwards cannot do it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from rnnviz.cells import CELLS
from rnnviz.errors import RnnvizError
from rnnviz.model import between, layer_weights, views
from rnnviz.tasks import TASKS

if TYPE_CHECKING:
    from rnnviz.training import Checkpoint

FUTURE_STEPS = 24


class Reader:
    """One sequence read step by step.

    Raises:
        RnnvizError: if the network needs more than the past: it reads backwards, or does not answer at every step.
    """

    def __init__(self, checkpoint: Checkpoint, dtype: torch.dtype = torch.float64):
        experiment = checkpoint.experiment
        if TASKS[experiment.task].answers != "every" or experiment.bidirectional:
            raise RnnvizError(
                "Only a network that answers at every step and reads forwards can go on by itself. Got "
                f"task={experiment.task}, bidirectional={str(experiment.bidirectional).lower()}."
            )
        self._experiment, self._cell = experiment, CELLS[experiment.cell]
        self._weights = views(experiment, torch.tensor(checkpoint.parameters).to(dtype))
        self._layers = [layer_weights(self._weights, f"{k}") for k in range(experiment.layers)]
        zero = torch.zeros(1, experiment.hidden_size, dtype=dtype)
        self._states = [dict.fromkeys(self._cell.carried, zero) for _ in self._layers]

    @torch.no_grad()
    def read(self, inputs: np.ndarray) -> np.ndarray:
        """(I,) what comes in at this step -> (O,) what the network says, before any softmax."""
        x = torch.from_numpy(np.asarray(inputs)).to(self._weights["readout.W"].dtype)[None]  # (1, I)
        for k, weights in enumerate(self._layers):
            step = self._cell.step(x, self._states[k], weights, self._experiment.activation)
            self._states[k] = {name: step.state[name] for name in self._cell.carried}
            y: Tensor = between(self._experiment, self._weights, "norm", k, step.state["h"].T[None], x.T[None])
            x = y[0].T
        said: np.ndarray = (x @ self._weights["readout.W"].T + self._weights["readout.b"])[0].numpy()
        return said


def future(checkpoint: Checkpoint, inputs: np.ndarray, steps: int = FUTURE_STEPS) -> np.ndarray:
    """How a one-step forecaster goes on after `inputs` (T, I), each forecast read as if it had happened.

    Returns:
        (steps, O) the forecasts of x_{T+1}, x_{T+2}, ...
    """
    reader, said = Reader(checkpoint), np.zeros(0)
    for x in inputs:
        said = reader.read(x)
    found = [said]
    while len(found) < steps:
        found.append(reader.read(found[-1]))
    return np.stack(found)


def write(
    checkpoint: Checkpoint, start: np.ndarray, steps: int, temperature: float, rng: np.random.Generator
) -> Iterator[int]:
    """Symbols a next-symbol network goes on to say after `start` (T, I), each drawn from softmax(outputs / temperature).

    Temperature 0 takes the likeliest. One-hot inputs and outputs must name the same symbols.

    Raises:
        RnnvizError: if inputs and outputs are not the same symbols, there is nothing to start from, or the temperature is
            negative.
    """
    if not temperature >= 0:  # also true for NaN
        raise RnnvizError(f"`temperature` must be at least 0. Got {temperature:g}.")
    reader, said, task = Reader(checkpoint), np.zeros(0), TASKS[checkpoint.experiment.task]
    if task.loss != "cross_entropy" or task.input_names != task.output_names:
        raise RnnvizError(f"`write` needs a next-symbol task. Got {task.name}.")
    if not len(start):
        raise RnnvizError("`start` must hold at least one symbol. Got none.")
    for x in start:
        said = reader.read(x)
    for _ in range(steps):
        if temperature == 0:
            symbol = int(said.argmax())
        else:
            p = np.exp((said - said.max()) / temperature)
            symbol = int(rng.choice(len(p), p=p / p.sum()))
        yield symbol
        said = reader.read(np.eye(len(said))[symbol])
