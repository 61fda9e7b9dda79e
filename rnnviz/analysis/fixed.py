"""Where the state would rest, or nearly rest, if the input stood still."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from rnnviz.analysis.dynamics import Dynamics
from rnnviz.arithmetic import one_thread
from rnnviz.errors import RnnvizError
from rnnviz.training import Checkpoint

FIXED_BELOW, SLOW_BELOW = 1e-20, 1e-4
APART = 1e-3
SETTLED = 1e-6


@dataclass(frozen=True)
class FixedPoints:
    """Points where F(s, x) = s, or where s moves so slowly that it passes for one. K of them, slowest first.

    Attributes:
        states: (K, n), named by `names`.
        q: (K,) 1/2 ||F(s) - s||^2, half the squared speed in one step.
        kinds: (K,) "fixed" where q < 1e-20, else "slow". A slow point is no fixed point: a trajectory passes by it.
        eigenvalues: (K, n) complex, of dF/ds, largest modulus first.
        stable: (K,) whether all of them lie inside the unit circle.
        names: (n,) what each number of a state is.
        input: (I,) x, held.
        unsettled: how many starts found neither within the iterations.
    """

    states: np.ndarray
    q: np.ndarray
    kinds: np.ndarray
    eigenvalues: np.ndarray
    stable: np.ndarray
    names: list[str]
    input: np.ndarray
    unsettled: int


@one_thread()
def fixed_points(
    source: Checkpoint | Dynamics,
    inputs: ArrayLike,
    *,
    held: ArrayLike | None = None,
    starts: int = 128,
    slow_below: float = SLOW_BELOW,
    iterations: int = 200,
    seed: int = 0,
) -> FixedPoints:
    """Minimise q = 1/2 ||F(s, x) - s||^2 from many starts, with the input held. Sussillo & Barak 2013.

    The starts are the zero state and states along trajectories, half of them shifted by normal noise as wide as the states
    spread, and at least .5. The minimiser is Levenberg-Marquardt in float64, which is Newton's method near a fixed point.
    Points less than 1e-3 apart in every coordinate are one. Finding three proves nothing about those no start led to.

    Args:
        source: a checkpoint, whose whole stack of layers is one state, or `Dynamics` of your own.
        inputs: (T, B, I) what drives the trajectories that the starts are taken from.
        held: (I,) the input that stands still; default: zeros.
        starts: how many. Each costs some n^3 operations an iteration: with n in the hundreds take fewer.
        slow_below: a local minimum of q below this is kept as a slow point, others are dropped.
        iterations: at most so many for each start.
        seed: of the choice of starts.

    Raises:
        RnnvizError: if a shape does not fit.
    """
    dynamics = Dynamics.of(source)
    x = np.zeros(dynamics.input_size) if held is None else np.array(held, np.float64)
    if x.shape != (dynamics.input_size,):
        raise RnnvizError(f"`held` must have shape ({dynamics.input_size},). Got {x.shape}.")
    if starts < 1:
        raise RnnvizError(f"`starts` must be at least 1. Got {starts}.")
    begin = torch.from_numpy(_starts(dynamics.run(inputs), starts, np.random.default_rng(seed)))
    held_input = torch.from_numpy(x)
    found = [_descend(dynamics, held_input, part, iterations) for part in begin.split(dynamics.block)]
    points, q, settled = (torch.cat(parts) for parts in zip(*found, strict=True))
    kept = _unique(points, torch.where(settled & (q < slow_below), q, torch.inf))
    states = points[kept]
    _, slopes = dynamics.linearised(states, held_input.expand(len(states), -1))
    eigenvalues = np.linalg.eigvals(slopes.numpy()).astype(complex)
    eigenvalues = np.take_along_axis(eigenvalues, np.argsort(-np.abs(eigenvalues), axis=1), 1)
    speeds = q[kept].numpy()
    return FixedPoints(
        states=states.numpy(),
        q=speeds,
        kinds=np.where(speeds < FIXED_BELOW, "fixed", "slow"),
        eigenvalues=eigenvalues,
        stable=(np.abs(eigenvalues) < 1).all(1),
        names=dynamics.names,
        input=x,
        unsettled=int((~settled).sum()),
    )


def _starts(trajectories: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """(count, n)."""
    states = trajectories.reshape(-1, trajectories.shape[2])
    states = states[np.isfinite(states).all(1)]
    chosen = states[rng.integers(0, len(states), count)]
    shifted = rng.permutation(count) < count // 2
    chosen[shifted] += rng.normal(size=(int(shifted.sum()), chosen.shape[1])) * np.maximum(states.std(0), 0.5)
    chosen[0] = 0
    return chosen


def _descend(dynamics: Dynamics, x: Tensor, s: Tensor, iterations: int) -> tuple[Tensor, Tensor, Tensor]:
    """Levenberg-Marquardt from every start s (K, n) at once: (K, n) ends, (K,) q there, (K,) whether it is a minimum."""
    K, n = s.shape
    eye, damping, settled = torch.eye(n, dtype=s.dtype), torch.full((K,), 1e-3, dtype=s.dtype), torch.zeros(K).bool()
    s, q = s.clone(), torch.full((K,), torch.inf, dtype=s.dtype)
    for _ in range(iterations):
        going = (~settled).nonzero()[:, 0]
        if not len(going):
            break
        here, held = s[going], x.expand(len(going), -1)
        after, J = dynamics.linearised(here, held)
        g, A = after - here, J - eye  # q = |g|^2 / 2, its gradient A^T g
        q[going] = 0.5 * g.square().sum(1)
        downhill = torch.einsum("kji,kj->ki", A, g)
        # At a minimum that is no root the residual stands at right angles to everything a step could change.
        flat = downhill.norm(dim=1) <= SETTLED * g.norm(dim=1)
        settled[going] = (q[going] < 1e-30) | (flat & (q[going] >= FIXED_BELOW))
        normal = A.mT @ A + damping[going, None, None] * eye
        step = torch.linalg.solve_ex(normal, -downhill).result
        with torch.no_grad():
            moved = here + step
            q_moved = 0.5 * (dynamics(moved, held) - moved).square().sum(1)
        better = q_moved < q[going]  # false for what is no number
        s[going[better]] = moved[better]
        stuck = ~better & (q[going] < FIXED_BELOW)  # a root, to the last bit
        settled[going[stuck]] = True
        damping[going] = torch.where(better, damping[going] / 10, damping[going] * 10).clamp(1e-15, 1e8)
    with torch.no_grad():
        q = 0.5 * (dynamics(s, x.expand(K, -1)) - s).square().sum(1)
    return s, q, settled | (q < FIXED_BELOW)


def _unique(points: Tensor, q: Tensor) -> Tensor:
    """Indices of points with finite q, slowest first, each more than APART from those before it."""
    kept: list[int] = []
    for k in torch.argsort(q).tolist():
        if torch.isfinite(q[k]) and (not kept or (points[kept] - points[k]).abs().amax(1).min() > APART):
            kept.append(k)
    return torch.tensor(kept, dtype=torch.long)
