"""The linear recurrent unit: a diagonal complex recurrence that decays and turns, read out through a matrix.

Parameters as in the paper: lambda = exp(-exp(nu_log) + i exp(theta_log)) lies inside the unit circle whatever they are, and
gamma = exp(gamma_log) is learned from where it makes all units equally loud. The radii are spread evenly over the ring
instead of drawn, so that from the first unit to the last the memory grows longer.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from rnnviz.cells.base import ACTIVATIONS, Cell, Start, Step, Weights

SMALLEST_RADIUS, LARGEST_RADIUS = 0.9, 0.999
LARGEST_PHASE = 2 * np.pi


def step(x: Tensor, state: Mapping[str, Tensor], w: Weights, activation: str) -> Step:
    """x (B, I), states re and im (B, H) -> the next states."""
    radius, angle = torch.exp(-torch.exp(w["nu_log"])), torch.exp(w["theta_log"])  # (H,)
    across, up = radius * torch.cos(angle), radius * torch.sin(angle)
    gamma = torch.exp(w["gamma_log"])
    re = across * state["re"] - up * state["im"] + gamma * (x @ w["B_re"].T)
    im = across * state["im"] + up * state["re"] + gamma * (x @ w["B_im"].T)
    a = re @ w["C_re"].T - im @ w["C_im"].T + x @ w["D"].T  # (B, H)
    return Step({"h": ACTIVATIONS[activation](a), "re": re, "im": im}, {}, {"hidden": a})


def shapes(H: int, I: int) -> dict[str, tuple[int, ...]]:
    own: dict[str, tuple[int, ...]] = {"nu_log": (H,), "theta_log": (H,), "gamma_log": (H,)}
    return own | {"B_re": (H, I), "B_im": (H, I), "C_re": (H, H), "C_im": (H, H), "D": (H, I)}


def squared_radii(H: int) -> np.ndarray:
    """(H,) |lambda| squared at the start: uniform over the area of the ring, as the paper draws it."""
    share = (np.arange(H) + 0.5) / H
    return SMALLEST_RADIUS**2 + share * (LARGEST_RADIUS**2 - SMALLEST_RADIUS**2)


def start_nu(start: Start) -> np.ndarray:
    return np.log(-0.5 * np.log(squared_radii(*start.shape)))


def start_theta(start: Start) -> np.ndarray:
    return np.log(LARGEST_PHASE * (1 - start.rng.random(start.shape)))  # never the logarithm of 0


def start_gamma(start: Start) -> np.ndarray:
    return 0.5 * np.log(1 - squared_radii(*start.shape))


LRU = Cell(
    name="lru",
    title="LRU",
    teaches="At every step a unit’s past shrinks by |λ| and turns by the angle of λ, and no other unit touches it.",
    citation="Orvieto et al. 2023, Resurrecting Recurrent Neural Networks for Long Sequences",
    states=("h", "re", "im"),
    carried=("re", "im"),
    blocks=("hidden",),
    gates=(),
    signed_gates=(),
    definitions=(
        r"\lambda = \exp(-\exp(\nu^{\log}) + i \exp(\theta^{\log}))",
        r"\gamma = \exp(\gamma^{\log})",
    ),
    equations={
        "re": r"\Re z_t = \Re(\lambda \odot z_{t-1} + \gamma \odot (B x_t))",
        "im": r"\Im z_t = \Im(\lambda \odot z_{t-1} + \gamma \odot (B x_t))",
        "h": r"h_t = \phi(\Re(C z_t) + D x_t)",
    },
    symbols={"h": "h", "re": r"\Re z", "im": r"\Im z"},
    options=("activation",),
    initialisations=("default", "zeros"),
    own_start={"nu_log": start_nu, "theta_log": start_theta, "gamma_log": start_gamma},
    step=step,
    shapes=shapes,
)
