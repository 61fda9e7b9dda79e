"""The LSTM with one gate in place of two: what it does not keep, it overwrites."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from rnnviz.cells.base import MATRIX_STARTS, Cell, Step, Weights, block_shapes


def step(x: Tensor, state: Mapping[str, Tensor], w: Weights, activation: str) -> Step:
    """x (B, I), states h and c (B, H) -> the next states."""
    a_f, a_g, a_o = (x @ w["W_ih"].T + state["h"] @ w["W_hh"].T + w["b"]).chunk(3, dim=1)  # (B, H) each
    f, g, o = torch.sigmoid(a_f), torch.tanh(a_g), torch.sigmoid(a_o)
    c = f * state["c"] + (1 - f) * g
    return Step(
        {"h": o * torch.tanh(c), "c": c},
        {"forget": f, "candidate": g, "output": o},
        {"forget": a_f, "candidate": a_g, "output": a_o},
    )


LSTM_COUPLED = Cell(
    name="lstm_coupled",
    title="LSTM with coupled gates",
    teaches="With i = 1 − f the cell state is a running average of the candidates, so it stays between −1 and 1.",
    citation="Greff et al. 2015, LSTM: A Search Space Odyssey (the variant CIFG, here without peepholes)",
    states=("h", "c"),
    blocks=("forget", "candidate", "output"),
    gates=("forget", "output", "candidate"),
    signed_gates=("candidate",),
    equations={
        "forget": r"f_t = \sigma(W_{if} x_t + W_{hf} h_{t-1} + b_f)",
        "candidate": r"g_t = \tanh(W_{ig} x_t + W_{hg} h_{t-1} + b_g)",
        "output": r"o_t = \sigma(W_{io} x_t + W_{ho} h_{t-1} + b_o)",
        "c": r"c_t = f_t \odot c_{t-1} + (1 - f_t) \odot g_t",
        "h": r"h_t = o_t \odot \tanh(c_t)",
    },
    symbols={"forget": "f", "candidate": "g", "output": "o", "c": "c", "h": "h"},
    options=("forget_bias",),
    initialisations=(*MATRIX_STARTS, "chrono", "zeros"),
    bias_fields={"forget_bias": "forget"},
    keepers={"forget": 1},
    step=step,
    shapes=block_shapes(3),
)
