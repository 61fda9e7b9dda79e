"""Two sizes of a recurrent matrix that are often confused."""

from __future__ import annotations

import numpy as np


def spectral_radius(W: np.ndarray) -> float:
    """rho(W), the largest absolute eigenvalue of a square matrix: what repeated multiplication does in the long run."""
    return float(np.abs(np.linalg.eigvals(np.asarray(W, np.float64))).max())


def spectral_norm(W: np.ndarray) -> float:
    """sigma_1(W), the largest singular value: the most that one multiplication can stretch a vector. rho <= sigma_1."""
    return float(np.linalg.norm(np.asarray(W, np.float64), 2))
