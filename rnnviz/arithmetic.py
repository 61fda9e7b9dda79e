"""The floating-point conditions every run is computed under, so that the same experiment gives the same bits anywhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread() -> Iterator[None]:
    """One arithmetic thread: products this small gain nothing from more, and the sums then always run in one order."""
    before = torch.get_num_threads()
    if before != 1:
        torch.set_num_threads(1)
    try:
        with _libraries().limit(limits=1, user_api="blas"):
            yield
    finally:
        if before != 1:
            torch.set_num_threads(before)


@cache
def _libraries() -> ThreadpoolController:
    """The matrix libraries loaded in this process; found once, since looking for them takes milliseconds."""
    import scipy.linalg.cython_blas  # noqa: F401  the one the compiled loops call

    return ThreadpoolController()


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Float32 numbers below 1.2e-38 become 0 inside this block.

    A vanishing gradient passes through that range, where a CPU computes many times slower than elsewhere. The setting
    belongs to the calling thread, so every worker sets it for itself and gives it back.
    """
    before = bool(torch.tensor([1e-40]).mul_(1).eq(0).item())
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)
