"""Jacobians multiplied up: what many steps do to a small change of the state, without losing it below 1e-308."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from rnnviz.arithmetic import one_thread
from rnnviz.errors import RnnvizError


class Products(NamedTuple):
    """P_{T,t} = J_T ... J_{t+1} for t = 0 ... T, each kept as a matrix of size 1 and the power of ten it was divided by.

    Attributes:
        matrices: (T + 1, B, n, n), the largest absolute entry of each 1; P_{T,t} is `matrices[t] * 10**log10_scales[t]`.
            Index t is the textbook's: [T] is the identity, [0] goes back to the initial state, [1:] lies beside the states
            of a trace.
        log10_scales: (T + 1, B), -inf where a product is exactly zero.
    """

    matrices: np.ndarray
    log10_scales: np.ndarray


@one_thread()
def jacobian_products(jacobians: np.ndarray, lengths: np.ndarray | None = None) -> Products:
    """P_{T,t} = ds_T/ds_t = J_T J_{T-1} ... J_{t+1}, for every t.

    Rescaled after every factor, so that a thousand steps neither underflow nor overflow. What underflows all the same are
    entries 1e-308 times smaller than the largest one of their own product.

    Args:
        jacobians: (T, B, n, n) from `jacobians`; consecutive steps.
        lengths: (B,) true lengths; T is then each sequence's own end, and what lies beyond it is NaN.

    Raises:
        RnnvizError: if the shapes do not fit.
    """
    J = np.asarray(jacobians, np.float64)
    if J.ndim != 4 or J.shape[2] != J.shape[3] or 0 in J.shape:
        raise RnnvizError(f"`jacobians` must have shape (T, B, n, n). Got {J.shape}.")
    T, B, n, _ = J.shape
    ends = np.full(B, T) if lengths is None else np.asarray(lengths)
    if ends.shape != (B,) or ends.min() < 1 or ends.max() > T:
        raise RnnvizError(f"`lengths` must be {B} whole numbers from 1 to {T}. Got {lengths!r}.")
    matrices = np.full((T + 1, B, n, n), np.nan)
    scales = np.full((T + 1, B), np.nan)
    for t in range(T, -1, -1):
        starting, going = ends == t, ends > t
        matrices[t, starting], scales[t, starting] = np.eye(n), 0
        product = matrices[t + 1, going] @ J[t, going] if t < T else matrices[t, going]
        size = np.abs(product).max((1, 2))
        with np.errstate(divide="ignore"):
            scales[t, going] = (scales[t + 1, going] if t < T else 0) + np.log10(size)
        matrices[t, going] = product / np.where(size > 0, size, 1)[:, None, None]
    return Products(matrices, scales)


@one_thread()
def singular_values(of: Products | np.ndarray) -> np.ndarray:
    """By how much each principal direction is stretched, largest first.

    Args:
        of: matrices (..., n, n), or `Products`. Of products, values below 1e-16 times the largest are rounding errors; the
            rates of all directions come from `lyapunov_exponents`.

    Returns:
        (..., n). For `Products` log10 of them, which no number of steps carries out of range.
    """
    if not isinstance(of, Products):
        return _singular_values(of)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.log10(_singular_values(of.matrices))
        found: np.ndarray = np.where(
            np.isneginf(of.log10_scales)[..., None], -np.inf, values + of.log10_scales[..., None]
        )
    return found


@one_thread()
def log10_norms(of: Products | np.ndarray, norm: Literal["spectral", "frobenius"] = "spectral") -> np.ndarray:
    """log10 of the norm of each matrix: ||P||_2, the most it can stretch anything, or ||P||_F, which is quicker.

    ||P||_2 <= ||P||_F <= sqrt(n) ||P||_2. Multiplying the norms of the single steps would only bound that of the product.

    Args:
        of: matrices (..., n, n), or `Products`.
        norm: which.

    Returns:
        (...); (T + 1, B) for `Products`, index t for ds_T/ds_t. -inf for an exact zero.

    Raises:
        RnnvizError: if the norm is neither of the two.
    """
    if norm not in ("spectral", "frobenius"):
        raise RnnvizError(f"`norm` must be spectral or frobenius. Got {norm!r}.")
    products = of if isinstance(of, Products) else None
    matrices = products.matrices if products is not None else np.asarray(of, np.float64)
    # Scaled before squaring: a float64 reaches 1e-308, its square only half as far.
    largest = np.abs(matrices).max((-2, -1))
    scaled = matrices / np.where(largest > 0, largest, 1)[..., None, None]
    if norm == "frobenius":
        sizes = np.sqrt(np.square(scaled).sum((-2, -1)))
    else:
        sizes = _singular_values(scaled)[..., 0]
    with np.errstate(divide="ignore"):
        found: np.ndarray = np.log10(sizes) + np.log10(largest)
    return found if products is None else found + products.log10_scales


def _singular_values(matrices: np.ndarray) -> np.ndarray:
    """(..., n, n) -> (..., n), NaN for a matrix that is not all numbers: for one such LAPACK would refuse them all."""
    values = np.asarray(matrices, np.float64)
    found = np.full(values.shape[:-1], np.nan)
    numbers = np.isfinite(values).all((-2, -1))
    found[numbers] = np.linalg.svd(values[numbers], compute_uv=False)
    return found
