"""Which matrix kernels numpy and scipy load. Has to be settled before either is imported."""

from __future__ import annotations

import os
import sys
from pathlib import Path

WIDE = {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}


def choose_kernels(processor: Path = Path("/proc/cpuinfo")) -> None:
    """Let OpenBLAS use 512-bit vectors on AMD processors that have them.

    It takes one newer than itself for a Haswell and then multiplies at half speed. Where numpy is loaded already nothing
    is done: worker processes inherit the choice, and shall compute the same bits as the process they belong to.
    """
    if "numpy" in sys.modules or "OPENBLAS_CORETYPE" in os.environ or not processor.exists():
        return
    about = processor.read_text(errors="replace")
    flags = next((line.split(":")[1].split() for line in about.splitlines() if line.startswith("flags")), [])
    if "AuthenticAMD" in about and set(flags) >= WIDE:
        os.environ["OPENBLAS_CORETYPE"] = "SKYLAKEX"
