"""The LSTM with an exponential input gate: what comes may outweigh all that is stored, and a normaliser keeps the scale.

The forget gate is the sigmoid one of the paper's two. The gates returned are the stabilised i' and f'. Nothing is stored at
first, so the paper's m starts at minus infinity: then n >= 1 from the first step on and c / n is never 0 / 0. Here m starts
at 0 like every state, and `step` knows the beginning by n = 0. Only c / n is read out, which m cancels from: dL/dm is 0 up
to rounding. One head; the paper's convolution, group normalisation and projections belong to the block around the cell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from rnnviz.cells.base import MATRIX_STARTS, Cell, FastPass, Gradients, Step, Tape, Weights, block_shapes, spread
from rnnviz.loops import Array, loop, sigmoid, tanh


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


def forward(z: Tensor, W: Tensor, activation: str) -> Tape:
    T, H, B = len(z) - 1, len(W) // 4, z.shape[2]
    c, n, m = (z.new_zeros(T + 1, H, B) for _ in range(3))
    gates, shut = z.new_empty(T, 4 * H, B), z.new_empty(T, H, B)
    _forward(z.numpy(), W.numpy(), c.numpy(), n.numpy(), m.numpy(), gates.numpy(), shut.numpy())
    named = dict(zip(SLSTM.blocks, gates.chunk(4, dim=1), strict=True))
    return Tape({"h": z[:, :H], "c": c, "n": n, "m": m}, named, {"gates": gates, "shut": shut})


def backward(tape: Tape, W: Tensor, activation: str, direct: Tensor, window: int) -> Gradients:
    direct = spread(direct, len(tape.states["h"]) - 1)
    T, H, B = direct.shape
    delta_h, delta_c, delta_n = (torch.empty_like(direct) for _ in range(3))
    rows, W_hh_T = direct.new_empty(4 * H, T, B), W[:, :H].T.contiguous()
    _backward(
        tape.extra["gates"].numpy(), tape.extra["shut"].numpy(), tape.states["c"].numpy(), tape.states["n"].numpy(),
        W_hh_T.numpy(), direct.numpy(), window, delta_h.numpy(), delta_c.numpy(), delta_n.numpy(), rows.numpy(),
    )  # fmt: skip
    by_block = dict(zip(SLSTM.blocks, rows.transpose(0, 1).chunk(4, dim=1), strict=True))
    states = {"h": delta_h, "c": delta_c, "n": delta_n, "m": torch.zeros_like(direct)}
    return Gradients(states, by_block, rows)


@loop
def _forward(z: Array, W: Array, c: Array, n: Array, m: Array, gates: Array, shut: Array) -> None:
    # z (T + 1, K, B), W (4H, K); fills c, n, m, gates (T, 4H, B), shut = 1 - sigma(a_f) and z[1:, :H]
    size, zero, one, inf = c[0].size, c.dtype.type(0), c.dtype.type(1), c.dtype.type(math.inf)
    for t in range(len(gates)):
        np.dot(W, z[t], gates[t])
        a, h, shut_now = gates[t].ravel(), z[t + 1].ravel(), shut[t].ravel()
        c_past, n_past, m_past = c[t].ravel(), n[t].ravel(), m[t].ravel()
        c_now, n_now, m_now = c[t + 1].ravel(), n[t + 1].ravel(), m[t + 1].ravel()
        for k in range(size):  # the blocks i, f, z, o lie `size` apart
            a_i, a_f = a[k], a[size + k]
            small = math.exp(-abs(a_f))
            shut_now[k] = (small if a_f > 0 else one) / (one + small)
            stored = m_past[k] + min(a_f, zero) - math.log1p(small) if n_past[k] != 0 else -inf
            weaker = math.exp(-abs(stored - a_i))  # the stronger of the two gates is 1
            m_now[k] = max(stored, a_i)
            a[k], a[size + k] = (weaker, one) if stored > a_i else (one, weaker)
        for k in range(2 * size, 3 * size):
            a[k] = tanh(a[k])
        for k in range(3 * size, 4 * size):
            a[k] = sigmoid(a[k])
        for k in range(size):
            c_now[k] = a[size + k] * c_past[k] + a[k] * a[2 * size + k]
            n_now[k] = a[size + k] * n_past[k] + a[k]
            h[k] = a[3 * size + k] * c_now[k] / n_now[k]


@loop
def _backward(
    gates: Array, shut: Array, c: Array, n: Array, W_hh_T: Array, direct: Array, window: int,
    delta_h: Array, delta_c: Array, delta_n: Array, rows: Array,
) -> None:  # fmt: skip
    # the last four are filled; m may be held fixed, since nothing read out depends on it
    T, H, B = direct.shape
    size, one = H * B, direct.dtype.type(1)
    da, carry_c, carry_n = np.zeros_like(gates[0]), np.zeros_like(direct[0].ravel()), np.zeros_like(direct[0].ravel())
    x = da.ravel()
    for t in range(T - 1, -1, -1):
        if window > 0 and (t + 1) % window == 0:  # truncated: nothing comes from beyond
            da[:] = 0
            carry_c[:] = 0
            carry_n[:] = 0
        np.dot(W_hh_T, da, delta_h[t])
        a, shut_now, own = gates[t].ravel(), shut[t].ravel(), direct[t].ravel()
        c_past, n_past, c_now, n_now = c[t].ravel(), n[t].ravel(), c[t + 1].ravel(), n[t + 1].ravel()
        dh, dc, dn = delta_h[t].ravel(), delta_c[t].ravel(), delta_n[t].ravel()
        for k in range(size):
            i, f, new, o = a[k], a[size + k], a[2 * size + k], a[3 * size + k]
            average = c_now[k] / n_now[k]
            through_h = dh[k] + own[k]
            through_c = carry_c[k] + through_h * o / n_now[k]
            through_n = carry_n[k] - through_h * o * average / n_now[k]
            dh[k], dc[k], dn[k] = through_h, through_c, through_n
            x[k] = (through_c * new + through_n) * i
            x[size + k] = (through_c * c_past[k] + through_n * n_past[k]) * f * shut_now[k]
            x[2 * size + k] = through_c * i * (one - new * new)
            x[3 * size + k] = through_h * average * o * (one - o)
            carry_c[k], carry_n[k] = through_c * f, through_n * f
        for j in range(4 * H):
            for b in range(B):
                rows[j, t, b] = da[j, b]


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
    fast=FastPass(forward, backward),
)
