"""How much of the loss each time step still feels: norms over time, and what each step adds to the weights' gradient."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from rnnviz.analysis.layers import chosen_layer, inside, layer_inputs, recurrent_cell, states_before
from rnnviz.arithmetic import one_thread
from rnnviz.cells import CELLS
from rnnviz.errors import RnnvizError
from rnnviz.tracing import Trace

SHARES_BOUND = 1024  # MiB of gradients `step_gradients` may return

# block -> the gate that multiplies what the block's recurrent matrix reads, or what it says, instead of standing alone
READS_THROUGH = {
    "gru_v3": {"candidate": "reset"},
    "gru_leakless": {"candidate": "reset"},
    "mgu": {"candidate": "update"},
}
SPEAKS_THROUGH = {"gru": {"candidate": "reset"}}


def log10_gradient_norms(trace: Trace, state: str | None = None, loss: Literal["all", "last"] = "all") -> np.ndarray:
    """log10 ||dL_b/d(state_t)||_2 of every sample by itself, top layer.

    The norm comes first and any median over samples after it: a mean over the batch before the norm would shrink it by about
    sqrt(B).

    Args:
        trace: of the network.
        state: "h", "c", ...; default: the first that the cell carries on, since an error travels back through no other. That
            is h, but "re" in `lru`.
        loss: all scored answers of a sample, or the last alone, which is what shows how far back learning reaches where
            every step answers.

    Returns:
        (T, B); -inf for an exact zero, NaN in the padding.

    Raises:
        RnnvizError: if there is no such state.
    """
    grads = {"all": trace.state_grads, "last": trace.last_answer_grads}[loss]
    state = state or CELLS[trace.experiment.cell].carried[0]
    if state not in grads:
        raise RnnvizError(f"`state` must be one of {', '.join(grads)}. Got {state!r}.")
    largest = np.abs(grads[state]).max(2)  # scaled before squaring: a square reaches only half as far
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = grads[state] / np.where(largest > 0, largest, 1)[..., None]
        norms = np.log10(largest) + np.log10(np.where(largest > 0, np.linalg.norm(scaled, axis=2), 1))
    return np.where(inside(trace), norms, np.nan)


class StepShares(NamedTuple):
    """How one weight matrix's gradient G = sum of G_t came about. G belongs to the batch mean of L_b, as in training.

    Attributes:
        shares: (T,) signed share <G_t, G> / ||G||^2 of step t; they sum to 1, and a negative one pulls the other way. NaN
            if G is zero.
        norms: (T,) ||G_t||_F. They do not sum to ||G||_F: steps may cancel.
        total: (R, K) G itself.
    """

    shares: np.ndarray
    norms: np.ndarray
    total: np.ndarray


@one_thread()
def step_shares(
    trace: Trace,
    of: Literal["W_hh", "W_ih"] = "W_hh",
    *,
    layer: int = -1,
    reverse: bool = False,
) -> StepShares:
    """The share of each time step in dL/dW, after RNNbow (Cashman et al. 2018), signed.

    Args:
        trace: of the network.
        of: the recurrent or the input weights.
        layer: which layer, from the bottom; negative counts from the top.
        reverse: its partner that reads backwards.

    Raises:
        RnnvizError: if the cell has no such matrix.
    """
    B = trace.inputs.shape[1]
    blocks = _pairs(trace, of, layer, reverse)
    total = np.concatenate([np.einsum("tbr,tbk->rk", *pair) for pair in blocks]) / B
    squared, inner = np.zeros(len(trace.inputs)), np.zeros(len(trace.inputs))
    for (said, read), rows in zip(blocks, np.split(total, len(blocks)), strict=True):
        inner += np.einsum("tbr,tbr->t", said, read @ rows.T) / B
        # ||sum over b of s_b r_b^T||^2 without ever forming the matrices.
        squared += np.einsum("tbc,tbc->t", said @ said.swapaxes(1, 2), read @ read.swapaxes(1, 2)) / B**2
    whole = np.square(total).sum()
    shares = inner / whole if whole > 0 else np.full_like(inner, np.nan)
    return StepShares(shares, np.sqrt(np.maximum(squared, 0)), total)


@one_thread()
def step_gradients(
    trace: Trace,
    of: Literal["W_hh", "W_ih"] = "W_hh",
    *,
    layer: int = -1,
    reverse: bool = False,
) -> np.ndarray:
    """(T, R, K) every G_t in full; see `step_shares`, which needs far less memory.

    G_t = mean over samples of (dL_b/da_t) h_{t-1}^T, with a_t the pre-activations of all blocks. Where a cell multiplies
    what the matrix reads by a gate (r * h in `gru_v3`) or what it says (r * U h in `gru`), that gate stands there as well.

    Raises:
        RnnvizError: if the cell has no such matrix, or they would need more than 1 GiB.
    """
    T, B, _ = trace.inputs.shape
    blocks = _pairs(trace, of, layer, reverse)
    need = T * sum(said.shape[2] * read.shape[2] for said, read in blocks) * 8 / 2**20
    if need > SHARES_BOUND:
        raise RnnvizError(
            f"The gradients of {T} steps must fit {SHARES_BOUND} MiB. Got {need:.0f} MiB; see `step_shares`."
        )
    return np.concatenate([said.swapaxes(1, 2) @ read for said, read in blocks], 1) / B


def _pairs(trace: Trace, of: str, layer: int, reverse: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each block, (T, B, H) what flows back to its product with the matrix and (T, B, K) what the matrix read."""
    if of not in ("W_hh", "W_ih"):
        raise RnnvizError(f"`of` must be W_hh or W_ih. Got {of!r}.")
    recurrent_cell(trace, of, "A share by time step")
    cell = CELLS[trace.experiment.cell]
    place, values = chosen_layer(trace, layer, reverse)
    within = inside(trace)[..., None]
    if of == "W_ih":
        x = np.where(within, layer_inputs(trace, place), 0)
        return [(values.preactivation_grads[block], x) for block in cell.blocks]
    before = np.where(within, states_before(trace, values.states["h"], reverse), 0)
    reads, speaks = READS_THROUGH.get(cell.name, {}), SPEAKS_THROUGH.get(cell.name, {})
    return [
        (
            values.preactivation_grads[block] * (values.gates[speaks[block]] if block in speaks else 1),
            before * (values.gates[reads[block]] if block in reads else 1),
        )
        for block in cell.blocks
    ]
