"""Long short-term memory with a forget gate: a second state that is added to, not squashed."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from rnnviz.cells.base import Cell, Gradients, Step, Tape, Weights


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


def forward(u: Tensor, w: Weights, activation: str) -> Tape:
    T, four_H, B = u.shape
    H = four_H // 4
    h, c = u.new_zeros(T + 1, H, B), u.new_zeros(T + 1, H, B)
    tanh_c, gates = u.new_empty(T, H, B), torch.empty_like(u)
    hs, cs, squashed = h.unbind(0), c.unbind(0), tanh_c.unbind(0)
    input_forget, candidate, output = (
        block.unbind(0) for block in (gates[:, : 2 * H], gates[:, 2 * H : 3 * H], gates[:, 3 * H :])
    )
    i, f = gates[:, :H].unbind(0), gates[:, H : 2 * H].unbind(0)
    for t, (u_t, a_t) in enumerate(zip(u.unbind(0), gates.unbind(0), strict=True)):
        torch.addmm(u_t, w["W_hh"], hs[t], out=a_t)
        torch.sigmoid_(input_forget[t])
        torch.tanh_(candidate[t])
        torch.sigmoid_(output[t])
        torch.mul(f[t], cs[t], out=cs[t + 1]).addcmul_(i[t], candidate[t])
        torch.tanh(cs[t + 1], out=squashed[t])
        torch.mul(output[t], squashed[t], out=hs[t + 1])
    named = dict(zip(("input", "forget", "candidate", "output"), gates.chunk(4, dim=1), strict=True))
    return Tape({"h": h, "c": c}, named, {"tanh_c": tanh_c})


def backward(tape: Tape, w: Weights, activation: str, direct: Tensor) -> Gradients:
    i, f, g, o = (tape.gates[name] for name in ("input", "forget", "candidate", "output"))
    T, H, B = i.shape
    tanh_c, c_past = tape.extra["tanh_c"], tape.states["c"][:-1]
    # Everything that does not depend on later steps is computed for all T at once; the loop only chains.
    h_to_c = o * (1 - tanh_c * tanh_c)
    h_to_output = (1 - o) * o * tanh_c
    c_to_blocks = torch.stack([(1 - i) * i * g, (1 - f) * f * c_past, (1 - g * g) * i], dim=1)  # (T, 3, H, B)
    W_hh_T = w["W_hh"].T
    delta_h, delta_c, carry = torch.empty_like(direct), torch.empty_like(direct), direct.new_zeros(H, B)
    da = direct.new_empty(T, 4, H, B)
    dhs, dcs, directs, fs = delta_h.unbind(0), delta_c.unbind(0), direct.unbind(0), f.unbind(0)
    da_rows, da_first, da_output = da.view(T, 4 * H, B).unbind(0), da[:, :3].unbind(0), da[:, 3].unbind(0)
    to_c, to_output, to_blocks = h_to_c.unbind(0), h_to_output.unbind(0), c_to_blocks.unbind(0)
    dhs[T - 1].copy_(directs[T - 1])
    for t in range(T - 1, -1, -1):
        if t < T - 1:
            torch.addmm(directs[t], W_hh_T, da_rows[t + 1], out=dhs[t])
        torch.addcmul(carry, dhs[t], to_c[t], out=dcs[t])
        torch.mul(to_blocks[t], dcs[t], out=da_first[t])
        torch.mul(to_output[t], dhs[t], out=da_output[t])
        torch.mul(dcs[t], fs[t], out=carry)
    flat = da.view(T, 4 * H, B)
    return Gradients({"h": delta_h, "c": delta_c}, flat, flat)


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
    options=("forget_bias",),
    extra_parameters={},
    bias_field=("forget_bias", "forget"),
    step=step,
    forward=forward,
    backward=backward,
)
