"""The minimal gated unit: one gate is both reset and update; here an open gate overwrites."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from rnnviz.cells.base import MATRIX_STARTS, Cell, Step, Weights, block_shapes


def step(x: Tensor, state: Mapping[str, Tensor], w: Weights, activation: str) -> Step:
    """x (B, I), state h (B, H) -> the next state."""
    h = state["h"]
    u_f, u_h = (x @ w["W_ih"].T + w["b"]).chunk(2, dim=1)
    W_f, W_h = w["W_hh"].chunk(2, dim=0)
    a_f = u_f + h @ W_f.T
    f = torch.sigmoid(a_f)
    a_h = u_h + (f * h) @ W_h.T
    candidate = torch.tanh(a_h)
    return Step(
        {"h": (1 - f) * h + f * candidate},
        {"update": f, "candidate": candidate},
        {"update": a_f, "candidate": a_h},
    )


MGU = Cell(
    name="mgu",
    title="MGU (one gate)",
    teaches="One gate is reset and update at once: a unit that keeps its value is also left out of every candidate's sum.",
    citation="Zhou et al. 2016, Minimal Gated Unit for Recurrent Neural Networks",
    states=("h",),
    blocks=("update", "candidate"),
    gates=("update", "candidate"),
    signed_gates=("candidate",),
    equations={
        "update": r"f_t = \sigma(W_{if} x_t + W_{hf} h_{t-1} + b_f)",
        "candidate": r"\tilde h_t = \tanh(W_{ih} x_t + W_{hh} (f_t \odot h_{t-1}) + b_h)",
        "h": r"h_t = (1 - f_t) \odot h_{t-1} + f_t \odot \tilde h_t",
    },
    symbols={"update": "f", "candidate": r"\tilde h", "h": "h"},
    options=("update_bias",),
    initialisations=(*MATRIX_STARTS, "chrono", "zeros"),
    bias_fields={"update_bias": "update"},
    keepers={"update": -1},
    step=step,
    shapes=block_shapes(2),
)
