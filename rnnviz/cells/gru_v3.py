"""The gated recurrent unit that resets the state before the matrix reads it; z keeps."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from rnnviz.cells.base import MATRIX_STARTS, Cell, Step, Weights, block_shapes


def step(x: Tensor, state: Mapping[str, Tensor], w: Weights, activation: str) -> Step:
    """x (B, I), state h (B, H) -> the next state."""
    h = state["h"]
    u_r, u_z, u_n = (x @ w["W_ih"].T + w["b"]).chunk(3, dim=1)
    W_r, W_z, W_n = w["W_hh"].chunk(3, dim=0)
    a_r, a_z = u_r + h @ W_r.T, u_z + h @ W_z.T
    r, z = torch.sigmoid(a_r), torch.sigmoid(a_z)
    a_n = u_n + (r * h) @ W_n.T
    n = torch.tanh(a_n)
    return Step(
        {"h": (1 - z) * n + z * h},
        {"reset": r, "update": z, "candidate": n},
        {"reset": a_r, "update": a_z, "candidate": a_n},
    )


GRU_V3 = Cell(
    name="gru_v3",
    title="GRU v3 (reset first)",
    teaches="The reset gate acts before the matrix, so a closed one leaves its unit out of every candidate's sum.",
    citation="Chung et al. 2014, Empirical Evaluation of Gated Recurrent Neural Networks on Sequence Modeling; "
    "Cho et al. 2014 (v3; Keras reset_after=False)",
    states=("h",),
    blocks=("reset", "update", "candidate"),
    gates=("reset", "update", "candidate"),
    signed_gates=("candidate",),
    equations={
        "reset": r"r_t = \sigma(W_{ir} x_t + W_{hr} h_{t-1} + b_r)",
        "update": r"z_t = \sigma(W_{iz} x_t + W_{hz} h_{t-1} + b_z)",
        "candidate": r"n_t = \tanh(W_{in} x_t + W_{hn} (r_t \odot h_{t-1}) + b_n)",
        "h": r"h_t = (1 - z_t) \odot n_t + z_t \odot h_{t-1}",
    },
    symbols={"reset": "r", "update": "z", "candidate": "n", "h": "h"},
    options=("update_bias",),
    initialisations=(*MATRIX_STARTS, "chrono", "zeros"),
    bias_fields={"update_bias": "update"},
    keepers={"update": 1},
    step=step,
    shapes=block_shapes(3),
)
