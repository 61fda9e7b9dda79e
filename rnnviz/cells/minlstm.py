"""The LSTM stripped until its gates read only the input, and scaled so that they sum to one."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from rnnviz.cells.base import Cell, Step, Weights, input_shapes


def step(x: Tensor, state: Mapping[str, Tensor], w: Weights, activation: str) -> Step:
    """x (B, I), state h (B, H) -> the next state."""
    a_i, a_f, candidate = (x @ w["W_ih"].T + w["b"]).chunk(3, dim=1)  # (B, H) each; the candidate is not squashed
    odds = logsigmoid(a_f) - logsigmoid(a_i)  # f / (f + i) as sigma(ln f - ln i), which never divides 0 by 0
    f, i = torch.sigmoid(odds), torch.sigmoid(-odds)
    return Step(
        {"h": f * state["h"] + i * candidate},
        {"input": i, "forget": f, "candidate": candidate},
        {"input": a_i, "forget": a_f, "candidate": candidate},
    )


MINLSTM = Cell(
    name="minlstm",
    title="minLSTM",
    teaches="Its two gates are scaled to sum to one, so the state averages its candidates however long the sequence is.",
    citation="Feng et al. 2024, Were RNNs All We Needed? (with length-independence scaling)",
    states=("h",),
    blocks=("input", "forget", "candidate"),
    gates=("input", "forget", "candidate"),
    signed_gates=("candidate",),
    unbounded_gates=("candidate",),
    definitions=(
        r"i_t = \sigma(W_{ii} x_t + b_i)",
        r"f_t = \sigma(W_{if} x_t + b_f)",
    ),
    equations={
        "input": r"i'_t = \frac{i_t}{f_t + i_t}",
        "forget": r"f'_t = \frac{f_t}{f_t + i_t}",
        "candidate": r"\tilde h_t = W_{ih} x_t + b_h",
        "h": r"h_t = f'_t \odot h_{t-1} + i'_t \odot \tilde h_t",
    },
    symbols={"input": "i'", "forget": "f'", "candidate": r"\tilde h", "h": "h"},
    options=("forget_bias",),
    initialisations=("default", "chrono", "zeros"),
    bias_fields={"forget_bias": "forget"},
    keepers={"forget": 1, "input": -1},
    step=step,
    shapes=input_shapes(3),
)
