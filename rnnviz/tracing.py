"""Look inside one forward and backward pass: every state, every gate, every gradient, in float64.

Vanished gradients reach 1e-50 and below; float32 would flush them to zero, so everything drawn is computed in float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from rnnviz.arithmetic import one_thread
from rnnviz.cells import CELLS, Gradients, Tape
from rnnviz.errors import RnnvizError
from rnnviz.model import Pass, probe_batch, run_pass
from rnnviz.tasks import TASKS, Batch

if TYPE_CHECKING:
    from rnnviz.experiment import Experiment
    from rnnviz.training import Checkpoint

SHOWN_UNITS = 64  # a picture of more rows than this cannot be read, and recording it would cost memory
SHOWN_EXAMPLES = 8
REACH_FRACTION = 0.01


@dataclass(frozen=True)
class LayerTrace:
    """What one layer did. All arrays (T, B, H) float64; see `Trace` for the names."""

    states: dict[str, np.ndarray]
    gates: dict[str, np.ndarray]
    state_grads: dict[str, np.ndarray]
    gate_grads: dict[str, np.ndarray]
    preactivation_grads: dict[str, np.ndarray]


@dataclass(frozen=True)
class Trace:
    """One pass over a batch, all of it, float64, time-major.

    Gradients are those of each sample's own loss L_b, not of the batch mean: averaging over the batch before taking a
    norm would shrink it by about sqrt(B).

    Attributes:
        experiment, step: which network this was.
        inputs: (T, B, I).
        targets: the task's targets, see `rnnviz.tasks.Batch`.
        outputs: (B, O) or (T, B, O), before any softmax.
        losses: (B,) L_b, the mean over a sample's scored outputs.
        layers: bottom to top.
        last_answer_grads: state name -> (T, B, H), derivative of the loss of the last answer alone. For a task that
            answers once it equals `state_grads`; where every step answers, only this shows how far back learning reaches.
    """

    experiment: Experiment
    step: int
    inputs: np.ndarray
    targets: np.ndarray
    outputs: np.ndarray
    losses: np.ndarray
    layers: list[LayerTrace]
    last_answer_grads: dict[str, np.ndarray]

    @property
    def states(self) -> dict[str, np.ndarray]:
        """State name -> (T, B, H) of the top layer."""
        return self.layers[-1].states

    @property
    def gates(self) -> dict[str, np.ndarray]:
        """Gate name -> (T, B, H) of the top layer, after the nonlinearity."""
        return self.layers[-1].gates

    @property
    def state_grads(self) -> dict[str, np.ndarray]:
        """State name -> (T, B, H): the total derivative dL_b/d(state_t) of the top layer, every later path included."""
        return self.layers[-1].state_grads

    @property
    def gate_grads(self) -> dict[str, np.ndarray]:
        """Gate name -> (T, B, H): dL_b/d(pre-activation of the gate), top layer."""
        return self.layers[-1].gate_grads


def trace(checkpoint: Checkpoint, inputs: np.ndarray | None = None, targets: np.ndarray | None = None) -> Trace:
    """Run the checkpoint's network over a batch and keep everything.

    Args:
        checkpoint: any moment of a run.
        inputs: (T, B, I); default: the task's fixed probe batch.
        targets: as the task gives them; required with `inputs`.

    Raises:
        RnnvizError: if only one of inputs and targets is given, or their shapes do not fit the task.
    """
    experiment = checkpoint.experiment
    batch = probe_batch(experiment) if inputs is None and targets is None else _own_batch(experiment, inputs, targets)
    with one_thread():
        parameters = torch.tensor(checkpoint.parameters).double()
        done = run_pass(experiment, parameters, batch)
        last = _last_answer(experiment, done) if TASKS[experiment.task].readout == "every" else None
    layers = [
        _layer_trace(experiment, tape, gradients) for tape, gradients in zip(done.tapes, done.gradients, strict=True)
    ]
    return Trace(
        experiment=experiment,
        step=checkpoint.step,
        inputs=np.asarray(batch.inputs, np.float64),
        targets=batch.targets,
        outputs=done.outputs.numpy(),
        losses=done.losses.numpy(),
        layers=layers,
        last_answer_grads=layers[-1].state_grads if last is None else _time_major(last.states),
    )


def _own_batch(experiment: Experiment, inputs: np.ndarray | None, targets: np.ndarray | None) -> Batch:
    if inputs is None or targets is None:
        raise RnnvizError("`inputs` and `targets` must be given together. Got only one of them.")
    task = TASKS[experiment.task]
    x, y = np.array(inputs, order="C"), np.array(targets, order="C")  # torch takes no reversed or read-only views
    for name, values in (("inputs", x), ("targets", y)):
        if values.dtype.kind not in "biuf":
            raise RnnvizError(f"`{name}` must be real numbers. Got {values.dtype} values.")
    I, O = len(task.input_names), len(task.output_names)
    if x.ndim != 3 or x.shape[2] != I or 0 in x.shape:
        raise RnnvizError(f"`inputs` must have shape (T, B, {I}) for the task {task.name}. Got {x.shape}.")
    T, B, _ = x.shape
    if (first := task.scored_from(T, experiment.signal)) >= T:
        raise RnnvizError(f"`inputs` must have at least {first + 1} steps for the task {task.name}. Got {T}.")
    wanted = (B,) if task.loss == "cross_entropy" else (B, O) if task.readout == "last" else (T, B, O)
    if y.shape != wanted:
        raise RnnvizError(f"`targets` must have shape {wanted} for the task {task.name}. Got {y.shape}.")
    if task.loss == "cross_entropy":
        if not (np.issubdtype(y.dtype, np.integer) and y.min() >= 0 and y.max() < O):
            raise RnnvizError(f"`targets` must be whole class numbers from 0 to {O - 1}. Got {y.dtype} values.")
        return Batch(x, y.astype(np.int64))
    return Batch(x, y)


def _last_answer(experiment: Experiment, done: Pass) -> Gradients:
    """A second way back through the top layer, from the last step's squared error only."""
    # What the readout alone sends into the last step is the whole gradient there: nothing comes after it.
    direct = torch.zeros_like(done.gradients[-1].states["h"])
    # L_b is the mean over the scored answers; the loss of one answer alone is that many times its share.
    T = len(direct)
    scored = T - min(TASKS[experiment.task].scored_from(T, experiment.signal), T - 1)
    direct[-1] = scored * done.gradients[-1].states["h"][-1]
    return CELLS[experiment.cell].backward(done.tapes[-1], done.joined[-1], experiment.activation, direct)


def _time_major(arrays: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {name: value.transpose(1, 2).numpy() for name, value in arrays.items()}


def _layer_trace(experiment: Experiment, tape: Tape, gradients: Gradients) -> LayerTrace:
    cell = CELLS[experiment.cell]
    by_block = _time_major({name: gradients.preactivations[name] for name in cell.blocks})
    return LayerTrace(
        states=_time_major({name: value[1:] for name, value in tape.states.items()}),
        gates=_time_major({name: tape.gates[name] for name in cell.gates}),
        state_grads=_time_major(gradients.states),
        gate_grads={name: by_block[name] for name in cell.gates},
        preactivation_grads=by_block,
    )


class Frame(NamedTuple):
    """What a page keeps of one moment of training.

    Attributes:
        step: training steps done.
        channels: name -> array; states and gates of probe example 0 as (units, T) float16, log10 gradient norms as (T,)
            float32 (-inf where the norm is exactly 0), and `outputs`. NaN where a diverged network left even float64.
        scalars: name -> number.
    """

    step: int
    channels: dict[str, np.ndarray]
    scalars: dict[str, float]

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in self.channels.values())


def frame(checkpoint: Checkpoint) -> Frame:
    """The pictures' share of a trace of the probe batch."""
    tr = trace(checkpoint)
    task = TASKS[tr.experiment.task]
    channels: dict[str, np.ndarray] = {}
    for kind, arrays in (("states", tr.states), ("gates", tr.gates)):
        for name, values in arrays.items():
            # An unbounded activation may leave float16's range long before it leaves float32's.
            shown = np.clip(values[:, 0, :SHOWN_UNITS].T, -65504, 65504)
            channels[f"{kind}.{name}"] = np.ascontiguousarray(shown, np.float16)
    for name, grads in tr.state_grads.items():
        low, median, high = np.quantile(_norms(grads), (0.1, 0.5, 0.9), axis=1)
        for quantile, norms in (("low", low), ("median", median), ("high", high)):
            channels[f"grad.{name}.{quantile}"] = _log10(norms)
    last = np.median(_norms(tr.last_answer_grads["h"]), axis=1)  # (T,)
    if task.readout == "every":
        channels["grad.last.median"] = _log10(last)
    scalars = {"probe_loss": float(tr.losses.mean()), "reach": float(reach(last))}
    if task.loss == "cross_entropy":
        p = torch.softmax(torch.from_numpy(tr.outputs), 1).numpy()
        channels["outputs"] = p[:SHOWN_EXAMPLES].astype(np.float32)  # (8, O)
    elif task.readout == "every":
        channels["outputs"] = _single(tr.outputs[:, 0])  # (T, O)
    else:
        channels["outputs"] = _single(tr.outputs[:SHOWN_EXAMPLES])  # (8, O)
    drawn = np.concatenate([values for name, values in channels.items() if name.startswith("grad.")])
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn):  # what an axis has to hold, log10
        scalars |= {"gradient_low": float(drawn.min()), "gradient_high": float(drawn.max())}
    if "forget" in tr.gates:
        scalars["forget_gate"] = float(tr.gates["forget"].mean())
    if "update" in tr.gates:
        scalars["update_gate"] = float(tr.gates["update"].mean())
    return Frame(tr.step, channels, scalars)


def _norms(grads: np.ndarray) -> np.ndarray:
    """(T, B, H) -> (T, B), scaled before squaring: a float64 reaches 1e±308, its square only half as far."""
    largest = np.abs(grads).max(2)
    with np.errstate(invalid="ignore"):  # inf / inf, in a diverged network
        scaled = grads / np.where(largest > 0, largest, 1)[..., None]
    return largest * np.linalg.norm(scaled, axis=2)


def _single(values: np.ndarray) -> np.ndarray:
    limit = np.finfo(np.float32).max
    return np.clip(values, -limit, limit).astype(np.float32)


def _log10(norms: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log10(norms).astype(np.float32)


def reach(norms: np.ndarray) -> int:
    """How many steps back from the last one the gradient stays alive.

    It stays alive while it is at least 1 % of the largest norm met on the way back so far: a vanishing gradient ends where
    it has lost two decades, an exploding one reaches all the way.

    Args:
        norms: (T,) typically the median over samples of ||dL/dh_t||.

    Returns:
        A number from 0 (exactly zero, or no number, at the last step) to T.
    """
    backwards = norms[::-1]
    largest = np.maximum.accumulate(backwards)
    alive = (backwards >= REACH_FRACTION * largest) & (backwards > 0)
    return int(len(norms) if alive.all() else np.argmin(alive))
