"""The LSTM with an exponential input gate: what comes may outweigh all that is stored, and a normaliser keeps the scale.

The forget gate is the sigmoid one of the paper's two. The gates returned are the stabilised i' and f'. Nothing is stored at
first, so the paper's m starts at minus infinity: then n >= 1 from the first step on and c / n is never 0 / 0. Here m starts
at 0 like every state, and `step` knows the beginning by n = 0. Only c / n is read out, which m cancels from: dL/dm is 0 up
to rounding. One head; the paper's convolution, group normalisation and projections belong to the block around the cell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from rnnviz.cells.base import MATRIX_STARTS, Cell, Step, Weights, block_shapes


def step(x: Tensor, state: Mapping[str, Tensor], w: Weights, activation: str) -> Step:
    """x (B, I), states h, c, n and m (B, H) -> the next states."""
    a_i, a_f, a_z, a_o = (x @ w["W_ih"].T + state["h"] @ w["W_hh"].T + w["b"]).chunk(4, dim=1)  # (B, H) each
    stored = torch.where(state["n"] == 0, -math.inf, state["m"]) + logsigmoid(a_f)
    m = torch.maximum(stored, a_i)  # ln i = a_i
    i, f, z, o = torch.exp(a_i - m), torch.exp(stored - m), torch.tanh(a_z), torch.sigmoid(a_o)
    c = f * state["c"] + i * z
    n = f * state["n"] + i
    return Step(
        {"h": o * c / n, "c": c, "n": n, "m": m},
        {"input": i, "forget": f, "candidate": z, "output": o},
        {"input": a_i, "forget": a_f, "candidate": a_z, "output": a_o},
    )


SLSTM = Cell(
    name="slstm",
    title="sLSTM",
    teaches="An exponential input gate can outweigh all that is stored, and c / n stays an average of the candidates.",
    citation="Beck et al. 2024, xLSTM: Extended Long Short-Term Memory",
    states=("h", "c", "n", "m"),
    blocks=("input", "forget", "candidate", "output"),
    gates=("input", "forget", "output", "candidate"),
    signed_gates=("candidate",),
    definitions=(
        r"m_0 = -\infty",
        r"i_t = \exp(W_{ii} x_t + W_{hi} h_{t-1} + b_i)",
        r"f_t = \sigma(W_{if} x_t + W_{hf} h_{t-1} + b_f)",
    ),
    equations={
        "m": r"m_t = \max(\ln(f_t) + m_{t-1}, \ln(i_t))",
        "input": r"i'_t = \exp(\ln(i_t) - m_t)",
        "forget": r"f'_t = \exp(\ln(f_t) + m_{t-1} - m_t)",
        "candidate": r"z_t = \tanh(W_{iz} x_t + W_{hz} h_{t-1} + b_z)",
        "output": r"o_t = \sigma(W_{io} x_t + W_{ho} h_{t-1} + b_o)",
        "c": r"c_t = f'_t \odot c_{t-1} + i'_t \odot z_t",
        "n": r"n_t = f'_t \odot n_{t-1} + i'_t",
        "h": r"h_t = o_t \odot \frac{c_t}{n_t}",
    },
    symbols={"input": "i'", "forget": "f'", "candidate": "z", "output": "o", "c": "c", "n": "n", "m": "m", "h": "h"},
    options=("forget_bias",),
    initialisations=(*MATRIX_STARTS, "chrono", "zeros"),
    bias_fields={"forget_bias": "forget"},
    keepers={"forget": 1},  # not the input gate: a constant factor of i cancels in c / n
    step=step,
    shapes=block_shapes(4),
)
