"""Training as a pure function: `start` makes a `Checkpoint`, `advance` carries one forward and returns a `Slice`.

A checkpoint is all there is to a run. However it is cut into slices, paused, resumed or rewound, the same experiment
gives the same bits.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
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
from rnnviz.tasks import TASKS, Batch
from rnnviz.tracing import Frame, frame

if TYPE_CHECKING:
    from rnnviz.torch_twin import TorchTwin

MOMENTUM, ADAM_BETAS, RMSPROP_ALPHA, EPSILON = 0.9, (0.9, 0.999), 0.99, 1e-8  # PyTorch's defaults

# Batches are drawn a few at a time: drawing one between two passes costs them their caches, 6 to 8 % of a small step.
DRAWN_AHEAD, DRAWN_BYTES = 8, 2**20

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
    return advance_together(
        [checkpoint],
        steps,
        seconds=seconds,
        record_every=record_every,
        record_last=record_last,
        record_norms=record_norms,
    )[0]


def advance_together(
    checkpoints: Sequence[Checkpoint],
    steps: int | None = None,
    *,
    seconds: float | None = None,
    record_every: int | None = None,
    record_last: bool = True,
    record_norms: bool = False,
) -> list[Slice]:
    """Train several seeds of one experiment onward, step by step side by side.

    The optimizer's work, which costs by the call rather than by the number, is done for all at once. The bits are those of
    `advance` on each alone. Where a seed diverges, the slice ends for all: take it out, and go on with the others.

    Args:
        checkpoints: K of them, of one experiment but for the seed, at one training step.
        steps, seconds, record_every, record_last, record_norms: as for `advance`; the time is that of all together.

    Returns:
        K slices of equal length.

    Raises:
        RnnvizError: as `advance`, and if the checkpoints differ in more than the seed.
    """
    if steps is None and seconds is None:
        raise RnnvizError("`advance` needs `steps` or `seconds`. Got neither.")
    for name, value in (("steps", steps), ("seconds", seconds), ("record_every", record_every)):
        if value is not None and not value > 0:
            raise RnnvizError(f"`{name}` must be more than 0. Got {value}.")
    kinds = {(c.experiment.model_copy(update={"seed": 0}), c.step) for c in checkpoints}
    if len(kinds) != 1:
        raise RnnvizError(f"`checkpoints` must be one experiment's, at one step, seeds apart. Got {len(kinds)} kinds.")
    with one_thread(), flushed_denormals():
        return _advance(checkpoints, steps, seconds, record_every, record_last, record_norms)


def _advance(
    checkpoints: Sequence[Checkpoint],
    steps: int | None,
    seconds: float | None,
    record_every: int | None,
    record_last: bool,
    record_norms: bool,
) -> list[Slice]:
    began = time.perf_counter()
    seeds = [c.experiment for c in checkpoints]
    experiment, step, K = seeds[0], checkpoints[0].step, len(seeds)
    parameters = torch.from_numpy(np.stack([c.parameters for c in checkpoints]))  # (K, P)
    state = {
        name: torch.from_numpy(np.stack([c.optimizer_state[name] for c in checkpoints]))
        for name in checkpoints[0].optimizer_state
    }
    gradient = torch.empty_like(parameters)
    rows: list[tuple[list[float], list[float], list[float]]] = []
    accuracies: list[list[float]] = []
    state_grad_norms: list[list[dict[str, np.ndarray]]] = []
    frames: list[list[Frame]] = [[] for _ in seeds]
    diverged: dict[int, str] = {}
    drawn: list[list[Batch]] = []
    ahead = max(1, min(DRAWN_AHEAD // K, DRAWN_BYTES // (K * _batch_bytes(experiment))))

    def here(k: int) -> Checkpoint:
        arrays = {name: value[k].numpy().copy() for name, value in state.items()}
        return _checkpoint(seeds[k], step, parameters[k].numpy().copy(), arrays)

    # A decoder is told the right symbols or not by chance; without dropout or a decoder nothing is left to chance.
    noisy = bool(experiment.dropout) or TASKS[experiment.task].answers == "sequence"
    while steps is None or len(rows) < steps:
        losses: list[float] = []
        right: list[float] = []
        sample_norms: list[dict[str, np.ndarray]] = []
        if not drawn:
            drawn = [[training_batch(seed, step + k) for seed in seeds] for k in range(ahead)]
        batches = drawn.pop(0)
        for k, seed in enumerate(seeds):
            # One network after the other: what a pass leaves behind stays in the processor's cache until it is used up.
            noise = stream(seed, NOISE_STREAM, step) if noisy else None
            done = run_pass(seed, parameters[k], batches[k], noise=noise)
            gradient[k] = done.parameter_gradient
            losses.append(float(done.losses.mean()))
            if done.right is not None:
                right.append(float(done.right.mean()))
            if record_norms:
                sample_norms.append(done.top.sample_norms())
            del done  # the next pass shall find its memory free
        norms = _norms(gradient)
        for k in range(K):
            earlier = (rows[-1][0][k], rows[-1][1][k]) if rows else ()
            if sentence := _not_a_number(step + 1, losses[k], norms[k], earlier):
                diverged[k] = sentence
        if diverged:
            break
        clipped = _clip(experiment, gradient, norms)
        before = parameters.clone(), {name: value.clone() for name, value in state.items()}
        _update(experiment, step + 1, parameters, gradient, state)
        # The square of a large gradient overflows before the weights do, and would stop them for good without a word.
        kept = (parameters, *state.values()) if max(norms) > 1e18 else (parameters,)
        if not all(torch.isfinite(vector.abs().max()) for vector in kept):
            for k in range(K):
                if not all(torch.isfinite(vector[k]).all() for vector in kept):
                    diverged[k] = (
                        f"Step {step + 1}: the update carried a weight or the optimizer's memory of it beyond the range of "
                        f"float32 (gradient norm {norms[k]:.3g}, learning rate {learning_rate_at(experiment, step):.3g})."
                    )
            parameters, state = before
            break
        step += 1
        rows.append((losses, norms, clipped))
        if right:
            accuracies.append(right)
        if sample_norms:
            state_grad_norms.append(sample_norms)
        late = seconds is not None and time.perf_counter() - began >= seconds
        if record_every and step % record_every == 0 and not (record_last and (late or len(rows) == steps)):
            for k in range(K):
                frames[k].append(frame(here(k)))
        if late:
            break
    ends = [here(k) for k in range(K)]
    for k, end in enumerate(ends):
        if record_last and (rows or k not in diverged):
            frames[k].append(frame(end))
    numbers = np.array(rows, np.float32).reshape(-1, 3, K)  # (S, 3, K)
    took = time.perf_counter() - began
    return [
        Slice(
            checkpoint=ends[k],
            losses=numbers[:, 0, k].copy(),
            grad_norms=numbers[:, 1, k].copy(),
            clipped_norms=numbers[:, 2, k].copy(),
            accuracies=np.array([values[k] for values in accuracies], np.float32),
            state_grad_norms=[values[k] for values in state_grad_norms],
            frames=frames[k],
            diverged=diverged.get(k),
            seconds=took,
        )
        for k in range(K)
    ]


def _batch_bytes(experiment: Experiment) -> int:
    return 4 * experiment.length * experiment.batch_size * len(TASKS[experiment.task].input_names)


def _norms(gradient: Tensor) -> list[float]:
    """(K, P) -> the 2-norm of each row, summed as if it were alone."""
    return [float(torch.linalg.vector_norm(row)) for row in gradient]


def _clip(experiment: Experiment, gradient: Tensor, norms: list[float]) -> list[float]:
    """Clip each row of (K, P) in place, first by value, then by norm, and return the norms it then has."""
    if experiment.clip_value:
        gradient.clamp_(-experiment.clip_value, experiment.clip_value)
        norms = _norms(gradient)
    if not experiment.clip_norm:
        return norms
    for k, norm in enumerate(norms):
        if norm > experiment.clip_norm:
            gradient[k].mul_(experiment.clip_norm / norm)
    return [min(norm, experiment.clip_norm) for norm in norms]


def _not_a_number(step: int, loss: float, norm: float, before: tuple[float, ...]) -> str | None:
    if np.isfinite(loss) and np.isfinite(norm):
        return None
    what = f"the loss became {loss:.3g} and the gradient norm {norm:.3g}"
    last = "; one step earlier the loss was {:.3g} and the gradient norm {:.3g}".format(*before) if before else ""
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
