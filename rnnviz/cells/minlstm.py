"""The LSTM stripped until its gates read only the input, and scaled so that they sum to one."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from rnnviz.cells.base import Cell, FastPass, Gradients, Step, Tape, Weights, input_shapes, spread
from rnnviz.cells.mingru import carry_back, carry_on, split


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


def join(w: Weights) -> Tensor:
    """What multiplies the state is zero: the gates do not read it."""
    rows = len(w["b"])
    return torch.cat([w["b"].new_zeros(rows, rows // 3), w["W_ih"], w["b"][:, None]], 1)


def forward(z: Tensor, W: Tensor, activation: str) -> Tape:
    H = len(W) // 3
    a = torch.matmul(W[:, H:], z[:-1, H:])  # (T, 3H, B), all steps at once
    a_i, a_f, candidate = a.chunk(3, dim=1)
    odds = logsigmoid(a_f) - logsigmoid(a_i)
    f, i = torch.sigmoid(odds), torch.sigmoid(-odds)
    carry_on(z.numpy(), f.numpy(), (i * candidate).numpy())
    return Tape({"h": z[:, :H]}, {"input": i, "forget": f, "candidate": candidate}, {"a": a})


def backward(tape: Tape, W: Tensor, activation: str, direct: Tensor, window: int) -> Gradients:
    i, f, candidate = (tape.gates[name] for name in MINLSTM.blocks)
    delta = spread(direct, len(tape.states["h"]) - 1)
    carry_back(delta.numpy(), f.numpy(), window)
    to_odds = delta * (tape.states["h"][:-1] - candidate) * f * i
    a_i, a_f, _ = tape.extra["a"].chunk(3, dim=1)
    to_blocks = (-to_odds * torch.sigmoid(-a_i), to_odds * torch.sigmoid(-a_f), delta * i)
    rows = torch.cat(to_blocks, 1).transpose(0, 1)
    return Gradients({"h": delta}, dict(zip(MINLSTM.blocks, to_blocks, strict=True)), rows)


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
    fast=FastPass(forward, backward, join, split),
)
