"""The smallest network that can explode: one unit, and the wall in its error surface (Pascanu, Mikolov & Bengio 2013)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from rnnviz.errors import RnnvizError

STEPS, FIRST, WANTED = 50, 0.5, 0.7  # T, x_0 and the value that sigma(x_T) should have


def unit_error(w: ArrayLike, b: ArrayLike, steps: int = STEPS) -> tuple[np.ndarray, np.ndarray]:
    """The error of x_t = w sigma(x_{t-1}) + b after T steps, (sigma(x_T) - .7)^2 from x_0 = .5, and its exact gradient.

    Args:
        w, b: weights and biases, broadcast together.
        steps: T.

    Returns:
        (...) the error, and (..., 2) its derivatives by w and b.
    """
    w, b = np.broadcast_arrays(np.asarray(w, np.float64), np.asarray(b, np.float64))
    x, by_w, by_b = np.full(w.shape, FIRST), np.zeros(w.shape), np.zeros(w.shape)
    for _ in range(steps):
        y = _sigmoid(x)
        slope = w * y * (1 - y)
        x, by_w, by_b = w * y + b, y + slope * by_w, 1 + slope * by_b
    y = _sigmoid(x)
    outer = 2 * (y - WANTED) * y * (1 - y)
    return np.square(y - WANTED), np.stack([outer * by_w, outer * by_b], -1)


class Descent(NamedTuple):
    """Gradient descent on that surface.

    Attributes:
        path: (S + 1, 2) w and b, the start first.
        errors: (S + 1,) along it.
        norms: (S,) of the gradient at each step, before clipping.
        clipped: (S,) after it.
    """

    path: np.ndarray
    errors: np.ndarray
    norms: np.ndarray
    clipped: np.ndarray


def descend(w: float, b: float, learning_rate: float, clip_norm: float, steps: int) -> Descent:
    """Plain gradient descent from (w, b); a gradient longer than `clip_norm` is shortened to it, 0 never.

    Raises:
        RnnvizError: if a number is not finite, the learning rate or clipping negative, or there are no steps.
    """
    if not (
        np.isfinite([w, b, learning_rate, clip_norm]).all() and learning_rate >= 0 and clip_norm >= 0 and steps > 0
    ):
        raise RnnvizError(
            "`w` and `b` must be numbers, `learning_rate` and `clip_norm` 0 or more, `steps` more than 0. "
            f"Got {w}, {b}, {learning_rate}, {clip_norm}, {steps}."
        )
    here, path, errors, norms, clipped = np.array([w, b]), [], [], [], []
    for _ in range(steps):
        error, gradient = unit_error(*here)
        norm = float(np.linalg.norm(gradient))
        kept = min(norm, clip_norm) if clip_norm else norm
        path.append(here)
        errors.append(float(error))
        norms.append(norm)
        clipped.append(kept)
        here = here - learning_rate * gradient * (kept / norm if norm else 1)
    errors.append(float(unit_error(*here)[0]))
    return Descent(np.array([*path, here]), np.array(errors), np.array(norms), np.array(clipped))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    found: np.ndarray = 0.5 * (1 + np.tanh(0.5 * x))
    return found
