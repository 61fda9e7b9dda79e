"""The floating-point conditions every run is computed under, so that the same experiment gives the same bits anywhere."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import torch
from threadpoolctl import ThreadpoolController

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # from malloc.h
KEPT = 256 * 2**20  # bytes


@contextmanager
def one_thread() -> Iterator[None]:
    """One arithmetic thread: products this small gain nothing from more, and the sums then always run in one order."""
    _keep_memory()
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
def _keep_memory() -> None:
    """Let the C library keep what a training step frees for the next step, instead of giving it back each time.

    Asking for the same pages again costs up to as much as the computation, and from arrays of 32 MiB on always. Only glibc
    has this setting; elsewhere nothing happens.
    """
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if library is not None and hasattr(library, "mallopt"):
        library.mallopt(M_MMAP_THRESHOLD, KEPT)
        library.mallopt(M_TRIM_THRESHOLD, KEPT)


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
