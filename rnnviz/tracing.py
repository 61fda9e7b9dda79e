"""Look inside one forward and backward pass: every state, every gate, every gradient, in float64.

Vanished gradients reach 1e-50 and below; float32 would flush them to zero, so everything drawn is computed in float64.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from rnnviz.arithmetic import flushed_denormals, one_thread
from rnnviz.cells import CELLS
from rnnviz.errors import RnnvizError
from rnnviz.model import (
    answer,
    back_from_last_answer,
    decoder_layers,
    held_out_batch,
    probe_batch,
    reordered,
    run_pass,
)
from rnnviz.recurrence import Layer, norms_over_units
from rnnviz.rollout import future
from rnnviz.scoring import best_path
from rnnviz.tasks import TASKS, Batch

if TYPE_CHECKING:
    from rnnviz.experiment import Experiment
    from rnnviz.training import Checkpoint

SHOWN_UNITS = 64  # a picture of more rows than this cannot be read, and recording it would cost memory
SHOWN_EXAMPLES = 8
REACH_FRACTION = 0.01


@dataclass(frozen=True)
class LayerTrace:
    """What one layer did in one direction. All arrays (T, B, H) float64 in real time; see `Trace` for the names.

    Attributes:
        reverse: the same of the partner that reads backwards, in a bidirectional network.
    """

    states: dict[str, np.ndarray]
    gates: dict[str, np.ndarray]
    state_grads: dict[str, np.ndarray]
    gate_grads: dict[str, np.ndarray]
    preactivation_grads: dict[str, np.ndarray]
    reverse: LayerTrace | None = None


@dataclass(frozen=True)
class Trace:
    """One pass over a batch, all of it, float64, time-major.

    Gradients are those of each sample's own loss L_b, not of the batch mean: averaging over the batch before taking a
    norm would shrink it by about sqrt(B). Beyond a sample's true length states mean nothing, and gradients are 0.

    Attributes:
        experiment, step: which network this was.
        parameters: (P,) float32, the weights of that network, as in `Checkpoint`.
        inputs: (T, B, I).
        targets: the task's targets, see `rnnviz.tasks.Batch`.
        lengths: (B,) true lengths; None where every sequence has all T steps.
        outputs: (B, O), (T, B, O) or (N, B, O), before any softmax.
        losses: (B,) L_b, the mean over a sample's scored outputs.
        right: (B,) fraction of a sample's scored answers that are right; None for a squared error.
        layers: bottom to top.
        decoder: bottom to top, (N, B, H), where the task asks for a sequence; else empty.
        attention: (S, T, B) weight of each input step in each of S answers; None without attention.
        last_answer_grads: state name -> (T, B, H), derivative of the loss of the last answer alone. For a task that
            answers once it equals `state_grads`; where every step answers, only this shows how far back learning reaches.
    """

    experiment: Experiment
    step: int
    parameters: np.ndarray
    inputs: np.ndarray
    targets: np.ndarray
    lengths: np.ndarray | None
    outputs: np.ndarray
    losses: np.ndarray
    right: np.ndarray | None
    layers: list[LayerTrace]
    decoder: list[LayerTrace]
    attention: np.ndarray | None
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


def trace(
    checkpoint: Checkpoint,
    inputs: np.ndarray | None = None,
    targets: np.ndarray | None = None,
    lengths: np.ndarray | None = None,
) -> Trace:
    """Run the checkpoint's network over a batch and keep everything.

    Args:
        checkpoint: any moment of a run.
        inputs: (T, B, I); default: the task's fixed probe batch.
        targets: as the task gives them; required with `inputs`.
        lengths: (B,) true lengths of your own inputs; default: all of T.

    Raises:
        RnnvizError: if only one of inputs and targets is given, or their shapes do not fit the task.
    """
    experiment = checkpoint.experiment
    task = TASKS[experiment.task]
    if inputs is None and targets is None and lengths is None:
        batch = probe_batch(experiment)
    else:
        batch = _own_batch(experiment, inputs, targets, lengths)
    many = task.answers in ("every", "sequence")
    with one_thread():
        parameters = torch.tensor(checkpoint.parameters).double()
        done = run_pass(experiment, parameters, batch, keep_graph=many)
        by_name = {layer.name: _layer_trace(layer) for layer in done.layers}
        last = by_name[done.top.name].state_grads
        if many:
            back_from_last_answer(done)
            last = _layer_trace(done.top).state_grads
    layers = [by_name[f"{k}"] for k in range(experiment.layers)]
    if experiment.bidirectional:
        layers = [replace(layer, reverse=by_name[f"{k}_reverse"]) for k, layer in enumerate(layers)]
    return Trace(
        experiment=experiment,
        step=checkpoint.step,
        parameters=checkpoint.parameters,
        inputs=np.asarray(batch.inputs, np.float64),
        targets=batch.targets,
        lengths=batch.lengths,
        outputs=done.outputs.numpy(),
        losses=done.losses.numpy(),
        right=None if done.right is None else done.right.numpy(),
        layers=layers,
        decoder=[by_name[name] for name in decoder_layers(experiment)],
        attention=None if done.attention is None else done.attention.numpy(),
        last_answer_grads=last,
    )


def _own_batch(
    experiment: Experiment, inputs: np.ndarray | None, targets: np.ndarray | None, lengths: np.ndarray | None
) -> Batch:
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
    if (first := task.scored_from(experiment.setup._replace(length=T))) >= T:
        raise RnnvizError(f"`inputs` must have at least {first + 1} steps for the task {task.name}. Got {T}.")
    if lengths is None:
        ends = np.full(B, T)
    else:
        ends = np.array(lengths)
        if ends.shape != (B,) or ends.dtype.kind not in "iu" or ends.min() <= first or ends.max() > T:
            raise RnnvizError(f"`lengths` must be {B} whole numbers from {first + 1} to {T}. Got {lengths!r}.")
    if task.loss == "mse":
        wanted: tuple[int | str, ...] = (B, O) if task.answers == "once" else (T, B, O)
    else:
        wanted = {"once": (B,), "every": (T, B)}.get(task.answers, ("N", B))
    free = wanted[:1] == ("N",)
    if y.ndim != len(wanted) or y.shape[free:] != wanted[free:] or 0 in y.shape:
        shown = f"({', '.join(map(str, wanted))}{',' * (len(wanted) == 1)})"
        raise RnnvizError(f"`targets` must have shape {shown} for the task {task.name}. Got {y.shape}.")
    scored = None
    if task.answers == "every":
        scored = (np.arange(T)[:, None] >= first) & (np.arange(T)[:, None] < ends)
    if task.loss != "mse":
        low = 1 if task.loss == "ctc" else 0
        if task.loss == "ctc":
            padding = y < 0
        else:
            padding = np.zeros(y.shape, bool) if scored is None else ~scored
        named = y[~padding]
        if not (np.issubdtype(y.dtype, np.integer) and named.size and named.min() >= low and named.max() < O):
            raise RnnvizError(f"`targets` must be whole class numbers from {low} to {O - 1}. Got {y.dtype} values.")
        if task.loss == "ctc":
            counts, repeats = (~padding).sum(0), ((y[1:] == y[:-1]) & ~padding[1:]).sum(0)
            if not (counts.min() > 0 and (padding[1:] >= padding[:-1]).all() and (counts + repeats <= ends).all()):
                raise RnnvizError(
                    "`targets` must hold at least one label for each sequence, -1 only after its last one, and no more "
                    "than its steps have room for, counting a blank between two that are the same. Got "
                    f"{counts.min()} to {counts.max()} labels."
                )
        y = np.where(padding, -1 if task.loss == "ctc" else 0, y).astype(np.int64)
    return Batch(x, y, None if lengths is None else ends.astype(np.int64), scored)


def _layer_trace(layer: Layer) -> LayerTrace:
    cell, order = layer.cell, layer.order

    def real_time(arrays: Mapping[str, torch.Tensor]) -> dict[str, np.ndarray]:
        if order is not None:
            arrays = {name: reordered(value, order) for name, value in arrays.items()}
        return {name: value.transpose(1, 2).numpy() for name, value in arrays.items()}

    by_block = real_time({name: layer.gradients.preactivations[name] for name in cell.blocks})
    return LayerTrace(
        states=real_time({name: layer.tape.states[name][1:] for name in cell.states}),
        gates=real_time({name: layer.tape.gates[name] for name in cell.gates}),
        state_grads=real_time({name: layer.gradients.states[name] for name in cell.states}),
        gate_grads={name: by_block[name] for name in cell.gates},
        preactivation_grads=by_block,
    )


class Frame(NamedTuple):
    """What a page keeps of one moment of training.

    Attributes:
        step: training steps done.
        channels: name -> array. `states.*` and `gates.*` of probe example 0 as (units, T) float16, log10 gradient norms
            `grad.*` as (T,) float32 (-inf where the norm is exactly 0); `outputs` and what else the task's picture
            needs, see `_said`; `reverse.h`, the states of the partner that reads backwards. Where the task asks for a
            sequence, the decoder's N steps follow the encoder's T. NaN in the padding, and where a diverged network left
            even float64.
        scalars: name -> number.
    """

    step: int
    channels: dict[str, np.ndarray]
    scalars: dict[str, float]

    @property
    def nbytes(self) -> int:
        return sum(array.nbytes for array in self.channels.values())


def frame(checkpoint: Checkpoint) -> Frame:
    """The pictures' share of a trace of the probe batch, and the results of the tests taken on the way."""
    tr = trace(checkpoint)
    experiment = tr.experiment
    task = TASKS[experiment.task]
    channels: dict[str, np.ndarray] = {}
    for kind in ("states", "gates"):
        for name in getattr(tr.layers[-1], kind):
            values = _one_after_another(tr, kind, name)[:, 0, :SHOWN_UNITS].T
            # An unbounded activation may leave float16's range long before it leaves float32's.
            channels[f"{kind}.{name}"] = np.ascontiguousarray(np.clip(values, -65504, 65504), np.float16)
    if (backward := tr.layers[-1].reverse) is not None:
        said = backward.states["h"][:, 0, :SHOWN_UNITS].T
        if tr.lengths is not None:
            said = np.where(np.arange(said.shape[1]) < tr.lengths[0], said, np.nan)
        channels["reverse.h"] = np.ascontiguousarray(np.clip(said, -65504, 65504), np.float16)
    medians = {}
    for name in tr.state_grads:
        low, medians[name], high = _quantiles(_norms(_one_after_another(tr, "state_grads", name)))
        for quantile, norms in (("low", low), ("median", medians[name]), ("high", high)):
            channels[f"grad.{name}.{quantile}"] = _log10(norms)
    ends = np.full(tr.inputs.shape[1], len(tr.inputs)) if tr.lengths is None else tr.lengths
    inside = np.arange(len(tr.inputs))[:, None] < ends  # (T, B)
    memory = CELLS[experiment.cell].carried[0]  # what an error travels back through: h, but not in every cell
    last = medians[memory]  # (T,)
    if task.answers in ("every", "sequence"):
        last = _quantiles(np.where(inside, _norms(tr.last_answer_grads[memory]), np.nan))[1]
        beyond = np.full(len(medians[memory]) - len(last), np.nan, np.float32)
        channels["grad.last.median"] = np.concatenate([_log10(last), beyond])
    scalars = {"probe_loss": float(tr.losses.mean()), "reach": float(reach(last[np.isfinite(last)]))}
    if tr.right is not None:
        scalars["probe_accuracy"] = float(tr.right.mean())
    channels |= _said(checkpoint, tr)
    scalars |= _tests(checkpoint)
    if "held_out_loss" in scalars:
        channels["held_out"] = np.array(
            [scalars["held_out_loss"], scalars.get("held_out_accuracy", np.nan)], np.float32
        )
    if "exam" in scalars:
        channels["exam"] = np.array([scalars["exam"]], np.float32)
    drawn = np.concatenate([values for name, values in channels.items() if name.startswith("grad.")])
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn):  # what an axis has to hold, log10
        scalars |= {"gradient_low": float(drawn.min()), "gradient_high": float(drawn.max())}
    for gate in ("forget", "update"):
        if gate in tr.gates:
            scalars[f"{gate}_gate"] = float(tr.gates[gate][inside].mean())
    return Frame(tr.step, channels, scalars)


def _one_after_another(tr: Trace, kind: str, name: str) -> np.ndarray:
    """(T, B, H) of the top layer, NaN in the padding; the decoder's (N, B, H) follow in time."""
    values: np.ndarray = getattr(tr.layers[-1], kind)[name]
    if tr.lengths is not None:
        values = np.where((np.arange(len(values))[:, None] < tr.lengths)[..., None], values, np.nan)
    return np.concatenate([values, getattr(tr.decoder[-1], kind)[name]]) if tr.decoder else values


def _quantiles(norms: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """10 %, 50 % and 90 % over the samples of (T, B) that are still running; NaN where none is."""
    low, median, high = np.full((3, len(norms)), np.nan)
    reached = ~np.isnan(norms).all(1)
    if reached.any():
        with np.errstate(invalid="ignore"):  # what has left float64
            low[reached], median[reached], high[reached] = np.nanquantile(norms[reached], (0.1, 0.5, 0.9), axis=1)
    return low, median, high


def _said(checkpoint: Checkpoint, tr: Trace) -> dict[str, np.ndarray]:
    """What the network says of the probe, as its picture needs it.

    `outputs`: (8, O) of eight examples where it answers once, probabilities for classes; otherwise of example 0, (T, O)
    values or (O, S) probabilities. `attention` (S, T); `path` (T,) the label a CTC network says at a frame, NaN elsewhere;
    `opinion` (O, T) what it would answer if the sequence ended here; `future` what it goes on to forecast, fed its own
    outputs.
    """
    experiment, task = tr.experiment, TASKS[tr.experiment.task]
    end = len(tr.inputs) if tr.lengths is None else int(tr.lengths[0])
    channels = {}
    if task.answers == "once":
        said = tr.outputs[:SHOWN_EXAMPLES]
        channels["outputs"] = _single(said if task.loss == "mse" else _softmax(said))
    elif task.loss == "mse":
        channels["outputs"] = _single(tr.outputs[:, 0])
    else:
        p = _softmax(tr.outputs[:, 0]).T  # (O, S)
        if task.answers != "sequence":
            p[:, end:] = np.nan
        channels["outputs"] = np.ascontiguousarray(p, np.float16)
    if tr.attention is not None:
        channels["attention"] = np.ascontiguousarray(tr.attention[:, :, 0], np.float16)
    if task.answers == "labels":
        path = best_path(tr.outputs[:, :1], np.array([end]))[:, 0]
        channels["path"] = np.where(path < 0, np.nan, path).astype(np.float32)
    if task.picture == "words":
        channels["opinion"] = _opinion(checkpoint, tr, end)
    if task.name == "forecast" and experiment.horizon == 1 and not experiment.bidirectional:
        with one_thread():
            channels["future"] = _single(future(checkpoint, tr.inputs[:, 0]))
    return channels


def _opinion(checkpoint: Checkpoint, tr: Trace, end: int) -> np.ndarray:
    """(O, T) probabilities after each step of example 0, as if it were the last: the same network on every prefix."""
    T = len(tr.inputs)
    prefixes = Batch(
        np.repeat(np.asarray(tr.inputs[:, :1], np.float32), end, 1),
        np.repeat(tr.targets[:1], end),
        np.arange(1, end + 1),
    )
    with one_thread():
        outputs = answer(tr.experiment, torch.tensor(checkpoint.parameters).double(), prefixes).outputs.numpy()
    opinion = np.full((T, outputs.shape[1]), np.nan)
    opinion[:end] = _softmax(outputs)
    return np.ascontiguousarray(opinion.T, np.float16)


def _tests(checkpoint: Checkpoint) -> dict[str, float]:
    """Results on examples that training never sees: held-out ones for a fixed training set, and the task's exam."""
    experiment = checkpoint.experiment
    task, scalars = TASKS[experiment.task], {}
    with one_thread(), flushed_denormals():
        parameters = torch.tensor(checkpoint.parameters)
        if experiment.examples:
            held_out = answer(experiment, parameters, held_out_batch(experiment)).score
            scalars["held_out_loss"] = float(held_out.losses.mean())
            if held_out.right is not None:
                scalars["held_out_accuracy"] = float(held_out.right.mean())
        if task.exam is not None:
            batch = task.exam.batch(experiment.setup)
            scalars["exam"] = float(task.exam.mark(answer(experiment, parameters, batch).outputs.numpy(), batch))
    return scalars


def _softmax(outputs: np.ndarray) -> np.ndarray:
    """Over the last axis."""
    return torch.softmax(torch.from_numpy(outputs), -1).numpy()


def _norms(grads: np.ndarray) -> np.ndarray:
    """(T, B, H) -> (T, B)."""
    return norms_over_units(np.ascontiguousarray(grads.transpose(0, 2, 1)))


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
    if not len(norms):
        return 0
    backwards = norms[::-1]
    largest = np.maximum.accumulate(backwards)
    alive = (backwards >= REACH_FRACTION * largest) & (backwards > 0)
    return int(len(norms) if alive.all() else np.argmin(alive))
