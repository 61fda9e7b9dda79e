"""Long short-term memory with a forget gate: a second state that is added to, not squashed."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from rnnviz.cells.base import MATRIX_STARTS, Cell, FastPass, Gradients, Step, Tape, Weights, block_shapes
from rnnviz.loops import Array, loop, sigmoid, tanh


def step(x: Tensor, state: Mapping[str, Tensor], w: Weights, activation: str) -> Step:
    """x (B, I), states h and c (B, H) -> the next states."""
    a = x @ w["W_ih"].T + state["h"] @ w["W_hh"].T + w["b"]  # (B, 4H)
    a_i, a_f, a_g, a_o = a.chunk(4, dim=1)
    i, f, g, o = torch.sigmoid(a_i), torch.sigmoid(a_f), torch.tanh(a_g), torch.sigmoid(a_o)
    c = f * state["c"] + i * g
    h = o * torch.tanh(c)
    return Step(
        {"h": h, "c": c},
        {"input": i, "forget": f, "candidate": g, "output": o},
        {"input": a_i, "forget": a_f, "candidate": a_g, "output": a_o},
    )


def forward(z: Tensor, W: Tensor, activation: str) -> Tape:
    T, H, B = len(z) - 1, len(W) // 4, z.shape[2]
    c, gates, tanh_c = z.new_zeros(T + 1, H, B), z.new_empty(T, 4 * H, B), z.new_empty(T, H, B)
    _forward(z.numpy(), W.numpy(), c.numpy(), gates.numpy(), tanh_c.numpy())
    named = dict(zip(LSTM.blocks, gates.chunk(4, dim=1), strict=True))
    return Tape({"h": z[:, :H], "c": c}, named, {"gates": gates, "tanh_c": tanh_c})


def backward(tape: Tape, W: Tensor, activation: str, direct: Tensor, window: int) -> Gradients:
    T, (_, H, B) = len(tape.states["c"]) - 1, direct.shape
    gates, tanh_c, c = tape.extra["gates"], tape.extra["tanh_c"], tape.states["c"]
    delta_h, delta_c, rows = direct.new_empty(T, H, B), direct.new_empty(T, H, B), direct.new_empty(4 * H, T, B)
    W_hh_T = W[:, :H].T.contiguous()
    _backward(
        gates.numpy(), c.numpy(), tanh_c.numpy(), W_hh_T.numpy(), direct.numpy(), window,
        delta_h.numpy(), delta_c.numpy(), rows.numpy(),
    )  # fmt: skip
    by_block = dict(zip(LSTM.blocks, rows.transpose(0, 1).chunk(4, dim=1), strict=True))
    return Gradients({"h": delta_h, "c": delta_c}, by_block, rows)


@loop
def _forward(z: Array, W: Array, c: Array, gates: Array, tanh_c: Array) -> None:
    # z (T + 1, K, B), W (4H, K); fills c, gates (T, 4H, B), tanh_c and z[1:, :H]
    n = c[0].size
    for t in range(len(gates)):
        np.dot(W, z[t], gates[t])
        a, c_past, c_now, s, h = gates[t].ravel(), c[t].ravel(), c[t + 1].ravel(), tanh_c[t].ravel(), z[t + 1].ravel()
        for k in range(n):  # one sweep: the blocks i, f, g, o lie n apart
            i, f, g, o = sigmoid(a[k]), sigmoid(a[n + k]), tanh(a[2 * n + k]), sigmoid(a[3 * n + k])
            a[k], a[n + k], a[2 * n + k], a[3 * n + k] = i, f, g, o
            c_now[k] = f * c_past[k] + i * g
            s[k] = tanh(c_now[k])
            h[k] = o * s[k]


@loop
def _backward(
    gates: Array, c: Array, tanh_c: Array, W_hh_T: Array, direct: Array, window: int,
    delta_h: Array, delta_c: Array, rows: Array,
) -> None:  # fmt: skip
    # the last three are filled
    T, H, B = delta_h.shape
    n, one = H * B, direct.dtype.type(1)
    da, carry = np.zeros_like(gates[0]), np.zeros_like(direct[0].ravel())  # carry: what c_t receives from c_{t+1}
    x, nothing = da.ravel(), np.zeros_like(direct[0])
    for t in range(T - 1, -1, -1):
        if window > 0 and (t + 1) % window == 0:  # truncated: nothing comes from beyond
            da[:] = 0
            carry[:] = 0
        np.dot(W_hh_T, da, delta_h[t])
        own = (direct[t - T] if T - t <= len(direct) else nothing).ravel()
        a, c_past, s = gates[t].ravel(), c[t].ravel(), tanh_c[t].ravel()
        dh, dc = delta_h[t].ravel(), delta_c[t].ravel()
        for k in range(n):
            i, f, g, o = a[k], a[n + k], a[2 * n + k], a[3 * n + k]
            through_h = dh[k] + own[k]
            through_c = carry[k] + through_h * o * (one - s[k] * s[k])
            dh[k], dc[k] = through_h, through_c
            x[k] = through_c * g * i * (one - i)
            x[n + k] = through_c * c_past[k] * f * (one - f)
            x[2 * n + k] = through_c * i * (one - g * g)
            x[3 * n + k] = through_h * s[k] * o * (one - o)
            carry[k] = through_c * f
        for j in range(4 * H):
            for b in range(B):
                rows[j, t, b] = da[j, b]


LSTM = Cell(
    name="lstm",
    title="LSTM",
    teaches="The cell state is added to, so the gradient's direct path is a product of forget gates, not of matrices.",
    citation="Hochreiter & Schmidhuber 1997, Long Short-Term Memory; forget gate: Gers, Schmidhuber & Cummins 2000",
    states=("h", "c"),
    blocks=("input", "forget", "candidate", "output"),
    gates=("input", "forget", "output", "candidate"),
    signed_gates=("candidate",),
    equations={
        "input": r"i_t = \sigma(W_{ii} x_t + W_{hi} h_{t-1} + b_i)",
        "forget": r"f_t = \sigma(W_{if} x_t + W_{hf} h_{t-1} + b_f)",
        "candidate": r"g_t = \tanh(W_{ig} x_t + W_{hg} h_{t-1} + b_g)",
        "output": r"o_t = \sigma(W_{io} x_t + W_{ho} h_{t-1} + b_o)",
        "c": r"c_t = f_t \odot c_{t-1} + i_t \odot g_t",
        "h": r"h_t = o_t \odot \tanh(c_t)",
    },
    symbols={"input": "i", "forget": "f", "candidate": "g", "output": "o", "c": "c", "h": "h"},
    options=("forget_bias",),
    initialisations=(*MATRIX_STARTS, "chrono", "zeros"),
    bias_fields={"forget_bias": "forget"},
    keepers={"forget": 1, "input": -1},
    step=step,
    shapes=block_shapes(4),
    fast=FastPass(forward, backward),
)
