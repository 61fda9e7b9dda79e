"""The LSTM whose gates see the cell state: each unit's own, through one weight a gate.

The 2000 paper reads the cell out without squashing it; tanh(c) is what Graves 2013 and Greff et al. 2015 made standard.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from rnnviz.cells import base
from rnnviz.cells.base import MATRIX_STARTS, Cell, FastPass, Gradients, Step, Tape, Weights, block_shapes, spread
from rnnviz.loops import Array, loop, sigmoid, tanh


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


PEEPHOLES = ("p_i", "p_f", "p_o")


def join(w: Weights) -> Tensor:
    """Below the four blocks, 3H rows that read only the constant 1: the peepholes themselves."""
    blocks = base.join(w)
    peepholes = blocks.new_zeros(3 * w["W_hh"].shape[1], blocks.shape[1])
    peepholes[:, -1] = torch.cat([w[name] for name in PEEPHOLES])
    return torch.cat([blocks, peepholes])


def split(joined: Tensor, H: int) -> dict[str, Tensor]:
    return base.split(joined[: 4 * H], H) | dict(zip(PEEPHOLES, joined[4 * H :, -1].split(H), strict=True))


def forward(z: Tensor, W: Tensor, activation: str) -> Tape:
    T, H, B = len(z) - 1, len(W) // 7, z.shape[2]
    c, gates, tanh_c = z.new_zeros(T + 1, H, B), z.new_empty(T, 4 * H, B), z.new_empty(T, H, B)
    peepholes = W[4 * H :, -1].contiguous()
    _forward(z.numpy(), W[: 4 * H].numpy(), peepholes.numpy(), c.numpy(), gates.numpy(), tanh_c.numpy())
    named = dict(zip(LSTM_PEEPHOLE.blocks, gates.chunk(4, dim=1), strict=True))
    return Tape({"h": z[:, :H], "c": c}, named, {"gates": gates, "tanh_c": tanh_c})


def backward(tape: Tape, W: Tensor, activation: str, direct: Tensor, window: int) -> Gradients:
    direct = spread(direct, len(tape.states["h"]) - 1)
    T, H, B = direct.shape
    gates, tanh_c, c = tape.extra["gates"], tape.extra["tanh_c"], tape.states["c"]
    delta_h, delta_c, rows = torch.empty_like(direct), torch.empty_like(direct), direct.new_empty(7 * H, T, B)
    W_hh_T, peepholes = W[: 4 * H, :H].T.contiguous(), W[4 * H :, -1].contiguous()
    _backward(
        gates.numpy(), c.numpy(), tanh_c.numpy(), W_hh_T.numpy(), peepholes.numpy(), direct.numpy(), window,
        delta_h.numpy(), delta_c.numpy(), rows.numpy(),
    )  # fmt: skip
    to_i, to_f, to_g, to_o = (block.transpose(0, 1) for block in rows[: 4 * H].chunk(4))
    seen = c.transpose(0, 1)  # (H, T + 1, B)
    torch.mul(rows[:H], seen[:, :-1], out=rows[4 * H : 5 * H])
    torch.mul(rows[H : 2 * H], seen[:, :-1], out=rows[5 * H : 6 * H])
    torch.mul(rows[3 * H : 4 * H], seen[:, 1:], out=rows[6 * H :])
    by_block = dict(zip(LSTM_PEEPHOLE.blocks, (to_i, to_f, to_g, to_o), strict=True))
    return Gradients({"h": delta_h, "c": delta_c}, by_block, rows)


@loop
def _forward(z: Array, W: Array, peepholes: Array, c: Array, gates: Array, tanh_c: Array) -> None:
    # z (T + 1, K, B), W (4H, K), peepholes (3H,); fills c, gates (T, 4H, B), tanh_c and z[1:, :H]
    _, H, B = c.shape
    n = H * B
    for t in range(len(gates)):
        np.dot(W, z[t], gates[t])
        a, c_past, c_now, s, h = gates[t].ravel(), c[t].ravel(), c[t + 1].ravel(), tanh_c[t].ravel(), z[t + 1].ravel()
        for block in range(2):
            for j in range(H):
                p = peepholes[block * H + j]
                for k in range(j * B, (j + 1) * B):
                    a[block * n + k] += p * c_past[k]
        for k in range(2 * n):
            a[k] = sigmoid(a[k])
        for k in range(2 * n, 3 * n):
            a[k] = tanh(a[k])
        for k in range(n):  # the blocks i, f, g, o lie n apart
            c_now[k] = a[n + k] * c_past[k] + a[k] * a[2 * n + k]
            s[k] = tanh(c_now[k])
        for j in range(H):
            p = peepholes[2 * H + j]
            for k in range(j * B, (j + 1) * B):
                a[3 * n + k] += p * c_now[k]
        for k in range(n):
            a[3 * n + k] = sigmoid(a[3 * n + k])
            h[k] = a[3 * n + k] * s[k]


@loop
def _backward(
    gates: Array, c: Array, tanh_c: Array, W_hh_T: Array, peepholes: Array, direct: Array, window: int,
    delta_h: Array, delta_c: Array, rows: Array,
) -> None:  # fmt: skip
    # delta_h, delta_c (T, H, B) and the first 4H rows (7H, T, B) are filled
    T, H, B = direct.shape
    n, one = H * B, direct.dtype.type(1)
    da, carry = np.zeros_like(gates[0]), np.zeros_like(direct[0].ravel())  # carry: what c_t receives from step t + 1
    x = da.ravel()
    for t in range(T - 1, -1, -1):
        if window > 0 and (t + 1) % window == 0:  # truncated: nothing comes from beyond
            da[:] = 0
            carry[:] = 0
        np.dot(W_hh_T, da, delta_h[t])
        a, c_past, s, own = gates[t].ravel(), c[t].ravel(), tanh_c[t].ravel(), direct[t].ravel()
        dh, dc = delta_h[t].ravel(), delta_c[t].ravel()
        for j in range(H):
            p_i, p_f, p_o = peepholes[j], peepholes[H + j], peepholes[2 * H + j]
            for k in range(j * B, (j + 1) * B):
                i, f, g, o = a[k], a[n + k], a[2 * n + k], a[3 * n + k]
                through_h = dh[k] + own[k]
                to_o = through_h * s[k] * o * (one - o)
                through_c = carry[k] + through_h * o * (one - s[k] * s[k]) + to_o * p_o
                to_i = through_c * g * i * (one - i)
                to_f = through_c * c_past[k] * f * (one - f)
                dh[k], dc[k] = through_h, through_c
                x[k], x[n + k], x[2 * n + k], x[3 * n + k] = to_i, to_f, through_c * i * (one - g * g), to_o
                carry[k] = through_c * f + to_i * p_i + to_f * p_f
        for j in range(4 * H):
            for b in range(B):
                rows[j, t, b] = da[j, b]


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
    fast=FastPass(forward, backward, join, split),
)
