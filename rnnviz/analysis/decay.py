"""Curves of decay: how fast they fall, what the direct path alone would carry, and the lines theory draws beside them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rnnviz.analysis.layers import chosen_layer, inside
from rnnviz.analysis.spectra import spectral_norm, spectral_radius
from rnnviz.cells import CELLS
from rnnviz.errors import RnnvizError
from rnnviz.tracing import REACH_FRACTION, Trace

STEEPEST = {"tanh": 1.0, "relu": 1.0, "sigmoid": 0.25, "linear": 1.0}


def decay_rate(log10_norms: ArrayLike, skip: int = 0) -> np.ndarray:
    """The factor by which a norm changes with each step back in time: below 1 it vanishes, above 1 it explodes.

    The slope of a straight line through log10 of the norm, by least squares.

    Args:
        log10_norms: (T, ...) earliest step first, as `log10_norms` and `log10_gradient_norms` return them. A median over
            samples goes in front: `decay_rate(np.median(curves, 1))`.
        skip: how many of the latest steps to leave out; the first few do not yet fall as the others do.

    Returns:
        (...), a number for each curve; NaN where fewer than two steps have a norm other than exactly 0.
    """
    curves = np.asarray(log10_norms, np.float64)
    curves = curves[: len(curves) - skip]
    t = np.arange(len(curves), dtype=np.float64).reshape(-1, *[1] * (curves.ndim - 1))
    there = np.isfinite(curves)
    count = there.sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(there, t - np.where(there, t, 0).sum(0) / count, 0)
        slopes = (t * np.where(there, curves, 0)).sum(0) / np.square(t).sum(0)
    found: np.ndarray = np.where(count > 1, 10.0**-slopes, np.nan)
    return found


def direct_path(trace: Trace, *, layer: int = -1, log10: bool = False) -> np.ndarray:
    """What the gate that keeps passes on from each step to the last: the product of f_{t+1} ... f_T, unit by unit.

    f is the LSTM's forget gate, the GRU's update gate z, and 1 minus the gate where an open gate overwrites (`mgu`,
    `mingru`). Only the direct path (Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000): the total gradient
    also goes through h and the gates, so show it beside this. Stabilised units in `slstm`.

    Args:
        trace: of the network.
        layer: which layer, from the bottom; negative counts from the top.
        log10: the logarithm instead, which no number of steps carries below 1e-308.

    Returns:
        (T + 1, B, H), index t as in `Products`: [T] is 1, [0] all the way to the initial state. Each sequence counts from
        its own true end, NaN beyond.

    Raises:
        RnnvizError: if no gate of the cell keeps anything.
    """
    cell = CELLS[trace.experiment.cell]
    _, values = chosen_layer(trace, layer)
    if not cell.keepers:
        raise RnnvizError(f"A direct path needs a cell with a gate that keeps the old state. Got {cell.name}.")
    keeping = [block for block, sign in cell.keepers.items() if sign > 0]
    f = values.gates[keeping[0]] if keeping else 1 - values.gates[next(iter(cell.keepers))]
    within = inside(trace)[..., None]
    logs = np.zeros((len(f) + 1, *f.shape[1:]))
    with np.errstate(divide="ignore"):
        logs[:-1] = np.cumsum(np.where(within, np.log10(f), 0)[::-1], 0)[::-1]
    logs[1:][~inside(trace)] = np.nan
    if trace.lengths is not None:
        logs[trace.lengths, np.arange(len(trace.lengths))] = 0
    return logs if log10 else 10.0**logs


class Bounds(NamedTuple):
    """Lines beside a curve of log10 ||ds_T/ds_{T-k}||_2 for an Elman network.

    Attributes:
        lags: (K + 1,) k = 0 ... K steps.
        ceiling: (K + 1,) log10 (slope * sigma_1)^k, which the norm cannot exceed (Pascanu, Mikolov & Bengio 2013): it must
            vanish if slope * sigma_1 < 1. The converse is not true.
        trend: (K + 1,) log10 (slope * rho)^k, how a linear network's norm falls or rises in the long run.
    """

    lags: np.ndarray
    ceiling: np.ndarray
    trend: np.ndarray


def bounds(W_hh: np.ndarray, steps: int, activation: str = "tanh") -> Bounds:
    """What the two sizes of a recurrent matrix say beforehand, the activation at its steepest (1; sigmoid 1/4).

    Args:
        W_hh: (H, H), one block: several gates have no common bound of this kind.
        steps: K, how far back.
        activation: one of `ACTIVATIONS`.

    Raises:
        RnnvizError: if the matrix is not square or the activation unknown.
    """
    W = np.asarray(W_hh, np.float64)
    if W.ndim != 2 or W.shape[0] != W.shape[1]:
        raise RnnvizError(f"`W_hh` must be one square block. Got shape {W.shape}.")
    if activation not in STEEPEST:
        raise RnnvizError(f"`activation` must be one of {', '.join(STEEPEST)}. Got {activation!r}.")
    lags, slope = np.arange(steps + 1), STEEPEST[activation]
    lines = []
    for size in (spectral_norm(W), spectral_radius(W)):
        with np.errstate(divide="ignore"):
            per_step = np.log10(slope * size)
        lines.append(np.concatenate([[0.0], lags[1:] * per_step]))
    return Bounds(lags, *lines)


def horizon(norms: ArrayLike, fraction: float = REACH_FRACTION, *, log10: bool = False) -> int:
    """How many steps back from the last one a gradient stays alive; `rnnviz.tracing.reach` for any fraction.

    Alive: at least `fraction` of the largest norm met on the way back so far.

    Args:
        norms: (T,) earliest step first, typically the median over samples.
        fraction: between 0 and 1.
        log10: `norms` are logarithms.

    Returns:
        A number from 0 (exactly zero, or no number, at the last step) to T.

    Raises:
        RnnvizError: if the fraction is not between 0 and 1.
    """
    if not 0 < fraction <= 1:
        raise RnnvizError(f"`fraction` must be more than 0 and at most 1. Got {fraction}.")
    backwards = np.asarray(norms, np.float64)[::-1]
    largest = np.maximum.accumulate(backwards)
    if log10:
        alive = (backwards >= largest + np.log10(fraction)) & (backwards > -np.inf)
    else:
        alive = (backwards >= fraction * largest) & (backwards > 0)
    return int(len(alive) if alive.all() else np.argmin(alive))
