"""The LSTM whose gates see the cell state: each unit's own, through one weight a gate.

The 2000 paper reads the cell out without squashing it; tanh(c) is what Graves 2013 and Greff et al. 2015 made standard.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from rnnviz.cells.base import MATRIX_STARTS, Cell, Step, Weights, block_shapes


def step(x: Tensor, state: Mapping[str, Tensor], w: Weights, activation: str) -> Step:
    """x (B, I), states h and c (B, H) -> the next states."""
    u_i, u_f, a_g, u_o = (x @ w["W_ih"].T + state["h"] @ w["W_hh"].T + w["b"]).chunk(4, dim=1)  # (B, H) each
    a_i, a_f = u_i + w["p_i"] * state["c"], u_f + w["p_f"] * state["c"]
    i, f, g = torch.sigmoid(a_i), torch.sigmoid(a_f), torch.tanh(a_g)
    c = f * state["c"] + i * g
    a_o = u_o + w["p_o"] * c  # the cell as it is now, not as it was
    o = torch.sigmoid(a_o)
    return Step(
        {"h": o * torch.tanh(c), "c": c},
        {"input": i, "forget": f, "candidate": g, "output": o},
        {"input": a_i, "forget": a_f, "candidate": a_g, "output": a_o},
    )


LSTM_PEEPHOLE = Cell(
    name="lstm_peephole",
    title="LSTM with peepholes",
    teaches="The gates see the cell state even while the output gate is closed and h shows nothing of it.",
    citation="Gers & Schmidhuber 2000, Recurrent Nets that Time and Count",
    states=("h", "c"),
    blocks=("input", "forget", "candidate", "output"),
    gates=("input", "forget", "output", "candidate"),
    signed_gates=("candidate",),
    equations={
        "input": r"i_t = \sigma(W_{ii} x_t + W_{hi} h_{t-1} + p_i \odot c_{t-1} + b_i)",
        "forget": r"f_t = \sigma(W_{if} x_t + W_{hf} h_{t-1} + p_f \odot c_{t-1} + b_f)",
        "candidate": r"g_t = \tanh(W_{ig} x_t + W_{hg} h_{t-1} + b_g)",
        "c": r"c_t = f_t \odot c_{t-1} + i_t \odot g_t",
        "output": r"o_t = \sigma(W_{io} x_t + W_{ho} h_{t-1} + p_o \odot c_t + b_o)",
        "h": r"h_t = o_t \odot \tanh(c_t)",
    },
    symbols={"input": "i", "forget": "f", "candidate": "g", "output": "o", "c": "c", "h": "h"},
    options=("forget_bias",),
    initialisations=(*MATRIX_STARTS, "chrono", "zeros"),
    bias_fields={"forget_bias": "forget"},
    keepers={"forget": 1, "input": -1},
    step=step,
    shapes=block_shapes(4, p_i=1, p_f=1, p_o=1),
)
