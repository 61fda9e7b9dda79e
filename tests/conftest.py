"""What every test shares: one thread per process, repeatable properties in CI, a loud word about missing browsers."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

# Before torch is imported: two test processes on two cores, and sums that do not depend on the number of threads.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

# Torch's first call is slow enough to break any deadline; in CI a failure must come again on the next run.
settings.register_profile("fast", deadline=None, max_examples=30)
settings.register_profile("ci", parent=settings.get_profile("fast"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "fast")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in the last lines that the browser tests did not run: nobody reads a list of skips."""
    unseen = [report for report in terminalreporter.stats.get("skipped", []) if "No Chromium" in str(report.longrepr)]
    if unseen:
        terminalreporter.section("the browser tests did NOT run", red=True, bold=True)
        terminalreporter.line(
            f"{len(unseen)} tests need a real browser. Install chromium (Debian: apt-get install chromium) "
            "or name one with RNNVIZ_CHROMIUM=/path/to/chromium."
        )


class BrowserInOneProcess(LoadScopeScheduling):
    """Deal out the tests by file, but all of tests/browser to one process: its tests share one server and one Chromium.

    xdist's own `--dist loadgroup` would do, but with pytest 9.2 it silently groups nothing.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return "browser" if file.startswith("tests/browser/") else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> BrowserInOneProcess:
    """Keep the order of collection, in which the browser tests come first."""
    config.option.loadscopereorder = False
    return BrowserInOneProcess(config, log)
