"""A misprint of the gated recurrent unit that is in circulation: the term that keeps the old state is missing.

It is here to be taken apart, beside `gru_v3`, which it would be if the line for h read (1 - z) n + z h.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor

from rnnviz.cells.base import MATRIX_STARTS, Cell, FastPass, Step, Weights, block_shapes
from rnnviz.cells.gru_v3 import backward, forward


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
        {"h": (1 - z) * r * n},
        {"reset": r, "update": z, "candidate": n},
        {"reset": a_r, "update": a_z, "candidate": a_n},
    )


GRU_LEAKLESS = Cell(
    name="gru_leakless",
    title="GRU without its leak (a misprint)",
    teaches="A misprint: with z ⊙ h gone from the last line, no gate can keep the old state.",
    citation="none: a misprint, found in tutorials, of the GRU of Cho et al. 2014 (v3)",
    states=("h",),
    blocks=("reset", "update", "candidate"),
    gates=("reset", "update", "candidate"),
    signed_gates=("candidate",),
    equations={
        "reset": r"r_t = \sigma(W_{ir} x_t + W_{hr} h_{t-1} + b_r)",
        "update": r"z_t = \sigma(W_{iz} x_t + W_{hz} h_{t-1} + b_z)",
        "candidate": r"n_t = \tanh(W_{in} x_t + W_{hn} (r_t \odot h_{t-1}) + b_n)",
        "h": r"h_t = (1 - z_t) \odot r_t \odot n_t",
    },
    symbols={"reset": "r", "update": "z", "candidate": "n", "h": "h"},
    options=("update_bias",),
    initialisations=(*MATRIX_STARTS, "zeros"),  # no chrono: no gate keeps anything
    bias_fields={"update_bias": "update"},
    step=step,
    shapes=block_shapes(3),
    fast=FastPass(partial(forward, leak=False), partial(backward, leak=False)),
)
