"""The LSTM with one gate in place of two: what it does not keep, it overwrites."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from rnnviz.cells.base import MATRIX_STARTS, Cell, FastPass, Gradients, Step, Tape, Weights, block_shapes, spread
from rnnviz.loops import Array, loop, sigmoid, tanh


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


def forward(z: Tensor, W: Tensor, activation: str) -> Tape:
    T, H, B = len(z) - 1, len(W) // 3, z.shape[2]
    c, gates, tanh_c = z.new_zeros(T + 1, H, B), z.new_empty(T, 3 * H, B), z.new_empty(T, H, B)
    _forward(z.numpy(), W.numpy(), c.numpy(), gates.numpy(), tanh_c.numpy())
    named = dict(zip(LSTM_COUPLED.blocks, gates.chunk(3, dim=1), strict=True))
    return Tape({"h": z[:, :H], "c": c}, named, {"gates": gates, "tanh_c": tanh_c})


def backward(tape: Tape, W: Tensor, activation: str, direct: Tensor, window: int) -> Gradients:
    direct = spread(direct, len(tape.states["h"]) - 1)
    T, H, B = direct.shape
    gates, tanh_c, c = tape.extra["gates"], tape.extra["tanh_c"], tape.states["c"]
    delta_h, delta_c, rows = torch.empty_like(direct), torch.empty_like(direct), direct.new_empty(3 * H, T, B)
    W_hh_T = W[:, :H].T.contiguous()
    _backward(
        gates.numpy(), c.numpy(), tanh_c.numpy(), W_hh_T.numpy(), direct.numpy(), window,
        delta_h.numpy(), delta_c.numpy(), rows.numpy(),
    )  # fmt: skip
    by_block = dict(zip(LSTM_COUPLED.blocks, rows.transpose(0, 1).chunk(3, dim=1), strict=True))
    return Gradients({"h": delta_h, "c": delta_c}, by_block, rows)


@loop
def _forward(z: Array, W: Array, c: Array, gates: Array, tanh_c: Array) -> None:
    # z (T + 1, K, B), W (3H, K); fills c, gates (T, 3H, B), tanh_c and z[1:, :H]
    n = c[0].size
    for t in range(len(gates)):
        np.dot(W, z[t], gates[t])
        a, c_past, c_now, s, h = gates[t].ravel(), c[t].ravel(), c[t + 1].ravel(), tanh_c[t].ravel(), z[t + 1].ravel()
        for k in range(n):  # one sweep: the blocks f, g, o lie n apart
            f, g, o = sigmoid(a[k]), tanh(a[n + k]), sigmoid(a[2 * n + k])
            a[k], a[n + k], a[2 * n + k] = f, g, o
            c_now[k] = g + f * (c_past[k] - g)
            s[k] = tanh(c_now[k])
            h[k] = o * s[k]


@loop
def _backward(
    gates: Array, c: Array, tanh_c: Array, W_hh_T: Array, direct: Array, window: int,
    delta_h: Array, delta_c: Array, rows: Array,
) -> None:  # fmt: skip
    # the last three are filled
    T, H, B = direct.shape
    n, one = H * B, direct.dtype.type(1)
    da, carry = np.zeros_like(gates[0]), np.zeros_like(direct[0].ravel())  # carry: what c_t receives from c_{t+1}
    x = da.ravel()
    for t in range(T - 1, -1, -1):
        if window > 0 and (t + 1) % window == 0:  # truncated: nothing comes from beyond
            da[:] = 0
            carry[:] = 0
        np.dot(W_hh_T, da, delta_h[t])
        a, c_past, s, own = gates[t].ravel(), c[t].ravel(), tanh_c[t].ravel(), direct[t].ravel()
        dh, dc = delta_h[t].ravel(), delta_c[t].ravel()
        for k in range(n):
            f, g, o = a[k], a[n + k], a[2 * n + k]
            through_h = dh[k] + own[k]
            through_c = carry[k] + through_h * o * (one - s[k] * s[k])
            dh[k], dc[k] = through_h, through_c
            x[k] = through_c * (c_past[k] - g) * f * (one - f)
            x[n + k] = through_c * (one - f) * (one - g * g)
            x[2 * n + k] = through_h * s[k] * o * (one - o)
            carry[k] = through_c * f
        for j in range(3 * H):
            for b in range(B):
                rows[j, t, b] = da[j, b]


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
    fast=FastPass(forward, backward),
)
