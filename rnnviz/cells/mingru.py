"""The GRU stripped until its gate reads only the input; here an open gate overwrites."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from rnnviz.cells.base import Cell, Step, Weights, input_shapes


def step(x: Tensor, state: Mapping[str, Tensor], w: Weights, activation: str) -> Step:
    """x (B, I), state h (B, H) -> the next state."""
    a_z, candidate = (x @ w["W_ih"].T + w["b"]).chunk(2, dim=1)  # (B, H) each; the candidate is not squashed
    z = torch.sigmoid(a_z)
    return Step(
        {"h": (1 - z) * state["h"] + z * candidate},
        {"update": z, "candidate": candidate},
        {"update": a_z, "candidate": candidate},
    )


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
)
