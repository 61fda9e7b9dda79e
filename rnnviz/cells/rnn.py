"""The Elman network: one state, squashed and fed back."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from rnnviz.cells.base import ACTIVATIONS, Cell, FastPass, Gradients, Step, Tape, Weights, block_shapes
from rnnviz.loops import Array, loop, sigmoid, tanh


def step(x: Tensor, state: Mapping[str, Tensor], w: Weights, activation: str) -> Step:
    """x (B, I), state h (B, H) -> the next state."""
    a = x @ w["W_ih"].T + state["h"] @ w["W_hh"].T + w["b"]  # (B, H)
    return Step({"h": ACTIVATIONS[activation](a)}, {}, {"hidden": a})


def forward(z: Tensor, W: Tensor, activation: str) -> Tape:
    _forward(z.numpy(), W.numpy(), KINDS.index(activation))
    return Tape({"h": z[:, : len(W)]}, {}, {"z": z})


def backward(tape: Tape, W: Tensor, activation: str, direct: Tensor, window: int) -> Gradients:
    T, (_, H, B) = len(tape.extra["z"]) - 1, direct.shape
    delta, rows = direct.new_empty(T, H, B), direct.new_empty(H, T, B)
    W_hh_T = W[:, :H].T.contiguous()
    _backward(
        tape.extra["z"].numpy(), W_hh_T.numpy(), direct.numpy(), KINDS.index(activation), window,
        delta.numpy(), rows.numpy(),
    )  # fmt: skip
    return Gradients({"h": delta}, {"hidden": rows.transpose(0, 1)}, rows)


KINDS = tuple(ACTIVATIONS)  # a compiled loop knows them by number


@loop
def _forward(z: Array, W: Array, kind: int) -> None:
    # z (T + 1, K, B), W (H, K); fills the first H rows of z[1:]
    H, zero = len(W), z.dtype.type(0)
    for t in range(len(z) - 1):
        h = z[t + 1, :H]
        np.dot(W, z[t], h)
        y = h.ravel()
        if kind == 0:
            for k in range(y.size):
                y[k] = tanh(y[k])
        elif kind == 1:
            for k in range(y.size):
                y[k] = max(y[k], zero)
        elif kind == 2:
            for k in range(y.size):
                y[k] = sigmoid(y[k])


@loop
def _backward(z: Array, W_hh_T: Array, direct: Array, kind: int, window: int, delta: Array, rows: Array) -> None:
    # fills delta (T, H, B) and rows (H, T, B)
    T, H, B = delta.shape
    zero, one = direct.dtype.type(0), direct.dtype.type(1)
    da, nothing = np.zeros_like(direct[0]), np.zeros_like(direct[0])
    x = da.ravel()
    for t in range(T - 1, -1, -1):
        if window > 0 and (t + 1) % window == 0:  # truncated: nothing comes from beyond
            da[:] = 0
        np.dot(W_hh_T, da, delta[t])
        own = (direct[t - T] if T - t <= len(direct) else nothing).ravel()
        y, d = z[t + 1].ravel(), delta[t].ravel()
        if kind == 0:
            for k in range(d.size):
                d[k] += own[k]
                x[k] = d[k] * (one - y[k] * y[k])
        elif kind == 1:
            for k in range(d.size):
                d[k] += own[k]
                x[k] = d[k] if y[k] > zero else zero
        elif kind == 2:
            for k in range(d.size):
                d[k] += own[k]
                x[k] = d[k] * y[k] * (one - y[k])
        else:
            for k in range(d.size):
                d[k] += own[k]
                x[k] = d[k]
        for j in range(H):
            for b in range(B):
                rows[j, t, b] = da[j, b]


RNN = Cell(
    name="rnn",
    title="Elman RNN",
    teaches="The past reaches the present only through the same matrix and the same squashing, once per step.",
    citation="Elman 1990, Finding Structure in Time",
    states=("h",),
    blocks=("hidden",),
    gates=(),
    signed_gates=(),
    symbols={"h": "h"},
    equations={"h": r"h_t = \phi(W_{ih} x_t + W_{hh} h_{t-1} + b)"},
    options=("activation",),
    step=step,
    shapes=block_shapes(1),
    fast=FastPass(forward, backward),
)
