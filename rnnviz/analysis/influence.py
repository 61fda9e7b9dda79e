"""What one input does to one output: the gradient's opinion, and the measured effect beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from rnnviz.arithmetic import one_thread
from rnnviz.errors import RnnvizError
from rnnviz.model import respond, views
from rnnviz.tasks import TASKS
from rnnviz.training import Checkpoint

BLOCK = 512  # sequences run at a time


@one_thread()
def saliency(
    checkpoint: Checkpoint,
    inputs: ArrayLike,
    output: int,
    *,
    at: int | None = None,
    lengths: ArrayLike | None = None,
) -> np.ndarray:
    """dy/dx_t of one output, before any softmax: a probability's gradient is small wherever the network is sure.

    Simonyan, Vedaldi & Zisserman 2013. A gradient is no measure of importance; `memory_probe` measures the effect. In the
    padding, and after the answer of a network that reads forwards, it is exactly zero.

    Args:
        checkpoint: the network.
        inputs: (T, B, I).
        output: which of the O outputs.
        at: the 0-based step whose answer is meant, where every step answers; default: each sequence's last.
        lengths: (B,) true lengths; default: all of T.

    Returns:
        (T, B, I).

    Raises:
        RnnvizError: if a shape or number does not fit, or the network answers through a decoder.
    """
    x, ends = _checked(checkpoint, inputs, lengths)
    x.requires_grad_()
    y = _chosen(checkpoint, x, ends, output, at)
    found: Tensor = torch.autograd.grad(y.sum(), x)[0]
    return found.transpose(1, 2).numpy()


class Probe(NamedTuple):
    """The effect of changing one input at a time.

    Attributes:
        steps: (K,) the 0-based steps changed.
        changes: (K, B, I) what was added to x_t.
        measured: (K, B) the output with the changed input minus the output without.
        predicted: (K, B) the same by the gradient, dy/dx_t times the change: right for small changes only.
        output: (B,) the output without any change.
    """

    steps: np.ndarray
    changes: np.ndarray
    measured: np.ndarray
    predicted: np.ndarray
    output: np.ndarray


@one_thread()
def memory_probe(
    checkpoint: Checkpoint,
    inputs: ArrayLike,
    t: int | Sequence[int] | None = None,
    *,
    delta: ArrayLike | None = None,
    to: ArrayLike | None = None,
    output: int = 0,
    at: int | None = None,
    lengths: ArrayLike | None = None,
) -> Probe:
    """Change the input at one step, run again, and compare: does the network still know what it read then?

    Args:
        checkpoint: the network.
        inputs: (T, B, I).
        t: the 0-based step to change, or several, each by itself; default: every one.
        delta: (I,), (B, I) or one number, added to x_t.
        to: (I,), (B, I) or one number that x_t becomes. With neither, x_t is flipped: a one-hot x_t becomes the next symbol,
            any other channel is mirrored between the least and the greatest value it has in `inputs` (+1 and -1, 0 and 1).
        output: which of the O outputs.
        at, lengths: as for `saliency`.

    Raises:
        RnnvizError: if a shape or number does not fit, or both `delta` and `to` are given.
    """
    if delta is not None and to is not None:
        raise RnnvizError("`delta` and `to` are two ways to say how an input changes. Got both.")
    x, ends = _checked(checkpoint, inputs, lengths)  # (T, I, B)
    T, I, B = x.shape
    steps = np.arange(T) if t is None else np.atleast_1d(np.array(t))
    if steps.ndim != 1 or steps.dtype.kind not in "iu" or not len(steps) or steps.min() < 0 or steps.max() >= T:
        raise RnnvizError(f"`t` must be a step from 0 to {T - 1}, or several. Got {t!r}.")
    whole = np.array(inputs, np.float64)
    now = whole[steps]  # (K, B, I)
    if delta is None and to is None:
        changes = _flipped(whole)[steps] - now
    else:
        value = np.asarray(to if delta is None else delta, np.float64)
        if value.shape not in ((), (I,), (B, I)):
            raise RnnvizError(f"A change must have shape ({I},) or ({B}, {I}). Got {value.shape}.")
        changes = value - now if delta is None else value + np.zeros_like(now)
    slopes = saliency(checkpoint, inputs, output, at=at, lengths=lengths)[steps]  # (K, B, I)
    measured = np.empty((len(steps), B))
    with torch.no_grad():
        before = _chosen(checkpoint, x, ends, output, at)
        together = max(1, BLOCK // B)
        for k in range(0, len(steps), together):
            part = steps[k : k + together]
            changed = x.repeat(1, 1, len(part)).unflatten(2, (len(part), B))  # (T, I, K, B)
            moved = torch.from_numpy(changes[k : k + together])
            for row, step in enumerate(part):
                changed[step, :, row] += moved[row].T
            said = _chosen(checkpoint, changed.flatten(2), None if ends is None else ends.repeat(len(part)), output, at)
            measured[k : k + together] = (said.unflatten(0, (len(part), B)) - before).numpy()
    return Probe(steps, changes, measured, (slopes * changes).sum(2), before.numpy())


def _flipped(inputs: np.ndarray) -> np.ndarray:
    """(T, B, I) every x_t turned into another one of its kind."""
    mirrored = inputs.min((0, 1)) + inputs.max((0, 1)) - inputs
    one_hot = np.isin(inputs, (0, 1)).all(2) & (inputs.sum(2) == 1) & (inputs.shape[2] > 1)
    return np.where(one_hot[..., None], np.roll(inputs, 1, 2), mirrored)


def _checked(checkpoint: Checkpoint, inputs: ArrayLike, lengths: ArrayLike | None) -> tuple[Tensor, Tensor | None]:
    """(T, I, B) and (B,)."""
    task, x = TASKS[checkpoint.experiment.task], np.array(inputs, np.float64)
    if x.ndim != 3 or 0 in x.shape or x.shape[2] != len(task.input_names):
        raise RnnvizError(f"`inputs` must have shape (T, B, {len(task.input_names)}) for this task. Got {x.shape}.")
    ends = None
    if lengths is not None:
        ends = np.array(lengths)
        if ends.shape != x.shape[1:2] or ends.dtype.kind not in "iu" or ends.min() < 1 or ends.max() > len(x):
            raise RnnvizError(f"`lengths` must be {x.shape[1]} whole numbers from 1 to {len(x)}. Got {lengths!r}.")
    found = torch.from_numpy(x).transpose(1, 2).contiguous()
    return found, None if ends is None else torch.from_numpy(ends.astype(np.int64))


def _chosen(checkpoint: Checkpoint, x: Tensor, lengths: Tensor | None, output: int, at: int | None) -> Tensor:
    """(B,) the one output meant."""
    experiment = checkpoint.experiment
    task, T = TASKS[experiment.task], len(x)
    if not 0 <= output < len(task.output_names):
        raise RnnvizError(f"`output` must be from 0 to {len(task.output_names) - 1} for this task. Got {output}.")
    said = respond(experiment, views(experiment, torch.tensor(checkpoint.parameters).double()), x, lengths)
    if task.answers == "once":
        if at is not None:
            raise RnnvizError(f"`at` chooses among the answers of a task that answers at every step. Got {task.name}.")
        return said[output]
    if at is not None and not 0 <= at < T:
        raise RnnvizError(f"`at` must be a step from 0 to {T - 1}. Got {at}.")
    of_one = said[:, output]  # (T, B)
    if at is not None:
        return of_one[at]
    return of_one[-1] if lengths is None else of_one.gather(0, lengths[None] - 1)[0]
