"""Matrix kernels: chosen only where OpenBLAS is known to misjudge, and only before it is loaded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rnnviz.kernels import WIDE

WIDE_AMD = f"vendor_id\t: AuthenticAMD\nflags\t\t: fpu sse2 avx2 {' '.join(sorted(WIDE))}\n"
ASK = """
import os, sys
from pathlib import Path
{before}
sys.modules["rnnviz"] = type(sys)("rnnviz")  # the package itself would already have chosen
sys.modules["rnnviz"].__path__ = [{package!r}]
from rnnviz.kernels import choose_kernels
choose_kernels(Path({processor!r}))
print(os.environ.get("OPENBLAS_CORETYPE"))
"""


def chosen(processor: Path, *, before: str = "", **environment: str) -> str:
    package = str(Path(__file__).resolve().parents[1] / "rnnviz")
    script = ASK.format(before=before, package=package, processor=str(processor))
    clean = {name: value for name, value in os.environ.items() if name != "OPENBLAS_CORETYPE"} | environment
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=clean
    ).stdout.strip()


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        (WIDE_AMD, "SKYLAKEX"),
        (WIDE_AMD.replace("avx512vl", ""), "None"),
        (WIDE_AMD.replace("AuthenticAMD", "GenuineIntel"), "None"),
        ("", "None"),
    ],
)
def test_wide_kernels_are_asked_for_where_the_processor_has_them(tmp_path: Path, about: str, expected: str) -> None:
    processor = tmp_path / "cpuinfo"
    processor.write_text(about)
    assert chosen(processor) == expected


def test_nothing_is_chosen_against_the_visitor_or_too_late(tmp_path: Path) -> None:
    processor = tmp_path / "cpuinfo"
    processor.write_text(WIDE_AMD)
    assert chosen(processor, OPENBLAS_CORETYPE="HASWELL") == "HASWELL"
    assert chosen(processor, before="import numpy") == "None"
    assert chosen(tmp_path / "none") == "None"
