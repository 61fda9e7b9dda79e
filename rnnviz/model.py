"""A cell made into a network: stacked in layers, read out, scored; forward and backward through all of it.

All parameters live in one flat vector, so that an optimiser step is a handful of operations however many layers there
are; `layout` says where each named piece lies. Everything here works in the dtype of that vector.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rnnviz.cells import CELLS, Gradients, Step, Tape
from rnnviz.experiment import Experiment
from rnnviz.tasks import TASKS, Batch

INITIAL_WEIGHTS_STREAM, PROBE_STREAM, BATCH_STREAM = 0, 1, 2
PROBE_SIZE = 16


class Pass(NamedTuple):
    """One forward and backward pass over a batch, feature-major.

    Attributes:
        tapes: per layer, every state and gate.
        joined: per layer, the matrix of all its weights, see `Cell.join`.
        gradients: per layer, every total state gradient and pre-activation gradient, of each sample's own loss.
        outputs: (B, O) or (T, B, O) what the network said, before any softmax.
        losses: (B,) L_b, each sample's own loss.
        correct: (B,) whether each sample was classified correctly; None for a squared error.
        parameter_gradient: flat, d(mean of L_b over the batch)/d(parameters).
    """

    tapes: list[Tape]
    joined: list[Tensor]
    gradients: list[Gradients]
    outputs: Tensor
    losses: Tensor
    correct: Tensor | None
    parameter_gradient: Tensor


def stream(experiment: Experiment, purpose: int, index: int = 0) -> np.random.Generator:
    """The random generator of one purpose. Numbered by step rather than advanced, so that no state has to be carried."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((experiment.seed, purpose, index))))


def training_batch(experiment: Experiment, step: int) -> Batch:
    """The fresh examples of training step `step` (0-based)."""
    rng = stream(experiment, BATCH_STREAM, step)
    return TASKS[experiment.task].sample(rng, experiment.batch_size, experiment.length, experiment.signal)


def probe_batch(experiment: Experiment) -> Batch:
    """The fixed examples every picture is drawn from: the same for every cell and at every training step."""
    rng = stream(experiment, PROBE_STREAM)
    return TASKS[experiment.task].sample(rng, PROBE_SIZE, experiment.length, experiment.signal)


@lru_cache(maxsize=64)
def _shapes(cell_name: str, task_name: str, hidden_size: int, layers: int) -> dict[str, tuple[int, ...]]:
    cell, task = CELLS[cell_name], TASKS[task_name]
    rows, width = len(cell.blocks) * hidden_size, len(task.input_names)
    shapes: dict[str, tuple[int, ...]] = {}
    for k in range(layers):
        shapes |= {f"{k}.W_ih": (rows, width), f"{k}.W_hh": (rows, hidden_size), f"{k}.b": (rows,)}
        shapes |= {f"{k}.{name}": (len(on) * hidden_size,) for name, on in cell.extra_parameters.items()}
        width = hidden_size
    outputs = len(task.output_names)
    return shapes | {"readout.W": (outputs, hidden_size), "readout.b": (outputs,)}


def layout(experiment: Experiment) -> dict[str, tuple[int, ...]]:
    """Parameter name -> shape, in the order of the flat vector."""
    return _shapes(experiment.cell, experiment.task, experiment.hidden_size, experiment.layers)


def views(experiment: Experiment, flat: Tensor) -> dict[str, Tensor]:
    """The named parameters as views into the flat vector."""
    shapes = layout(experiment)
    pieces = flat.split([int(np.prod(shape)) for shape in shapes.values()])
    return {name: piece.view(shape) for (name, shape), piece in zip(shapes.items(), pieces, strict=True)}


def initial_parameters(experiment: Experiment) -> np.ndarray:
    """The flat float32 vector a run starts from.

    "default" draws as PyTorch does, uniformly in ±1/sqrt(H); where PyTorch keeps two biases and only their sum matters,
    one bias here gets that sum. The others replace the recurrent matrix of every block and clear the biases; "xavier"
    (Glorot & Bengio 2010) and "zeros" also replace the input weights, and "zeros" the readout's.
    """
    rng = stream(experiment, INITIAL_WEIGHTS_STREAM)
    cell, kind, H = CELLS[experiment.cell], experiment.initialisation, experiment.hidden_size
    bound = 1 / np.sqrt(H)
    pieces = {}
    for name, shape in layout(experiment).items():
        piece = name.split(".")[1]
        values = rng.uniform(-bound, bound, shape)
        if piece == "b" and not name.startswith("readout"):
            # Blocks whose recurrent bias is a parameter of its own have no second draw in this one.
            separate = {block for on in cell.extra_parameters.values() for block in on}
            second = rng.uniform(-bound, bound, shape).reshape(len(cell.blocks), H)
            second[[k for k, block in enumerate(cell.blocks) if block in separate]] = 0
            values += second.ravel()
        if kind != "default" and not name.startswith("readout"):
            values = _replaced(rng, experiment, piece, values)
        if kind == "zeros":
            values = np.zeros(shape)
        if piece == "b" and not name.startswith("readout") and cell.bias_field:
            field, block = cell.bias_field
            start = cell.blocks.index(block) * H
            values[start : start + H] += getattr(experiment, field)
        pieces[name] = values
    return np.concatenate([piece.ravel() for piece in pieces.values()]).astype(np.float32)


def _replaced(rng: np.random.Generator, experiment: Experiment, piece: str, values: np.ndarray) -> np.ndarray:
    H, kind = experiment.hidden_size, experiment.initialisation
    if values.ndim == 1:
        return np.zeros_like(values)
    if piece == "W_hh":
        return np.concatenate([_recurrent(rng, kind, H, experiment.spectral_radius) for _ in range(len(values) // H)])
    if kind == "xavier":
        bound = np.sqrt(6 / (H + values.shape[1]))
        return rng.uniform(-bound, bound, values.shape)
    return values


def _recurrent(rng: np.random.Generator, kind: str, H: int, spectral_radius: float) -> np.ndarray:
    """One (H, H) recurrent block."""
    if kind == "identity":
        return np.eye(H)
    if kind == "xavier":
        return rng.uniform(-np.sqrt(3 / H), np.sqrt(3 / H), (H, H))
    gaussian = rng.standard_normal((H, H))
    if kind == "orthogonal":  # Saxe, McClelland & Ganguli 2013; the sign makes the draw uniform over rotations
        q, r = np.linalg.qr(gaussian)
        return q * np.sign(np.diag(r))
    if kind == "spectral":
        return gaussian * (spectral_radius / np.abs(np.linalg.eigvals(gaussian)).max())
    return np.zeros((H, H))


def layer_weights(weights: dict[str, Tensor], k: int) -> dict[str, Tensor]:
    """The parameters of layer `k` under the names its cell knows."""
    prefix = f"{k}."
    return {name[len(prefix) :]: value for name, value in weights.items() if name.startswith(prefix)}


def run_pass(experiment: Experiment, parameters: Tensor, batch: Batch) -> Pass:
    """Forward and backward through the whole network by the cells' hand-written passes.

    Args:
        experiment: what network and task this is.
        parameters: the flat vector, float32 or float64.
        batch: inputs (T, B, I); T and B may differ from the experiment's.
    """
    cell, dtype = CELLS[experiment.cell], parameters.dtype
    weights = views(experiment, parameters)
    x = torch.from_numpy(batch.inputs).to(dtype).transpose(1, 2)  # (T, I, B)
    B, H = x.shape[2], experiment.hidden_size
    joined, inputs, tapes = [], [], []
    for k in range(experiment.layers):
        joined.append(cell.join(layer_weights(weights, k)))
        inputs.append(_states_and_inputs(x, H))
        tapes.append(cell.forward(inputs[k], joined[k], experiment.activation))
        x = tapes[k].states["h"][1:]
    outputs, losses, correct, direct, readout_gradient = _score(experiment, weights, x, batch)
    gradient = torch.empty_like(parameters)
    named = views(experiment, gradient)
    named["readout.W"].copy_(readout_gradient[0])
    named["readout.b"].copy_(readout_gradient[1])
    gradients: list[Gradients] = []
    for k in reversed(range(experiment.layers)):
        found = cell.backward(tapes[k], joined[k], experiment.activation, direct)
        gradients.insert(0, found)
        rows = found.rows.flatten(1)  # (R, T*B)
        whole = (rows @ _columns(inputs[k][:-1]).T).div_(B)
        for name, piece in cell.split(whole, H).items():
            named[f"{k}.{name}"].copy_(piece)
        if k:
            below = joined[k][:, H:-1].T @ rows  # (H, T*B)
            direct = below.unflatten(1, (-1, B)).transpose(0, 1).contiguous()
    return Pass(tapes, joined, gradients, outputs, losses, correct, gradient)


def _states_and_inputs(x: Tensor, hidden_size: int) -> Tensor:
    """(T + 1, H + I + 1, B): room for the states, the inputs x (T, I, B), and a row of ones for the bias."""
    T, I, B = x.shape
    z = x.new_zeros(T + 1, hidden_size + I + 1, B)
    z[:-1, hidden_size:-1] = x
    z[:, -1] = 1
    return z


def _columns(a: Tensor) -> Tensor:
    """(T, N, B) -> (N, T*B), so that a sum over time and batch becomes one matrix product."""
    return a.transpose(0, 1).reshape(a.shape[1], -1)


def _score(
    experiment: Experiment, weights: dict[str, Tensor], h: Tensor, batch: Batch
) -> tuple[Tensor, Tensor, Tensor | None, Tensor, tuple[Tensor, Tensor]]:
    """Read out, compare with the targets, and differentiate both.

    Args:
        h: (T, H, B) states of the top layer.

    Returns:
        outputs (B, O) or (T, B, O); losses (B,); correct (B,) or None; direct (T, H, B) = dL_b/dh_t through the readout
        alone; and the batch-mean gradient of the readout's weights and bias.
    """
    task = TASKS[experiment.task]
    W, b = weights["readout.W"], weights["readout.b"]
    T, H, B = h.shape
    first = T - 1 if task.readout == "last" else task.scored_from(T, experiment.signal)
    seen = h[first:] if task.readout == "every" else h[-1:]  # (S, H, B), the scored steps
    said = torch.matmul(W, h if task.readout == "every" else seen).add_(b[:, None])  # (T or 1, O, B)
    scored = said[first:] if task.readout == "every" else said  # (S, O, B)
    S, O, _ = scored.shape
    correct = None
    if task.loss == "cross_entropy":
        classes = torch.from_numpy(batch.targets)  # (B,)
        log_p = torch.log_softmax(scored[0], 0)  # (O, B)
        losses = -log_p.gather(0, classes[None])[0]
        correct = log_p.argmax(0) == classes
        error = log_p.exp().scatter_add_(0, classes[None], log_p.new_full((1, B), -1))[None]
    else:
        targets = torch.from_numpy(batch.targets).to(h.dtype)  # (B, O) or (T, B, O)
        wanted = targets[first:] if task.readout == "every" else targets[None]
        residual = scored - wanted.transpose(1, 2)
        losses = residual.square().mean((0, 1))
        error = residual.mul(2 / (S * O))  # (S, O, B) = dL_b/d(output)
    direct = torch.zeros_like(h)
    torch.matmul(W.T, error, out=direct[first:])
    flat = _columns(error)
    readout_gradient = ((flat @ _columns(seen).T) / B, flat.sum(1) / B)
    outputs = said.transpose(1, 2)
    return (outputs if task.readout == "every" else outputs[0]), losses, correct, direct, readout_gradient


def unroll(experiment: Experiment, parameters: Tensor, inputs: Tensor) -> tuple[list[list[Step]], Tensor]:
    """The same network through the cells' reference equations, step by step: slow, plain, differentiable by autograd.

    Args:
        parameters: the flat vector; its dtype decides.
        inputs: (T, B, I).

    Returns:
        For each layer the list of T `Step`s, and the outputs (B, O) or (T, B, O).
    """
    cell, task = CELLS[experiment.cell], TASKS[experiment.task]
    weights = views(experiment, parameters)
    sequence, layers = list(inputs.to(parameters.dtype)), []
    for k in range(experiment.layers):
        w = layer_weights(weights, k)
        state = {name: parameters.new_zeros(inputs.shape[1], experiment.hidden_size) for name in cell.states}
        steps = []
        for x in sequence:
            steps.append(cell.step(x, state, w, experiment.activation))
            state = steps[-1].state
        layers.append(steps)
        sequence = [step.state["h"] for step in steps]
    said = torch.stack(sequence) @ weights["readout.W"].T + weights["readout.b"]  # (T, B, O)
    return layers, said if task.readout == "every" else said[-1]
