"""How fast neighbouring trajectories part, in every direction."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike

from rnnviz.analysis.dynamics import Dynamics
from rnnviz.arithmetic import one_thread
from rnnviz.errors import RnnvizError
from rnnviz.training import Checkpoint

FEWEST_STEPS = 100


@one_thread()
def lyapunov_exponents(
    source: Checkpoint | Dynamics,
    inputs: ArrayLike,
    transient: int | None = None,
    *,
    state: ArrayLike | None = None,
) -> np.ndarray:
    """The Lyapunov exponents along a driven trajectory: nats per step by which small changes grow, n of them.

    By QR along the trajectory (Benettin 1980; for recurrent networks Engelken 2020): a frame of n directions is carried by
    the Jacobians and made orthonormal after every step; the exponents are the mean logarithms of the stretches. They
    describe the network together with this input, not the network alone. For a linear network they are ln |eigenvalue|.

    Args:
        source: a checkpoint, whose whole stack of layers is one state, or `Dynamics` of your own.
        inputs: (T, B, I); zeros for the network left to itself.
        transient: steps left out while the trajectory settles and the frame turns into place; default: a tenth of T.
        state: (B, n) where to start; default: zero.

    Returns:
        (B, n), largest first. A direction that is flattened completely has -inf or, by rounding, a number below -30.

    Raises:
        RnnvizError: if fewer than 100 steps remain, which would say nothing, a shape does not fit, or the trajectory left
            the range of numbers.
    """
    dynamics = Dynamics.of(source)
    x = dynamics.checked_inputs(inputs)
    T, B, I = x.shape
    dropped = T // 10 if transient is None else transient
    if dropped < 0 or T - dropped < FEWEST_STEPS:
        raise RnnvizError(
            f"At least {FEWEST_STEPS} steps must remain after a `transient` of 0 or more. Got {T} - {dropped}."
        )
    states = torch.from_numpy(dynamics.run(inputs, state))
    if not torch.isfinite(states).all():
        raise RnnvizError("The trajectory must stay finite. Got numbers beyond the range of float64.")
    n = dynamics.size
    frame = torch.eye(n, dtype=torch.float64).repeat(B, 1, 1)
    total = torch.zeros(B, n, dtype=torch.float64)
    block = max(1, dynamics.block // B)
    for first in range(0, T, block):
        here = states[first : min(first + block, T)]
        _, slopes = dynamics.linearised(here.reshape(-1, n), x[first : first + block].reshape(-1, I))
        for t, J in enumerate(slopes.unflatten(0, (len(here), B)), first):
            frame, stretch = torch.linalg.qr(J @ frame)
            if t >= dropped:
                total += stretch.diagonal(dim1=1, dim2=2).abs().log()
    found = (total / (T - dropped)).sort(1, descending=True).values
    return found.numpy()
