"""Training as a pure function: `start` makes a `Checkpoint`, `advance` carries one forward and returns a `Slice`.

A checkpoint is all there is to a run. However it is cut into slices, paused, resumed or rewound, the same experiment
gives the same bits.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from rnnviz.arithmetic import flushed_denormals, one_thread
from rnnviz.cells import CELLS
from rnnviz.errors import RnnvizError
from rnnviz.experiment import SETTINGS, Experiment
from rnnviz.model import NOISE_STREAM, initial_parameters, layout, run_pass, stream, training_batch
from rnnviz.tasks import TASKS
from rnnviz.tracing import Frame, frame

if TYPE_CHECKING:
    from rnnviz.torch_twin import TorchTwin

MOMENTUM, ADAM_BETAS, RMSPROP_ALPHA, EPSILON = 0.9, (0.9, 0.999), 0.99, 1e-8  # PyTorch's defaults

OPTIMIZER_STATE = {
    "sgd": (),
    "momentum": ("velocity",),
    "nesterov": ("velocity",),
    "adam": ("mean", "square"),
    "adamw": ("mean", "square"),
    "rmsprop": ("square",),
}


@dataclass(frozen=True)
class Checkpoint:
    """One moment of a run: immutable, picklable, and everything the future of the run depends on.

    Attributes:
        experiment: what is being run. Its `seed` and `step` together are the random state: the examples of every step
            come from a generator numbered by the step.
        step: training steps done.
        parameters: (P,) float32, all weights in one read-only vector; `weights` names its pieces.
        optimizer_state: name -> (P,) float32, read-only.
    """

    experiment: Experiment
    step: int
    parameters: np.ndarray
    optimizer_state: dict[str, np.ndarray]

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """Parameter name ("0.W_hh", "readout.b", ...) -> array, as views."""
        pieces = np.split(
            self.parameters, np.cumsum([np.prod(shape) for shape in layout(self.experiment).values()])[:-1]
        )
        return {
            name: piece.reshape(shape)
            for (name, shape), piece in zip(layout(self.experiment).items(), pieces, strict=True)
        }

    def amend(self, **changes: float) -> Checkpoint:
        """The same moment with a field changed that may change mid-run (`learning_rate`, `clip_norm`).

        Raises:
            RnnvizError: if a field needs a restart.
            ExperimentError: if a value breaks its rule.
        """
        for name in changes:
            if name not in SETTINGS or not SETTINGS[name].live:
                raise RnnvizError(
                    f"`{name}` cannot change while a run goes on; start a new one. Got {changes[name]!r}."
                )
        return replace(self, experiment=self.experiment.amend(**changes))

    def to_torch(self) -> TorchTwin:
        """The same network as a plain `torch.nn.Module`: (T, B, I) -> the task's outputs.

        Raises:
            RnnvizError: if PyTorch has no such cell.
        """
        from rnnviz.torch_twin import TorchTwin

        return TorchTwin(self)


@dataclass(frozen=True)
class Slice:
    """What a stretch of training did.

    Attributes:
        checkpoint: where it ended; if it diverged, the last good moment.
        losses: (S,) float32, mean of L_b over each step's batch, before that step's update.
        grad_norms: (S,) float32, 2-norm of the whole parameter gradient.
        clipped_norms: (S,) float32, the same after clipping.
        accuracies: (S,) float32 fraction of scored answers that are right; empty for a squared error.
        state_grad_norms: for each step, if asked for: state name -> (T, B) float32, the 2-norm of every sample's total
            gradient dL_b/d(state_t) in the top layer.
        frames: the moments recorded, in order.
        diverged: None, or the sentence that says at which step what stopped being a number.
        seconds: wall time spent.
    """

    checkpoint: Checkpoint
    losses: np.ndarray
    grad_norms: np.ndarray
    clipped_norms: np.ndarray
    accuracies: np.ndarray
    state_grad_norms: list[dict[str, np.ndarray]]
    frames: list[Frame]
    diverged: str | None
    seconds: float


def start(experiment: Experiment) -> Checkpoint:
    """The checkpoint at step 0: initial weights drawn, nothing learned."""
    parameters = initial_parameters(experiment)
    zeros = {name: np.zeros_like(parameters) for name in OPTIMIZER_STATE[experiment.optimizer]}
    return _checkpoint(experiment, 0, parameters, zeros)


def _checkpoint(experiment: Experiment, step: int, parameters: np.ndarray, state: dict[str, np.ndarray]) -> Checkpoint:
    for array in (parameters, *state.values()):
        array.flags.writeable = False
    return Checkpoint(experiment, step, parameters, state)


def advance(
    checkpoint: Checkpoint,
    steps: int | None = None,
    *,
    seconds: float | None = None,
    record_every: int | None = None,
    record_last: bool = True,
    record_norms: bool = False,
) -> Slice:
    """Train onward from a checkpoint.

    Args:
        checkpoint: where to start from; it is not changed.
        steps: how many steps at most.
        seconds: stop after the step during which this much wall time has passed. At least one of the two is needed.
        record_every: also record a frame after each training step whose number is a multiple of this.
        record_last: record a frame at the end.
        record_norms: also keep the norm of every state's gradient, of every sample, at every training step.

    Raises:
        RnnvizError: if neither a number of steps nor a time is given, or one is not positive.
    """
    if steps is None and seconds is None:
        raise RnnvizError("`advance` needs `steps` or `seconds`. Got neither.")
    for name, value in (("steps", steps), ("seconds", seconds), ("record_every", record_every)):
        if value is not None and not value > 0:
            raise RnnvizError(f"`{name}` must be more than 0. Got {value}.")
    with one_thread(), flushed_denormals():
        return _advance(checkpoint, steps, seconds, record_every, record_last, record_norms)


def _advance(
    checkpoint: Checkpoint,
    steps: int | None,
    seconds: float | None,
    record_every: int | None,
    record_last: bool,
    record_norms: bool,
) -> Slice:
    began = time.perf_counter()
    experiment, step = checkpoint.experiment, checkpoint.step
    parameters = torch.tensor(checkpoint.parameters)
    state = {name: torch.tensor(array) for name, array in checkpoint.optimizer_state.items()}
    rows: list[tuple[float, float, float]] = []
    accuracies: list[float] = []
    state_grad_norms: list[dict[str, np.ndarray]] = []
    frames: list[Frame] = []
    diverged = None

    def here() -> Checkpoint:
        arrays = {name: value.numpy().copy() for name, value in state.items()}
        return _checkpoint(experiment, step, parameters.numpy().copy(), arrays)

    # A decoder is told the right symbols or not by chance; without dropout or a decoder nothing is left to chance.
    noisy = bool(experiment.dropout) or TASKS[experiment.task].answers == "sequence"
    while steps is None or len(rows) < steps:
        noise = stream(experiment, NOISE_STREAM, step) if noisy else None
        done = run_pass(experiment, parameters, training_batch(experiment, step), noise=noise)
        gradient = done.parameter_gradient
        loss, norm = float(done.losses.mean()), float(torch.linalg.vector_norm(gradient))
        if diverged := _not_a_number(step + 1, loss, norm, rows):
            break
        clipped = norm
        if experiment.clip_value:
            gradient.clamp_(-experiment.clip_value, experiment.clip_value)
            clipped = float(torch.linalg.vector_norm(gradient))
        if 0 < experiment.clip_norm < clipped:
            gradient.mul_(experiment.clip_norm / clipped)
            clipped = experiment.clip_norm
        before = parameters.clone(), {name: value.clone() for name, value in state.items()}
        _update(experiment, step + 1, parameters, gradient, state)
        # The square of a large gradient overflows before the weights do, and would stop them for good without a word.
        kept = (parameters, *state.values()) if norm > 1e18 else (parameters,)
        if not all(torch.isfinite(vector.abs().max()) for vector in kept):
            parameters, state = before
            diverged = (
                f"Step {step + 1}: the update carried a weight or the optimizer's memory of it beyond the range of float32 "
                f"(gradient norm {norm:.3g}, learning rate {learning_rate_at(experiment, step):.3g})."
            )
            break
        step += 1
        rows.append((loss, norm, clipped))
        if done.right is not None:
            accuracies.append(float(done.right.mean()))
        if record_norms:
            state_grad_norms.append(done.top.sample_norms())
        del done, gradient  # the next pass shall find their memory free
        late = seconds is not None and time.perf_counter() - began >= seconds
        if record_every and step % record_every == 0 and not (record_last and (late or len(rows) == steps)):
            frames.append(frame(here()))
        if late:
            break
    end = here()
    if record_last and (rows or not diverged):
        frames.append(frame(end))
    losses, norms, clipped_norms = np.array(rows, np.float32).reshape(-1, 3).T
    return Slice(
        checkpoint=end,
        losses=losses,
        grad_norms=norms,
        clipped_norms=clipped_norms,
        accuracies=np.array(accuracies, np.float32),
        state_grad_norms=state_grad_norms,
        frames=frames,
        diverged=diverged,
        seconds=time.perf_counter() - began,
    )


def _not_a_number(step: int, loss: float, norm: float, rows: list[tuple[float, float, float]]) -> str | None:
    if np.isfinite(loss) and np.isfinite(norm):
        return None
    what = f"the loss became {loss:.3g} and the gradient norm {norm:.3g}"
    last = f"; one step earlier the loss was {rows[-1][0]:.3g} and the gradient norm {rows[-1][1]:.3g}" if rows else ""
    return f"Step {step}: {what}{last}."


def learning_rate_at(experiment: Experiment, step: int) -> float:
    """The learning rate of training step `step` (0-based), by the schedule."""
    done = min(step / experiment.steps, 1.0)
    factor = {
        "constant": 1.0,
        "cosine": 0.5 * (1 + math.cos(math.pi * done)),  # Loshchilov & Hutter 2017, without restarts
        "step": 1.0 if done < 0.5 else 0.1 if done < 0.75 else 0.01,
    }[experiment.schedule]
    return factor * experiment.learning_rate


def _update(experiment: Experiment, count: int, p: Tensor, g: Tensor, state: dict[str, Tensor]) -> None:
    """One step of the optimizer, in place, as `torch.optim` does it. `count` is 1 on the first step."""
    rate, decay = learning_rate_at(experiment, count - 1), experiment.weight_decay
    if decay and experiment.optimizer == "adamw":
        p.mul_(1 - rate * decay)
    elif decay:
        g = g.add(p, alpha=decay)
    if experiment.optimizer == "sgd":
        p.sub_(g, alpha=rate)
    elif experiment.optimizer in ("momentum", "nesterov"):
        velocity = state["velocity"].mul_(MOMENTUM).add_(g)
        p.sub_(velocity if experiment.optimizer == "momentum" else g.add(velocity, alpha=MOMENTUM), alpha=rate)
    elif experiment.optimizer == "rmsprop":
        square = state["square"].mul_(RMSPROP_ALPHA).addcmul_(g, g, value=1 - RMSPROP_ALPHA)
        p.addcdiv_(g, square.sqrt().add_(EPSILON), value=-rate)
    else:  # adam, Kingma & Ba 2015; adamw, Loshchilov & Hutter 2019
        beta1, beta2 = ADAM_BETAS
        mean = state["mean"].lerp_(g, 1 - beta1)
        square = state["square"].mul_(beta2).addcmul_(g, g, value=1 - beta2)
        scale = square.sqrt().div_((1 - beta2**count) ** 0.5).add_(EPSILON)
        p.addcdiv_(mean, scale, value=-rate / (1 - beta1**count))


def compile_ahead() -> None:
    """Run every cell's compiled loops once in both precisions, so that nobody's first click waits for a compiler.

    Takes seconds the first time on a machine, and a moment afterwards, when it only loads what lies on disk.
    """
    for cell in CELLS:
        advance(start(Experiment(cell=cell, hidden_size=2, length=4, batch_size=2)), steps=1)
    for task in TASKS.values():
        if task.answers == "labels":
            advance(start(Experiment(task=task.name, hidden_size=2, length=task.shortest, batch_size=2)), steps=1)
