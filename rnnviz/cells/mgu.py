"""The minimal gated unit: one gate is both reset and update; here an open gate overwrites."""

from __future__ import annotations

from collections.abc import Mapping

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
    u_f, u_h = (x @ w["W_ih"].T + w["b"]).chunk(2, dim=1)
    W_f, W_h = w["W_hh"].chunk(2, dim=0)
    a_f = u_f + h @ W_f.T
    f = torch.sigmoid(a_f)
    a_h = u_h + (f * h) @ W_h.T
    candidate = torch.tanh(a_h)
    return Step(
        {"h": (1 - f) * h + f * candidate},
        {"update": f, "candidate": candidate},
        {"update": a_f, "candidate": a_h},
    )


def forward(z: Tensor, W: Tensor, activation: str) -> Tape:
    T, H, B = len(z) - 1, len(W) // 2, z.shape[2]
    gates, y = z.new_empty(T, 2 * H, B), z[:-1].clone()  # y: what the candidate reads, [f h; x; 1]
    _forward(z.numpy(), y.numpy(), W.numpy(), gates.numpy())
    named = dict(zip(MGU.blocks, gates.chunk(2, dim=1), strict=True))
    return Tape({"h": z[:, :H]}, named, {"gates": gates, "z": z, "y": y})


def backward(tape: Tape, W: Tensor, activation: str, direct: Tensor, window: int) -> Gradients:
    gates, z, y = tape.extra["gates"], tape.extra["z"], tape.extra["y"]
    T, (_, H, B) = len(gates), direct.shape
    delta, rows = direct.new_empty(T, H, B), direct.new_empty(2 * H, T, B)
    W_f_T, W_h_T = W[:H, :H].T.contiguous(), W[H:, :H].T.contiguous()
    _backward(
        gates.numpy(), z.numpy(), W_f_T.numpy(), W_h_T.numpy(), direct.numpy(), window, delta.numpy(), rows.numpy()
    )
    by_block = dict(zip(MGU.blocks, rows.transpose(0, 1).chunk(2, dim=1), strict=True))
    return Gradients({"h": delta}, by_block, rows, torch.cat([product(rows[:H], z[:-1]), product(rows[H:], y)]))


@loop
def _forward(z: Array, y: Array, W: Array, gates: Array) -> None:
    # z (T + 1, K, B), W (2H, K); fills gates (T, 2H, B), y[:, :H] and z[1:, :H]
    H = len(W) // 2
    n = gates[0].size // 2
    for t in range(len(gates)):
        np.dot(W[:H], z[t], gates[t, :H])
        a, h_past, seen, h = gates[t].ravel(), z[t].ravel(), y[t].ravel(), z[t + 1].ravel()
        for k in range(n):
            a[k] = sigmoid(a[k])
            seen[k] = a[k] * h_past[k]
        np.dot(W[H:], y[t], gates[t, H:])
        for k in range(n):
            new = tanh(a[n + k])
            a[n + k] = new
            h[k] = h_past[k] + a[k] * (new - h_past[k])


@loop
def _backward(
    gates: Array, z: Array, W_f_T: Array, W_h_T: Array, direct: Array, window: int, delta: Array, rows: Array
) -> None:
    # fills delta (T, H, B) and rows (2H, T, B)
    T, H, B = delta.shape
    n, one = H * B, direct.dtype.type(1)
    da, to_seen, carry = np.zeros_like(gates[0]), np.zeros_like(direct[0]), np.zeros_like(direct[0].ravel())
    x, s, nothing = da.ravel(), to_seen.ravel(), np.zeros_like(direct[0])  # to_seen: what f h receives
    for t in range(T - 1, -1, -1):
        if window > 0 and (t + 1) % window == 0:  # truncated: nothing comes from beyond
            da[:] = 0
            carry[:] = 0
        np.dot(W_f_T, da[:H], delta[t])
        own = (direct[t - T] if T - t <= len(direct) else nothing).ravel()
        a, h_past, d = gates[t].ravel(), z[t].ravel(), delta[t].ravel()
        for k in range(n):
            d[k] += carry[k] + own[k]
            x[n + k] = d[k] * a[k] * (one - a[n + k] * a[n + k])
        np.dot(W_h_T, da[H:], to_seen)
        for k in range(n):
            f, new = a[k], a[n + k]
            x[k] = (d[k] * (new - h_past[k]) + s[k] * h_past[k]) * f * (one - f)
            carry[k] = d[k] * (one - f) + s[k] * f
        for j in range(2 * H):
            for b in range(B):
                rows[j, t, b] = da[j, b]


MGU = Cell(
    name="mgu",
    title="MGU (one gate)",
    teaches="One gate is reset and update at once: a unit that keeps its value is also left out of every candidate's sum.",
    citation="Zhou et al. 2016, Minimal Gated Unit for Recurrent Neural Networks",
    states=("h",),
    blocks=("update", "candidate"),
    gates=("update", "candidate"),
    signed_gates=("candidate",),
    equations={
        "update": r"f_t = \sigma(W_{if} x_t + W_{hf} h_{t-1} + b_f)",
        "candidate": r"\tilde h_t = \tanh(W_{ih} x_t + W_{hh} (f_t \odot h_{t-1}) + b_h)",
        "h": r"h_t = (1 - f_t) \odot h_{t-1} + f_t \odot \tilde h_t",
    },
    symbols={"update": "f", "candidate": r"\tilde h", "h": "h"},
    options=("update_bias",),
    initialisations=(*MATRIX_STARTS, "chrono", "zeros"),
    bias_fields={"update_bias": "update"},
    keepers={"update": -1},
    step=step,
    shapes=block_shapes(2),
    fast=FastPass(forward, backward),
)
