"""The gated recurrent unit, in the variant of PyTorch and Keras (reset after the matrix product); z keeps."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from rnnviz.cells.base import MATRIX_STARTS, Cell, FastPass, Gradients, Step, Tape, Weights, block_shapes
from rnnviz.loops import Array, loop, sigmoid, tanh


def step(x: Tensor, state: Mapping[str, Tensor], w: Weights, activation: str) -> Step:
    """x (B, I), state h (B, H) -> the next state."""
    h = state["h"]
    u_r, u_z, u_n = (x @ w["W_ih"].T + w["b"]).chunk(3, dim=1)
    W_r, W_z, W_n = w["W_hh"].chunk(3, dim=0)
    a_r, a_z = u_r + h @ W_r.T, u_z + h @ W_z.T
    r, z = torch.sigmoid(a_r), torch.sigmoid(a_z)
    a_n = u_n + r * (h @ W_n.T + w["b_hn"])
    n = torch.tanh(a_n)
    return Step(
        {"h": (1 - z) * n + z * h},
        {"reset": r, "update": z, "candidate": n},
        {"reset": a_r, "update": a_z, "candidate": a_n},
    )


def join(w: Weights) -> Tensor:
    """Four blocks of rows: reset, update, what the candidate reads of the state (U h + b'), and of the input (W x + b)."""
    W_hh, W_ih, b = w["W_hh"], w["W_ih"], w["b"]
    H, I = W_hh.shape[1], W_ih.shape[1]
    joined = W_hh.new_zeros(4 * H, H + I + 1)
    joined[: 3 * H, :H] = W_hh
    joined[: 2 * H, H:-1], joined[3 * H :, H:-1] = W_ih[: 2 * H], W_ih[2 * H :]
    joined[: 2 * H, -1], joined[2 * H : 3 * H, -1], joined[3 * H :, -1] = b[: 2 * H], w["b_hn"], b[2 * H :]
    return joined


def split(joined: Tensor, H: int) -> dict[str, Tensor]:
    of_input = torch.cat([joined[: 2 * H], joined[3 * H :]])
    return {
        "W_hh": joined[: 3 * H, :H],
        "W_ih": of_input[:, H:-1],
        "b": of_input[:, -1],
        "b_hn": joined[2 * H : 3 * H, -1],
    }


def forward(z: Tensor, W: Tensor, activation: str) -> Tape:
    T, H, B = len(z) - 1, len(W) // 4, z.shape[2]
    gates = z.new_empty(T, 4 * H, B)
    _forward(z.numpy(), W.numpy(), gates.numpy())
    r, update, _, candidate = gates.chunk(4, dim=1)
    return Tape({"h": z[:, :H]}, {"reset": r, "update": update, "candidate": candidate}, {"gates": gates, "z": z})


def backward(tape: Tape, W: Tensor, activation: str, direct: Tensor, window: int) -> Gradients:
    T, (_, H, B) = len(tape.states["h"]) - 1, direct.shape
    delta, rows = direct.new_empty(T, H, B), direct.new_empty(4 * H, T, B)
    W_hh_T = W[: 3 * H, :H].T.contiguous()
    _backward(
        tape.extra["gates"].numpy(), tape.extra["z"].numpy(), W_hh_T.numpy(), direct.numpy(), window,
        delta.numpy(), rows.numpy(),
    )  # fmt: skip
    r, update, _, candidate = rows.transpose(0, 1).chunk(4, dim=1)
    return Gradients({"h": delta}, {"reset": r, "update": update, "candidate": candidate}, rows)


@loop
def _forward(z: Array, W: Array, gates: Array) -> None:
    # z (T + 1, K, B), W (4H, K); fills gates (T, 4H, B): r, z, U h + b', n; and z[1:, :H]
    n = gates[0].size // 4
    for t in range(len(gates)):
        np.dot(W, z[t], gates[t])
        a, h_past, h = gates[t].ravel(), z[t].ravel(), z[t + 1].ravel()
        for k in range(n):
            r, keep = sigmoid(a[k]), sigmoid(a[n + k])
            new = tanh(a[3 * n + k] + r * a[2 * n + k])
            a[k], a[n + k], a[3 * n + k] = r, keep, new
            h[k] = new + keep * (h_past[k] - new)


@loop
def _backward(gates: Array, z: Array, W_hh_T: Array, direct: Array, window: int, delta: Array, rows: Array) -> None:
    # fills delta (T, H, B) and rows (4H, T, B)
    T, H, B = delta.shape
    n, one = H * B, direct.dtype.type(1)
    da, carry = np.zeros_like(gates[0]), np.zeros_like(direct[0].ravel())  # carry: what h_t receives through z_{t+1}
    x, recurrent, nothing = da.ravel(), da[: 3 * H], np.zeros_like(direct[0])
    for t in range(T - 1, -1, -1):
        if window > 0 and (t + 1) % window == 0:  # truncated: nothing comes from beyond
            da[:] = 0
            carry[:] = 0
        np.dot(W_hh_T, recurrent, delta[t])
        own = (direct[t - T] if T - t <= len(direct) else nothing).ravel()
        a, h_past, d = gates[t].ravel(), z[t].ravel(), delta[t].ravel()
        for k in range(n):
            r, keep, inner, new = a[k], a[n + k], a[2 * n + k], a[3 * n + k]
            total = d[k] + carry[k] + own[k]
            to_new = total * (one - keep) * (one - new * new)
            d[k], carry[k] = total, total * keep
            x[k] = to_new * inner * r * (one - r)
            x[n + k] = total * (h_past[k] - new) * keep * (one - keep)
            x[2 * n + k] = to_new * r
            x[3 * n + k] = to_new
        for j in range(4 * H):
            for b in range(B):
                rows[j, t, b] = da[j, b]


GRU = Cell(
    name="gru",
    title="GRU",
    teaches="One gate decides how much of the old state is kept, unsquashed; nothing else is needed to carry it.",
    citation="Cho et al. 2014, Learning Phrase Representations using RNN Encoder-Decoder (v1; PyTorch, Keras reset_after)",
    states=("h",),
    blocks=("reset", "update", "candidate"),
    gates=("reset", "update", "candidate"),
    signed_gates=("candidate",),
    equations={
        "reset": r"r_t = \sigma(W_{ir} x_t + W_{hr} h_{t-1} + b_r)",
        "update": r"z_t = \sigma(W_{iz} x_t + W_{hz} h_{t-1} + b_z)",
        "candidate": r"n_t = \tanh(W_{in} x_t + b_n + r_t \odot (W_{hn} h_{t-1} + b_{hn}))",
        "h": r"h_t = (1 - z_t) \odot n_t + z_t \odot h_{t-1}",
    },
    symbols={"reset": "r", "update": "z", "candidate": "n", "h": "h"},
    options=("update_bias",),
    initialisations=(*MATRIX_STARTS, "chrono", "zeros"),
    bias_fields={"update_bias": "update"},
    keepers={"update": 1},
    step=step,
    shapes=block_shapes(3, b_hn=1),
    fast=FastPass(forward, backward, join, split),
)
