"""The independently recurrent network: every unit feeds back to itself alone.

The paper also keeps |u| under its bound while training; here only the start obeys it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from rnnviz.cells.base import ACTIVATIONS, Cell, FastPass, Start, Step, Weights, input_shapes
from rnnviz.cells.rnn import backward, forward


def step(x: Tensor, state: Mapping[str, Tensor], w: Weights, activation: str) -> Step:
    """x (B, I), state h (B, H) -> the next state."""
    a = x @ w["W_ih"].T + w["u"] * state["h"] + w["b"]  # (B, H)
    return Step({"h": ACTIVATIONS[activation](a)}, {}, {"hidden": a})


def join(w: Weights) -> Tensor:
    """As an Elman network whose recurrent matrix is diagonal."""
    return torch.cat([torch.diag(w["u"]), w["W_ih"], w["b"][:, None]], 1)


def split(joined: Tensor, H: int) -> dict[str, Tensor]:
    return {"W_ih": joined[:, H:-1], "b": joined[:, -1], "u": joined[:, :H].diagonal()}


def within_bounds(start: Start) -> np.ndarray:
    """u such that over T steps a unit that does not squash at most doubles what it holds."""
    return start.rng.uniform(0, 2 ** (1 / start.T), start.shape)


INDRNN = Cell(
    name="indrnn",
    title="IndRNN",
    teaches="A unit's memory hangs on one number: where φ does not squash, k steps multiply what it holds by u to the k.",
    citation="Li et al. 2018, Independently Recurrent Neural Network (IndRNN): Building a Longer and Deeper RNN",
    states=("h",),
    blocks=("hidden",),
    gates=(),
    signed_gates=(),
    symbols={"h": "h"},
    equations={"h": r"h_t = \phi(W_{ih} x_t + u \odot h_{t-1} + b)"},
    options=("activation",),
    initialisations=("default", "zeros"),
    own_start={"u": within_bounds},
    step=step,
    shapes=input_shapes(1, u=1),
    fast=FastPass(forward, backward, join, split),
)
