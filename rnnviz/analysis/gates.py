"""What the values of a gate mean for memory."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rnnviz.errors import RnnvizError


def half_life(f: ArrayLike) -> np.ndarray:
    """Steps after which a gate held at f has let half of what it keeps go: ln(1/2) / ln f. Infinite at 1, 0 at 0.

    Only the direct path. Gers, Schmidhuber & Cummins 2000.

    Raises:
        RnnvizError: if a value lies outside [0, 1].
    """
    values = _kept(f)
    with np.errstate(divide="ignore"):
        found: np.ndarray = np.where(values == 1, np.inf, np.log(0.5) / np.where(values == 1, -np.inf, np.log(values)))
    return found


def time_scale(f: ArrayLike) -> np.ndarray:
    """Steps over which a gate held at f averages: 1 / (1 - f). Infinite at 1, 1 at 0. Tallec & Ollivier 2018.

    Raises:
        RnnvizError: if a value lies outside [0, 1].
    """
    with np.errstate(divide="ignore"):
        found: np.ndarray = 1 / (1 - _kept(f))
    return found


def _kept(f: ArrayLike) -> np.ndarray:
    values = np.asarray(f, np.float64)
    if not ((values >= 0) & (values <= 1)).all():
        raise RnnvizError(f"`f` must lie between 0 and 1. Got values from {values.min():g} to {values.max():g}.")
    return values


class Saturation(NamedTuple):
    """Fractions of values beyond either limit.

    Attributes:
        left: fraction below `low`: a shut gate.
        right: fraction above `high`: an open gate. Of a forget gate that is memory, not a fault.
        left_by_unit, right_by_unit: (H,) the same for each unit.
    """

    left: float
    right: float
    left_by_unit: np.ndarray
    right_by_unit: np.ndarray


def saturation(values: ArrayLike, low: float = 0.1, high: float = 0.9, mask: ArrayLike | None = None) -> Saturation:
    """How often a gate is shut or open. Karpathy, Johnson & Fei-Fei 2015, Visualizing and Understanding Recurrent Networks.

    Args:
        values: (T, B, H). For tanh take `low=-.95, high=.95`.
        low, high: beyond them a value counts as saturated.
        mask: (T, B) True where a step counts, `inside(trace)` for sequences of different lengths. Padding is no evidence.

    Raises:
        RnnvizError: if the mask does not fit or leaves nothing.
    """
    v = np.asarray(values, np.float64)
    counted = np.ones(v.shape[:-1], bool) if mask is None else np.asarray(mask, bool)
    if v.ndim == 0 or counted.shape != v.shape[:-1] or not counted.any():
        raise RnnvizError(f"`mask` must have shape {v.shape[:-1]} and leave at least one step. Got {counted.shape}.")
    v = v[counted]  # (N, H)
    left, right = (v < low).mean(0), (v > high).mean(0)
    return Saturation(float(left.mean()), float(right.mean()), left, right)
