"""What the State space page measures of a run's kept checkpoints: float64, cached by what is in a checkpoint."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch

from rnnviz.analysis import Dynamics, FixedPoints, Projection, fixed_points, lyapunov_exponents, project, tracking
from rnnviz.cells import CELLS
from rnnviz.errors import RnnvizError
from rnnviz.experiment import Experiment
from rnnviz.figures import Colouring
from rnnviz.model import probe_batch
from rnnviz.tasks import TASKS, Batch
from rnnviz.training import Checkpoint

MOST_NUMBERS = 200_000  # of one checkpoint's trajectories: what the caches hold stays below 100 MB
MOST_SYMBOLS = 12  # one-hot channels that are told apart by colour; more are only numbers
MOST_CHANNELS = 4
OPPOSITES = (("−1", "+1"), ("negative", "positive"))  # classes that the colours of signed values say best
COUNTED = {"anbn": ("a", "b"), "dyck": ("([", ")]")}  # symbols that open, and those that close
FULL = 1.35  # colours end beyond the largest value: near their ends, orange is brown and blue is black
GRID = 57  # of the phase portrait, along each side
STARTS, STARTS_LARGE, LARGE = 96, 32, 32  # fewer starts in states of more than 32 numbers
LARGEST, LARGEST_DRIVEN = 256, 128  # numbers in the state: a few seconds for all points, for one exponent's moment
DRIVEN, SETTLING = 300, 50  # steps of a Lyapunov exponent
_turn = threading.Lock()  # one long search at a time: a class of thirty must not stop the pages


class Moment:
    """A checkpoint, equal to another with the same weights of the same experiment."""

    def __init__(self, checkpoint: Checkpoint):
        self.checkpoint, self.step, self.experiment = checkpoint, checkpoint.step, checkpoint.experiment
        self._content = (checkpoint.experiment, checkpoint.step, checkpoint.parameters.tobytes())

    def __hash__(self) -> int:
        return hash(self._content)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Moment) and self._content == other._content


@dataclass(frozen=True)
class Seen:
    """All moments of one run, along axes fitted once to all of them.

    Attributes:
        columns: which numbers of the state are projected.
        projection: fitted to the columns of all moments; of fewer axes than asked for where the state is narrow.
        half: all scores lie between -half and half.
        reach: the largest modulus of a number in the columns.
        turned: whether the axes were turned within their span to continue others, see `continuing`.
    """

    columns: np.ndarray
    projection: Projection
    half: float
    reach: float
    turned: bool = False

    def continuing(self, before: Seen) -> Seen:
        """The same span from the side it was seen from before, and not larger than it need be: only ever zoomed out."""
        if before.projection.axes.shape != self.projection.axes.shape:
            return self
        turned = self.projection.toward(before.projection.axes)
        same = bool(np.allclose(turned.axes, self.projection.axes, atol=1e-6))
        return replace(self, projection=turned, half=max(before.half, _room(turned.scores)), turned=not same)


def problem(experiment: Experiment) -> str:
    """Why this network has no state space to be seen, or nothing."""
    if experiment.bidirectional:
        return "A network that also reads backwards is no map from state to state. Let it read forwards only."
    return ""


def examples(experiment: Experiment) -> Batch:
    """The task's fixed examples, fewer of them where the state is large."""
    batch, (n, T) = probe_batch(experiment), (_size(experiment), experiment.length)
    S = max(1, min(batch.inputs.shape[1], MOST_NUMBERS // (n * T)))
    return Batch(
        batch.inputs[:, :S],
        batch.targets[:S] if TASKS[experiment.task].answers == "once" else batch.targets[:, :S],
        None if batch.lengths is None else batch.lengths[:S],
        None if batch.scored is None else batch.scored[:, :S],
    )


def _size(experiment: Experiment) -> int:
    return experiment.layers * len(CELLS[experiment.cell].carried) * experiment.hidden_size


def padding(batch: Batch) -> np.ndarray:
    """(T, S) True beyond a sequence's true length."""
    T, S = batch.inputs.shape[:2]
    ends = np.full(S, T) if batch.lengths is None else batch.lengths
    found: np.ndarray = np.arange(T)[:, None] >= ends
    return found


@lru_cache(maxsize=48)
def states(moment: Moment) -> np.ndarray:
    """(T, S, n) the state after each step of the examples, NaN in the padding and where it left the range of numbers."""
    batch = examples(moment.experiment)
    found = Dynamics.of(moment.checkpoint).run(batch.inputs)[1:]
    found[padding(batch) | ~np.isfinite(found).all(2)] = np.nan
    return found


def top(experiment: Experiment) -> np.ndarray:
    """Which numbers of the state the top layer carries."""
    n = _size(experiment)
    return np.arange(n - n // experiment.layers, n)


def unit_names(experiment: Experiment) -> list[str]:
    """Of the numbers that the top layer carries: h_1, h_2, …"""
    cell = CELLS[experiment.cell]
    names = {"re": "Re", "im": "Im"}
    return [f"{names.get(state, state)}_{unit + 1}" for state in cell.carried for unit in range(experiment.hidden_size)]


def parts(experiment: Experiment) -> dict[str, np.ndarray]:
    """Which numbers of the top layer's state can be projected, by name; the most telling first."""
    carried, H, columns = CELLS[experiment.cell].carried, experiment.hidden_size, top(experiment)
    single = {name: columns[k * H : (k + 1) * H] for k, name in enumerate(carried)}
    if len(carried) == 1:
        return single
    whole = {" and ".join([", ".join(carried[:-1]), carried[-1]]): columns}
    # Beside n and m, which only ever scale c, everything else would be a point.
    return single | whole if len(carried) > 2 else whole | (single if "h" in carried else {})


@lru_cache(maxsize=12)
def seen(moments: tuple[Moment, ...], part: str, components: int) -> Seen:
    """The axes for these moments.

    Raises:
        RnnvizError: if no state of any moment is a number.
    """
    columns = parts(moments[0].experiment)[part]
    clouds = [states(moment)[..., columns] for moment in moments]
    clouds = [cloud[np.isfinite(cloud).all(2)] for cloud in clouds]
    if not sum(map(len, clouds)):
        raise RnnvizError("No recorded state is a finite number.")
    fitted = project(clouds, min(components, len(columns)))
    return Seen(columns, fitted, _room(fitted.scores), max(float(np.abs(cloud).max(initial=0)) for cloud in clouds))


def _room(scores: list[np.ndarray]) -> float:
    """Half an axis, in coarse steps, so that it seldom grows while training goes on."""
    needed = max(1.05 * max(float(np.abs(one).max(initial=0)) for one in scores), 1e-3)
    decade = 10.0 ** math.floor(math.log10(needed))
    return next(float(f"{step * decade:.3g}") for step in (1, 1.5, 2, 3, 5, 7, 10) if step * decade >= needed)


def scores(axes: Seen, points: np.ndarray, components: int) -> np.ndarray:
    """(..., n) whole states -> (..., components) along the axes; zero along those a narrow state does not have."""
    found = axes.projection.transform(points[..., axes.columns])
    missing = components - found.shape[-1]
    return np.concatenate([found, np.zeros((*found.shape[:-1], missing))], -1) if missing else found


def colourings(experiment: Experiment) -> dict[str, Colouring]:
    """What the trajectories can be coloured by, (T, S) each, NaN in the padding; the most telling first."""
    task, batch = TASKS[experiment.task], examples(experiment)
    inputs, targets, beyond = batch.inputs, batch.targets, padding(batch)
    T, S = beyond.shape
    found: list[Colouring] = []
    if task.answers == "once" and task.loss == "mse":
        away = targets[:, 0] - targets[:, 0].mean()
        found.append(_signed("answer, less its mean", np.broadcast_to(away, (T, S))))
    elif task.answers == "once":
        if task.output_names in OPPOSITES:
            found.append(_signed("the answer", np.broadcast_to(2.0 * targets - 1, (T, S))))
        else:
            found.append(Colouring("answer", "class", np.broadcast_to(targets, (T, S)), task.output_names))
    elif task.answers == "every" and task.loss == "mse":
        found += [_signed(name, targets[..., k]) for k, name in enumerate(task.output_names[:MOST_CHANNELS])]
    elif task.answers == "every" and len(task.output_names) <= MOST_SYMBOLS:
        wanted = targets if batch.scored is None else np.where(batch.scored, targets, np.nan)
        found.append(Colouring("answer", "class", wanted, task.output_names))
    if one_hot(batch) and len(task.input_names) <= MOST_SYMBOLS:
        found.append(Colouring("symbol read", "class", inputs.argmax(2), task.input_names))
    elif one_hot(batch):
        often = np.argsort(-inputs[~beyond].sum(0), kind="stable")[:MOST_SYMBOLS]
        found += [_signed(f"reads {task.input_names[k]}", inputs[..., k]) for k in often]
    else:
        found += [_signed(name, inputs[..., k]) for k, name in enumerate(task.input_names[:MOST_CHANNELS])]
    if task.name in COUNTED:
        opens, closes = COUNTED[task.name]
        step = np.array([(name in opens) - (name in closes) for name in task.input_names])
        found.append(_signed("how many are open", np.cumsum(inputs @ step, 0)))
    found.append(Colouring("time step", "time", np.broadcast_to(np.arange(1, T + 1)[:, None], (T, S))))
    return {
        one.name: one._replace(values=np.where(beyond, np.nan, np.asarray(one.values, np.float64))) for one in found
    }


def _signed(name: str, values: np.ndarray) -> Colouring:
    return Colouring(name, "signed", values, limit=FULL * max(float(np.abs(values).max(initial=0)), 1e-6))


def one_hot(batch: Batch) -> bool:
    """Whether every step reads exactly one symbol."""
    read = batch.inputs[~padding(batch)]
    return read.shape[1] > 1 and bool(((read == 0) | (read == 1)).all() and (read.sum(1) == 1).all())


def symbols(experiment: Experiment, example: int) -> list[str]:
    """What one example reads at each step, in a letter or two; empty strings where numbers say nothing in letters."""
    batch, task = examples(experiment), TASKS[experiment.task]
    read = batch.inputs[:, example][~padding(batch)[:, example]]
    if one_hot(batch):
        return [task.input_names[k] for k in read.argmax(1)]
    if task.picture == "marked":
        return ["●" if marked > 0.5 else "" for marked in read[:, 1]]
    if read.shape[1] <= MOST_CHANNELS and np.isin(read, (-1, 0, 1)).all():
        which = [str(k + 1) for k in range(read.shape[1])] if read.shape[1] > 1 else [""]
        return ["<br>".join(("+" if v > 0 else "−") + which[k] for k, v in enumerate(x) if v) for x in read]
    return [""] * len(read)


@dataclass(frozen=True)
class Followed:
    """How units of the top layer follow quantities: names (Q,), their values (T, S, Q) and correlations (U, Q)."""

    names: list[str]
    values: np.ndarray
    correlations: np.ndarray


@lru_cache(maxsize=16)
def followed(moment: Moment) -> Followed:
    """Every colouring is a quantity, a class one for each of its names."""
    names: list[str] = []
    values: list[np.ndarray] = []
    for one in colourings(moment.experiment).values():
        array = np.asarray(one.values)
        if one.kind != "class":
            names.append(one.name)
            values.append(array)
        else:
            # Of two classes the second says all.
            for k in [1] if len(one.names) == 2 else range(len(one.names)):
                names.append(f"{one.name} is {one.names[k]}")
                values.append(np.where(np.isnan(array), np.nan, array == k))
    stacked = np.stack(values, 2)
    return Followed(names, stacked, tracking(states(moment)[..., top(moment.experiment)], stacked))


def held_inputs(experiment: Experiment) -> dict[str, tuple[float, ...]]:
    """Inputs that may stand still, by their name; the first is zero."""
    task, batch = TASKS[experiment.task], examples(experiment)
    I = batch.inputs.shape[2]
    found = {"zero": (0.0,) * I}
    for k, name in enumerate(task.input_names[:8]):
        for sign in (1.0, -1.0) if (batch.inputs < 0).any() else (1.0,):
            found[f"{name} = {sign:+g}".replace("-", "−")] = tuple(sign * (j == k) for j in range(I))
    return found


@lru_cache(maxsize=32)
def resting(moment: Moment, held: tuple[float, ...]) -> FixedPoints:
    """Fixed and slow points from a bounded number of starts.

    Raises:
        RnnvizError: if the state has too many numbers for an answer while somebody waits.
    """
    n = _size(moment.experiment)
    if n > LARGEST:
        raise RnnvizError(
            f"Fixed points are searched in states of at most {LARGEST} numbers, all layers together: the work grows with "
            f"the cube. Got {n}."
        )
    inputs, many = examples(moment.experiment).inputs, starts(moment.experiment)
    with _turn:
        return fixed_points(moment.checkpoint, inputs, held=np.array(held), starts=many)


def starts(experiment: Experiment) -> int:
    """From how many states rest is looked for."""
    return STARTS if _size(experiment) <= LARGE else STARTS_LARGE


def kinds(found: FixedPoints) -> list[str]:
    """Of each point its name in the pictures."""
    size = np.abs(found.eigenvalues)
    still = np.where(found.stable, "stable", np.where((size > 1).all(1), "unstable", "saddle"))
    return [str(kind) for kind in np.where(found.kinds == "slow", "slow", still)]


@lru_cache(maxsize=32)
def moves(moment: Moment, held: tuple[float, ...], reach: float) -> np.ndarray:
    """(G, G, 2) F(s) - s of a state of two numbers on a grid from -reach to reach, rows along the second."""
    line = np.linspace(-reach, reach, GRID)
    grid = torch.from_numpy(np.stack(np.meshgrid(line, line), 2).reshape(-1, 2))
    with torch.no_grad():
        after = Dynamics.of(moment.checkpoint)(grid, torch.tensor(held, dtype=torch.float64).expand(len(grid), -1))
    found: np.ndarray = (after - grid).numpy().reshape(GRID, GRID, 2)
    return found


@lru_cache(maxsize=64)
def exponents(moment: Moment) -> np.ndarray:
    """(n,) Lyapunov exponents along the examples read one after another, NaN where the trajectory left all numbers.

    Raises:
        RnnvizError: if the state has too many numbers for an answer while somebody waits.
    """
    n = _size(moment.experiment)
    if n > LARGEST_DRIVEN:
        raise RnnvizError(
            f"Lyapunov exponents are measured in states of at most {LARGEST_DRIVEN} numbers, all layers together: the work "
            f"grows with the cube. Got {n}."
        )
    batch = examples(moment.experiment)
    read = batch.inputs.transpose(1, 0, 2)[~padding(batch).T]  # one example after another
    T = DRIVEN + SETTLING
    driven = np.tile(read, (-(-T // len(read)), 1))[:T, None]
    with _turn:
        try:
            return np.asarray(lyapunov_exponents(moment.checkpoint, driven, SETTLING)[0])
        except RnnvizError:
            return np.full(n, np.nan)
