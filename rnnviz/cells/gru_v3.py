"""The gated recurrent unit that resets the state before the matrix reads it; z keeps."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch
from torch import Tensor

from rnnviz.cells.base import (
    MATRIX_STARTS,
    Cell,
    FastPass,
    Gradients,
    Step,
    Tape,
    Weights,
    block_shapes,
    product,
)
from rnnviz.loops import Array, loop, sigmoid, tanh


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
        {"h": (1 - z) * n + z * h},
        {"reset": r, "update": z, "candidate": n},
        {"reset": a_r, "update": a_z, "candidate": a_n},
    )


def forward(z: Tensor, W: Tensor, activation: str, leak: bool) -> Tape:
    """Without the leak it is `gru_leakless`."""
    T, H, B = len(z) - 1, len(W) // 3, z.shape[2]
    gates, y = z.new_empty(T, 3 * H, B), z[:-1].clone()  # y: what the candidate reads, [r h; x; 1]
    _forward(z.numpy(), y.numpy(), W.numpy(), leak, gates.numpy())
    named = dict(zip(GRU_V3.blocks, gates.chunk(3, dim=1), strict=True))
    return Tape({"h": z[:, :H]}, named, {"gates": gates, "z": z, "y": y})


def backward(tape: Tape, W: Tensor, activation: str, direct: Tensor, window: int, leak: bool) -> Gradients:
    gates, z, y = tape.extra["gates"], tape.extra["z"], tape.extra["y"]
    T, (_, H, B) = len(gates), direct.shape
    delta, rows = direct.new_empty(T, H, B), direct.new_empty(3 * H, T, B)
    W_gates_T, W_new_T = W[: 2 * H, :H].T.contiguous(), W[2 * H :, :H].T.contiguous()
    _backward(
        gates.numpy(), z.numpy(), W_gates_T.numpy(), W_new_T.numpy(), direct.numpy(), window, leak,
        delta.numpy(), rows.numpy(),
    )  # fmt: skip
    by_block = dict(zip(GRU_V3.blocks, rows.transpose(0, 1).chunk(3, dim=1), strict=True))
    whole = torch.cat([product(rows[: 2 * H], z[:-1]), product(rows[2 * H :], y)])
    return Gradients({"h": delta}, by_block, rows, whole)


@loop
def _forward(z: Array, y: Array, W: Array, leak: bool, gates: Array) -> None:
    # z (T + 1, K, B), W (3H, K); fills gates (T, 3H, B), y[:, :H] and z[1:, :H]
    H = len(W) // 3
    n, one = gates[0, :H].size, z.dtype.type(1)
    for t in range(len(gates)):
        np.dot(W[: 2 * H], z[t], gates[t, : 2 * H])
        a, h_past, seen, h = gates[t].ravel(), z[t].ravel(), y[t].ravel(), z[t + 1].ravel()
        for k in range(n):
            a[k], a[n + k] = sigmoid(a[k]), sigmoid(a[n + k])
            seen[k] = a[k] * h_past[k]
        np.dot(W[2 * H :], y[t], gates[t, 2 * H :])
        for k in range(n):
            r, keep, new = a[k], a[n + k], tanh(a[2 * n + k])
            a[2 * n + k] = new
            h[k] = new + keep * (h_past[k] - new) if leak else (one - keep) * r * new


@loop
def _backward(
    gates: Array, z: Array, W_gates_T: Array, W_new_T: Array, direct: Array, window: int, leak: bool,
    delta: Array, rows: Array,
) -> None:  # fmt: skip
    # fills delta (T, H, B) and rows (3H, T, B)
    T, H, B = delta.shape
    n, zero, one = H * B, direct.dtype.type(0), direct.dtype.type(1)
    da, to_seen, carry = np.zeros_like(gates[0]), np.zeros_like(direct[0]), np.zeros_like(direct[0].ravel())
    x, s, nothing = da.ravel(), to_seen.ravel(), np.zeros_like(direct[0])  # to_seen: what r h receives
    for t in range(T - 1, -1, -1):
        if window > 0 and (t + 1) % window == 0:  # truncated: nothing comes from beyond
            da[:] = 0
            carry[:] = 0
        np.dot(W_gates_T, da[: 2 * H], delta[t])
        own = (direct[t - T] if T - t <= len(direct) else nothing).ravel()
        a, h_past, d = gates[t].ravel(), z[t].ravel(), delta[t].ravel()
        for k in range(n):
            r, keep, new = a[k], a[n + k], a[2 * n + k]
            total = d[k] + carry[k] + own[k]
            through_new = total * (one - keep)
            x[k] = zero if leak else through_new * new
            x[n + k] = total * (h_past[k] - new if leak else -r * new) * keep * (one - keep)
            x[2 * n + k] = (through_new if leak else through_new * r) * (one - new * new)
            d[k], carry[k] = total, total * keep if leak else zero
        np.dot(W_new_T, da[2 * H :], to_seen)
        for k in range(n):
            r = a[k]
            x[k] = (x[k] + s[k] * h_past[k]) * r * (one - r)
            carry[k] += s[k] * r
        for j in range(3 * H):
            for b in range(B):
                rows[j, t, b] = da[j, b]


GRU_V3 = Cell(
    name="gru_v3",
    title="GRU v3 (reset first)",
    teaches="The reset gate acts before the matrix, so a closed one leaves its unit out of every candidate's sum.",
    citation="Chung et al. 2014, Empirical Evaluation of Gated Recurrent Neural Networks on Sequence Modeling; "
    "Cho et al. 2014 (v3; Keras reset_after=False)",
    states=("h",),
    blocks=("reset", "update", "candidate"),
    gates=("reset", "update", "candidate"),
    signed_gates=("candidate",),
    equations={
        "reset": r"r_t = \sigma(W_{ir} x_t + W_{hr} h_{t-1} + b_r)",
        "update": r"z_t = \sigma(W_{iz} x_t + W_{hz} h_{t-1} + b_z)",
        "candidate": r"n_t = \tanh(W_{in} x_t + W_{hn} (r_t \odot h_{t-1}) + b_n)",
        "h": r"h_t = (1 - z_t) \odot n_t + z_t \odot h_{t-1}",
    },
    symbols={"reset": "r", "update": "z", "candidate": "n", "h": "h"},
    options=("update_bias",),
    initialisations=(*MATRIX_STARTS, "chrono", "zeros"),
    bias_fields={"update_bias": "update"},
    keepers={"update": 1},
    step=step,
    shapes=block_shapes(3),
    fast=FastPass(partial(forward, leak=True), partial(backward, leak=True)),
)
