"""The GRU stripped until its gate reads only the input; here an open gate overwrites."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from rnnviz.cells.base import Cell, FastPass, Gradients, Step, Tape, Weights, input_shapes, spread
from rnnviz.loops import Array, loop


def step(x: Tensor, state: Mapping[str, Tensor], w: Weights, activation: str) -> Step:
    """x (B, I), state h (B, H) -> the next state."""
    a_z, candidate = (x @ w["W_ih"].T + w["b"]).chunk(2, dim=1)  # (B, H) each; the candidate is not squashed
    z = torch.sigmoid(a_z)
    return Step(
        {"h": (1 - z) * state["h"] + z * candidate},
        {"update": z, "candidate": candidate},
        {"update": a_z, "candidate": candidate},
    )


def join(w: Weights) -> Tensor:
    """What multiplies the state is zero: the gates do not read it."""
    rows = len(w["b"])
    return torch.cat([w["b"].new_zeros(rows, rows // 2), w["W_ih"], w["b"][:, None]], 1)


def split(joined: Tensor, H: int) -> dict[str, Tensor]:
    return {"W_ih": joined[:, H:-1], "b": joined[:, -1]}


def forward(z: Tensor, W: Tensor, activation: str) -> Tape:
    H = len(W) // 2
    a_z, candidate = torch.matmul(W[:, H:], z[:-1, H:]).chunk(2, dim=1)  # (T, H, B) each, all steps at once
    update = torch.sigmoid(a_z)
    carry_on(z.numpy(), (1 - update).numpy(), (update * candidate).numpy())
    return Tape({"h": z[:, :H]}, {"update": update, "candidate": candidate}, {})


def backward(tape: Tape, W: Tensor, activation: str, direct: Tensor, window: int) -> Gradients:
    update, candidate = tape.gates["update"], tape.gates["candidate"]
    delta = spread(direct, len(tape.states["h"]) - 1)
    carry_back(delta.numpy(), (1 - update).numpy(), window)
    to_z = delta * (candidate - tape.states["h"][:-1]) * update * (1 - update)
    to_candidate = delta * update
    rows = torch.cat([to_z, to_candidate], 1).transpose(0, 1)
    return Gradients({"h": delta}, {"update": to_z, "candidate": to_candidate}, rows)


@loop
def carry_on(z: Array, keep: Array, new: Array) -> None:
    # h_t = keep_t h_{t-1} + new_t; keep, new (T, H, B); h lies in the first H rows of z (T + 1, K, B)
    n = keep[0].size
    for t in range(len(keep)):
        h_past, h, kept, added = z[t].ravel(), z[t + 1].ravel(), keep[t].ravel(), new[t].ravel()
        for k in range(n):
            h[k] = kept[k] * h_past[k] + added[k]


@loop
def carry_back(delta: Array, keep: Array, window: int) -> None:
    # delta (T, H, B) comes with what each h_t receives directly and leaves with all it receives
    for t in range(len(delta) - 2, -1, -1):
        if window == 0 or (t + 1) % window != 0:  # truncated: nothing comes from beyond
            d, later, kept = delta[t].ravel(), delta[t + 1].ravel(), keep[t + 1].ravel()
            for k in range(d.size):
                d[k] += kept[k] * later[k]


MINGRU = Cell(
    name="mingru",
    title="minGRU",
    teaches="The gate reads only the input, so each unit carries its past by the factor 1 − z and by no other path.",
    citation="Feng et al. 2024, Were RNNs All We Needed?",
    states=("h",),
    blocks=("update", "candidate"),
    gates=("update", "candidate"),
    signed_gates=("candidate",),
    unbounded_gates=("candidate",),
    equations={
        "update": r"z_t = \sigma(W_{iz} x_t + b_z)",
        "candidate": r"\tilde h_t = W_{ih} x_t + b_h",
        "h": r"h_t = (1 - z_t) \odot h_{t-1} + z_t \odot \tilde h_t",
    },
    symbols={"update": "z", "candidate": r"\tilde h", "h": "h"},
    options=("update_bias",),
    initialisations=("default", "chrono", "zeros"),
    bias_fields={"update_bias": "update"},
    keepers={"update": -1},
    step=step,
    shapes=input_shapes(2),
    fast=FastPass(forward, backward, join, split),
)
