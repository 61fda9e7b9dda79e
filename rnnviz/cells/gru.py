"""The gated recurrent unit, in the variant of PyTorch and Keras (reset after the matrix product); z keeps."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from rnnviz.cells.base import Cell, Gradients, Step, Tape, Weights


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


def forward(u: Tensor, w: Weights, activation: str) -> Tape:
    T, three_H, B = u.shape
    H = three_H // 3
    W_rz, W_n, b_hn = w["W_hh"][: 2 * H], w["W_hh"][2 * H :], w["b_hn"][:, None]
    h, gates, m = u.new_zeros(T + 1, H, B), torch.empty_like(u), u.new_empty(T, H, B)
    hs, ms = h.unbind(0), m.unbind(0)
    rz, r, z, n = (
        block.unbind(0) for block in (gates[:, : 2 * H], gates[:, :H], gates[:, H : 2 * H], gates[:, 2 * H :])
    )
    u_rz, u_n = u[:, : 2 * H].unbind(0), u[:, 2 * H :].unbind(0)
    for t in range(T):
        torch.sigmoid_(torch.addmm(u_rz[t], W_rz, hs[t], out=rz[t]))
        torch.addmm(b_hn, W_n, hs[t], out=ms[t])
        torch.tanh_(torch.addcmul(u_n[t], r[t], ms[t], out=n[t]))
        torch.lerp(n[t], hs[t], z[t], out=hs[t + 1])  # n + z (h - n)
    named = dict(zip(("reset", "update", "candidate"), gates.chunk(3, dim=1), strict=True))
    return Tape({"h": h}, named, {"m": m})


def backward(tape: Tape, w: Weights, activation: str, direct: Tensor) -> Gradients:
    r, z, n = (tape.gates[name] for name in ("reset", "update", "candidate"))
    T, H, B = r.shape
    # Every pre-activation gradient is a known factor times delta_t, so the loop is three operations long.
    to_n = (1 - z) * (1 - n * n)
    to_r = to_n * tape.extra["m"] * r * (1 - r)
    to_z = (tape.states["h"][:-1] - n) * z * (1 - z)
    factors = torch.stack([to_r, to_z, to_n * r], dim=1)  # (T, 3, H, B)
    W_hh_T = w["W_hh"].T
    delta, recurrent = torch.empty_like(direct), direct.new_empty(T, 3, H, B)
    deltas, directs, zs = delta.unbind(0), direct.unbind(0), z.unbind(0)
    blocks, rows, factor = recurrent.unbind(0), recurrent.view(T, 3 * H, B).unbind(0), factors.unbind(0)
    deltas[T - 1].copy_(directs[T - 1])
    for t in range(T - 1, -1, -1):
        if t < T - 1:
            torch.addmm(directs[t], W_hh_T, rows[t + 1], out=deltas[t])
            deltas[t].addcmul_(deltas[t + 1], zs[t + 1])
        torch.mul(factor[t], deltas[t], out=blocks[t])
    input_side = recurrent.view(T, 3 * H, B).clone()
    torch.mul(to_n, delta, out=input_side[:, 2 * H :])
    return Gradients({"h": delta}, input_side, recurrent.view(T, 3 * H, B))


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
    options=(),
    extra_parameters={"b_hn": ("candidate",)},
    bias_field=None,
    step=step,
    forward=forward,
    backward=backward,
)
