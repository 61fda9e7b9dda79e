"""The linear recurrent unit: a diagonal complex recurrence that decays and turns, read out through a matrix.

Parameters as in the paper: lambda = exp(-exp(nu_log) + i exp(theta_log)) lies inside the unit circle whatever they are, and
gamma = exp(gamma_log) is learned from where it makes all units equally loud. The radii are spread evenly over the ring
instead of drawn, so that from the first unit to the last the memory grows longer.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from rnnviz.cells.base import (
    ACTIVATIONS,
    SLOPES,
    Cell,
    FastPass,
    Gradients,
    Start,
    Step,
    Tape,
    Weights,
    product,
    spread,
)
from rnnviz.loops import Array, loop

SMALLEST_RADIUS, LARGEST_RADIUS = 0.9, 0.999
LARGEST_PHASE = 2 * np.pi


def step(x: Tensor, state: Mapping[str, Tensor], w: Weights, activation: str) -> Step:
    """x (B, I), states re and im (B, H) -> the next states."""
    radius, angle = torch.exp(-torch.exp(w["nu_log"])), torch.exp(w["theta_log"])  # (H,)
    across, up = radius * torch.cos(angle), radius * torch.sin(angle)
    gamma = torch.exp(w["gamma_log"])
    re = across * state["re"] - up * state["im"] + gamma * (x @ w["B_re"].T)
    im = across * state["im"] + up * state["re"] + gamma * (x @ w["B_im"].T)
    a = re @ w["C_re"].T - im @ w["C_im"].T + x @ w["D"].T  # (B, H)
    return Step({"h": ACTIVATIONS[activation](a), "re": re, "im": im}, {}, {"hidden": a})


def shapes(H: int, I: int) -> dict[str, tuple[int, ...]]:
    own: dict[str, tuple[int, ...]] = {"nu_log": (H,), "theta_log": (H,), "gamma_log": (H,)}
    return own | {"B_re": (H, I), "B_im": (H, I), "C_re": (H, H), "C_im": (H, H), "D": (H, I)}


def squared_radii(H: int) -> np.ndarray:
    """(H,) |lambda| squared at the start: uniform over the area of the ring, as the paper draws it."""
    share = (np.arange(H) + 0.5) / H
    return SMALLEST_RADIUS**2 + share * (LARGEST_RADIUS**2 - SMALLEST_RADIUS**2)


def start_nu(start: Start) -> np.ndarray:
    return np.log(-0.5 * np.log(squared_radii(*start.shape)))


def start_theta(start: Start) -> np.ndarray:
    return np.log(LARGEST_PHASE * (1 - start.rng.random(start.shape)))  # never the logarithm of 0


def start_gamma(start: Start) -> np.ndarray:
    return 0.5 * np.log(1 - squared_radii(*start.shape))


def join(w: Weights) -> Tensor:
    """Side by side: [C_re D nu_log], [C_im B_re theta_log] and [0 B_im gamma_log]; only D and B multiply z."""
    H, I = w["D"].shape
    joined = w["D"].new_zeros(3 * H, H + I + 1)
    joined[:H, :H], joined[H : 2 * H, :H] = w["C_re"], w["C_im"]
    joined[:H, H:-1], joined[H : 2 * H, H:-1], joined[2 * H :, H:-1] = w["D"], w["B_re"], w["B_im"]
    joined[:, -1] = torch.cat([w["nu_log"], w["theta_log"], w["gamma_log"]])
    return joined


def split(joined: Tensor, H: int) -> dict[str, Tensor]:
    first, second, third = joined.split(H)
    return {
        "nu_log": first[:, -1], "theta_log": second[:, -1], "gamma_log": third[:, -1],
        "B_re": second[:, H:-1], "B_im": third[:, H:-1],
        "C_re": first[:, :H], "C_im": second[:, :H], "D": first[:, H:-1],
    }  # fmt: skip


def forward(z: Tensor, W: Tensor, activation: str) -> Tape:
    T, H, B = len(z) - 1, len(W) // 3, z.shape[2]
    w = split(W, H)
    decay, angle, gamma = torch.exp(w["nu_log"]), torch.exp(w["theta_log"]), torch.exp(w["gamma_log"])
    lambda_ = torch.polar(torch.exp(-decay), angle)
    across, up = lambda_.real.contiguous(), lambda_.imag.contiguous()
    W_x = gamma.repeat(2)[:, None] * W[H:, H:-1]  # (2H, I)
    read = torch.cat([w["C_re"], -w["C_im"], w["D"]], 1)  # (H, 2H + I)
    y, a = z.new_empty(T + 1, read.shape[1], B), z.new_empty(T, H, B)
    y[0], y[1:, 2 * H :] = 0, z[:-1, H:-1]  # y[t] holds [re; im; x] of step t: what `read` multiplies
    _forward(y.numpy(), W_x.numpy(), across.numpy(), up.numpy(), read.numpy(), a.numpy())
    z[1:, :H] = ACTIVATIONS[activation](a)
    extra = {"y": y, "read": read, "decay": decay, "angle": angle, "gamma": gamma, "across": across, "up": up}
    return Tape({"h": z[:, :H], "re": y[:, :H], "im": y[:, H : 2 * H]}, {}, extra)


def backward(tape: Tape, W: Tensor, activation: str, direct: Tensor, window: int) -> Gradients:
    e, y = tape.extra, tape.extra["y"]
    T, (S, H, B) = len(y) - 1, direct.shape
    to_a = direct * SLOPES[activation](tape.states["h"][T + 1 - S :])  # (S, H, B): no later step reads h
    delta_re, delta_im, rows = direct.new_empty(T, H, B), direct.new_empty(T, H, B), direct.new_empty(3 * H, T, B)
    rows[:H, : T - S], rows[:H, T - S :] = 0, to_a.transpose(0, 1)
    read_T, to_lambda = e["read"][:, : 2 * H].T.contiguous(), direct.new_zeros(2, H)
    _backward(
        y.numpy(), e["across"].numpy(), e["up"].numpy(), e["gamma"].numpy(), read_T.numpy(), to_a.numpy(), window,
        delta_re.numpy(), delta_im.numpy(), rows.numpy(), to_lambda.numpy(),
    )  # fmt: skip
    to_read, to_B = product(rows[:H, T - S :], y[T + 1 - S :]), product(rows[H:], y[1:, 2 * H :])
    to_across, to_up = to_lambda
    whole = join({
        "nu_log": -e["decay"] * (e["across"] * to_across + e["up"] * to_up),
        "theta_log": e["angle"] * (e["across"] * to_up - e["up"] * to_across),
        "gamma_log": (W[H:, H:-1] * to_B).sum(1).view(2, H).sum(0),
        "B_re": to_B[:H], "B_im": to_B[H:],
        "C_re": to_read[:, :H], "C_im": -to_read[:, H : 2 * H], "D": to_read[:, 2 * H :],
    })  # fmt: skip
    states = {"h": spread(direct, T), "re": delta_re, "im": delta_im}
    return Gradients(states, {"hidden": rows[:H].transpose(0, 1)}, rows, whole)


@loop
def _forward(y: Array, W_x: Array, across: Array, up: Array, read: Array, a: Array) -> None:
    # y (T + 1, 2H + I, B), its x given; fills its first 2H rows, and a (T, H, B)
    T, H, B = a.shape
    n = H * B
    new = np.empty((2 * H, B), y.dtype)
    v = new.ravel()
    for t in range(T):
        np.dot(W_x, y[t + 1, 2 * H :], new)
        past, now = y[t].ravel(), y[t + 1].ravel()
        for j in range(H):
            c, s = across[j], up[j]
            for k in range(j * B, (j + 1) * B):
                now[k] = c * past[k] - s * past[n + k] + v[k]
                now[n + k] = c * past[n + k] + s * past[k] + v[n + k]
        np.dot(read, y[t + 1], a[t])


@loop
def _backward(
    y: Array, across: Array, up: Array, gamma: Array, read_T: Array, to_a: Array, window: int,
    delta_re: Array, delta_im: Array, rows: Array, to_lambda: Array,
) -> None:  # fmt: skip
    # fills delta_re, delta_im (T, H, B) and the last 2H rows (3H, T, B); adds to to_lambda (2, H)
    T, H, B = delta_re.shape
    n, zero = H * B, to_a.dtype.type(0)
    read, carry = np.zeros((2 * H, B), to_a.dtype), np.zeros(2 * H * B, to_a.dtype)  # what comes through h, and z_{t+1}
    r = read.ravel()
    for t in range(T - 1, -1, -1):
        if window > 0 and (t + 1) % window == 0:  # truncated: nothing comes from beyond
            carry[:] = 0
        if T - t <= len(to_a):
            np.dot(read_T, to_a[t - T], read)
        else:
            read[:] = 0
        past, d_re, d_im = y[t].ravel(), delta_re[t].ravel(), delta_im[t].ravel()
        for j in range(H):
            c, s, g = across[j], up[j], gamma[j]
            along, turned = zero, zero
            for b in range(B):
                k = j * B + b
                re, im = r[k] + carry[k], r[n + k] + carry[n + k]
                d_re[k], d_im[k] = re, im
                carry[k], carry[n + k] = c * re + s * im, c * im - s * re
                rows[H + j, t, b], rows[2 * H + j, t, b] = g * re, g * im
                along += re * past[k] + im * past[n + k]
                turned += im * past[k] - re * past[n + k]
            to_lambda[0, j] += along
            to_lambda[1, j] += turned


LRU = Cell(
    name="lru",
    title="LRU",
    teaches="At every step a unit’s past shrinks by |λ| and turns by the angle of λ, and no other unit touches it.",
    citation="Orvieto et al. 2023, Resurrecting Recurrent Neural Networks for Long Sequences",
    states=("h", "re", "im"),
    carried=("re", "im"),
    blocks=("hidden",),
    gates=(),
    signed_gates=(),
    definitions=(
        r"\lambda = \exp(-\exp(\nu^{\log}) + i \exp(\theta^{\log}))",
        r"\gamma = \exp(\gamma^{\log})",
    ),
    equations={
        "re": r"\Re z_t = \Re(\lambda \odot z_{t-1} + \gamma \odot (B x_t))",
        "im": r"\Im z_t = \Im(\lambda \odot z_{t-1} + \gamma \odot (B x_t))",
        "h": r"h_t = \phi(\Re(C z_t) + D x_t)",
    },
    symbols={"h": "h", "re": r"\Re z", "im": r"\Im z"},
    options=("activation",),
    initialisations=("default", "zeros"),
    own_start={"nu_log": start_nu, "theta_log": start_theta, "gamma_log": start_gamma},
    step=step,
    shapes=shapes,
    fast=FastPass(forward, backward, join, split),
)
