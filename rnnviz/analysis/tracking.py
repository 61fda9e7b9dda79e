"""Which unit follows which quantity."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from rnnviz.errors import RnnvizError


def tracking(states: ArrayLike, quantities: ArrayLike) -> np.ndarray:
    """Pearson correlation of each unit with each quantity, over all samples and steps where both are numbers.

    A correlation is no cause, and it is blind to whatever is not a straight line.

    Args:
        states: (T, B, U), NaN in the padding.
        quantities: (T, B, Q), NaN where a quantity has no value.

    Returns:
        (U, Q) from -1 to 1; 0 where a unit or a quantity never changes.

    Raises:
        RnnvizError: if the shapes do not fit.
    """
    h, q = np.asarray(states, np.float64), np.asarray(quantities, np.float64)
    if h.ndim != 3 or q.ndim != 3 or h.shape[:2] != q.shape[:2]:
        raise RnnvizError(
            f"`states` (T, B, U) and `quantities` (T, B, Q) must share T and B. Got {h.shape}, {q.shape}."
        )
    found = np.zeros((h.shape[2], q.shape[2]))
    read = np.isfinite(h).all(2)
    for k in range(q.shape[2]):
        both = read & np.isfinite(q[..., k])  # (T, B)
        if not both.any():
            continue
        a, b = h[both], q[both][:, k]
        a, b = a - a.mean(0), b - b.mean()
        scale = np.sqrt(np.square(a).sum(0) * np.square(b).sum())
        # What only rounds differently from step to step does not change.
        moves = (np.abs(a).max(0) > 1e-12) & (np.abs(b).max() > 1e-12)
        found[:, k] = np.divide(b @ a, scale, out=np.zeros(a.shape[1]), where=moves & (scale > 0))
    return found.clip(-1, 1)
