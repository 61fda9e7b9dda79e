"""The Elman network: one state, squashed and fed back."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from rnnviz.cells.base import ACTIVATIONS, Cell, Gradients, Step, Tape, Weights


def step(x: Tensor, state: Mapping[str, Tensor], w: Weights, activation: str) -> Step:
    """x (B, I), state h (B, H) -> the next state."""
    a = x @ w["W_ih"].T + state["h"] @ w["W_hh"].T + w["b"]  # (B, H)
    return Step({"h": ACTIVATIONS[activation].apply(a)}, {}, {"hidden": a})


def forward(u: Tensor, w: Weights, activation: str) -> Tape:
    T, H, B = u.shape
    phi_ = ACTIVATIONS[activation].apply_
    h = u.new_zeros(T + 1, H, B)
    past = h.unbind(0)
    for t, u_t in enumerate(u.unbind(0)):
        phi_(torch.addmm(u_t, w["W_hh"], past[t], out=past[t + 1]))
    return Tape({"h": h}, {}, {})


def backward(tape: Tape, w: Weights, activation: str, direct: Tensor) -> Gradients:
    slope = ACTIVATIONS[activation].slope_from_output(tape.states["h"][1:])  # (T, H, B)
    W_hh_T = w["W_hh"].T
    delta, da = torch.empty_like(direct), torch.empty_like(direct)
    deltas, das, slopes, directs = delta.unbind(0), da.unbind(0), slope.unbind(0), direct.unbind(0)
    last = len(deltas) - 1
    deltas[last].copy_(directs[last])
    for t in range(last, -1, -1):
        if t < last:
            torch.addmm(directs[t], W_hh_T, das[t + 1], out=deltas[t])
        torch.mul(deltas[t], slopes[t], out=das[t])
    return Gradients({"h": delta}, da, da)


RNN = Cell(
    name="rnn",
    title="Elman RNN",
    teaches="The past reaches the present only through the same matrix and the same squashing, once per step.",
    citation="Elman 1990, Finding Structure in Time",
    states=("h",),
    blocks=("hidden",),
    gates=(),
    signed_gates=(),
    equations={"h": r"h_t = \phi(W_{ih} x_t + W_{hh} h_{t-1} + b)"},
    options=("activation",),
    extra_parameters={},
    bias_field=None,
    step=step,
    forward=forward,
    backward=backward,
)
