"""The network from inputs to outputs once more, differentiable down to its inputs.

`rnnviz.model` starts from a batch, whose inputs are no leaves of a graph. A test holds the two equal.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rnnviz.cells import CELLS
from rnnviz.errors import RnnvizError
from rnnviz.experiment import Experiment
from rnnviz.model import between, layer_weights, reordered
from rnnviz.recurrence import Layer
from rnnviz.tasks import TASKS


def respond(experiment: Experiment, weights: dict[str, Tensor], x: Tensor, lengths: Tensor | None) -> Tensor:
    """x (T, I, B) -> outputs (O, B) or (T, O, B), before any softmax.

    Raises:
        RnnvizError: if the network answers through a decoder.
    """
    task = TASKS[experiment.task]
    if task.answers == "sequence":
        raise RnnvizError(f"What a decoder says next depends on what it chose to say before. Got the task {task.name}.")
    T, B = len(x), x.shape[2]
    ends = torch.full((B,), T) if lengths is None else lengths
    t = torch.arange(T)[:, None]
    inside = t < ends  # (T, B)
    backwards = torch.where(inside, ends - 1 - t, t)
    for k in range(experiment.layers):
        y = _layer(experiment, weights, f"{k}", x)
        if experiment.bidirectional:
            other = _layer(experiment, weights, f"{k}_reverse", reordered(x, backwards))
            y = torch.cat([y, reordered(other, backwards)], 1)
        x = between(experiment, weights, "norm", k, y, x)
    if task.answers == "once":
        x = _summed_up(experiment, weights, x, ends, inside)
    return torch.matmul(weights["readout.W"], x) + weights["readout.b"][:, None]


def _layer(experiment: Experiment, weights: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    layer = Layer(name, CELLS[experiment.cell], experiment.hidden_size, experiment.activation)
    return layer.run(x, layer_weights(weights, name))


def _summed_up(experiment: Experiment, weights: dict[str, Tensor], y: Tensor, ends: Tensor, inside: Tensor) -> Tensor:
    """(T, D, B) -> (D or 2D, B) what the one answer is read from."""
    if experiment.readout == "mean":
        return torch.where(inside[:, None], y, 0).sum(0) / ends
    H = experiment.hidden_size
    final = y.gather(0, (ends - 1).expand(1, y.shape[1], -1))[0]
    if experiment.bidirectional:
        final = torch.cat([final[:H], y[0, H:]])
    if experiment.readout == "last":
        return final
    scores = torch.einsum("qb,tqb->tb", final, torch.matmul(weights["attention.W"], y))
    attended = torch.softmax(scores.masked_fill(~inside, -torch.inf), 0)
    return torch.cat([torch.einsum("tb,tdb->db", attended, y), final])
