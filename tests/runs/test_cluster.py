"""A real cluster on this machine, started as docs/scaling.md says: a killed worker loses nothing."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import rnnviz
from rnnviz import Experiment, RnnvizError
from rnnviz.runs import Engine, LiveRun, make_executor
from rnnviz.runs.engine import workers_of
from rnnviz.runs.trial import Trial
from tests.runs.helpers import TINY, uninterrupted

pytest.importorskip("distributed", reason="without requirements-cluster.txt there is no cluster")

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60
# A client that goes away leaves threads and sockets to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


def documented(what: str) -> list[str]:
    """The arguments of the command in docs/scaling.md that starts `dask <what>`."""
    (line,) = re.findall(rf"^\.venv/bin/python (-m dask {what} .*)$", (ROOT / "docs/scaling.md").read_text(), re.M)
    return line.split()


class Cluster:
    """A scheduler and its workers, as processes."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.processes = [self._start("scheduler", {"0.0.0.0": "127.0.0.1", "8786": str(self.port)})]
        self.workers = [self.add_worker(), self.add_worker()]

    def add_worker(self) -> subprocess.Popen[bytes]:
        # Without a nanny, the process that is killed is the one that computes.
        worker = self._start("worker", {"tcp://teacher:8786": self.address, "auto": "1"}, "--no-nanny")
        self.processes.append(worker)
        return worker

    def _start(self, what: str, here: dict[str, str], *more: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, *(here.get(word, word) for word in documented(what)), *more]
        return subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=5)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    yield made
    made.stop()


@pytest.fixture
def scheduled(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setenv("RNNVIZ_SCHEDULER", cluster.address)
    monkeypatch.delenv("RNNVIZ_WORKERS", raising=False)
    return cluster


def test_a_live_run_trains_on_the_cluster_bit_for_bit(scheduled: Cluster) -> None:
    engine = Engine()
    deadline = time.monotonic() + PATIENCE
    while engine.places < 2:
        assert time.monotonic() < deadline, "two workers never came"
        time.sleep(0.1)
    run = LiveRun(TINY, engine)
    run.play()
    while run.poll().status == "training":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert run.checkpoint.parameters.tobytes() == uninterrupted(TINY).checkpoint.parameters.tobytes()
    engine.shutdown()


def test_a_worker_is_killed_mid_sweep_and_every_result_is_there_once(scheduled: Cluster, tmp_path: Path) -> None:
    points = [
        Experiment(cell="gru", length=20, hidden_size=8, batch_size=8, steps=600, seed=seed, learning_rate=1e-5)
        for seed in range(12)
    ]
    executor = make_executor()
    assert workers_of(executor) >= 1
    sweep = rnnviz.sweep(points, executor, store=tmp_path)
    seen = []
    for outcome in sweep:
        seen.append(outcome.experiment.seed)
        if len(seen) == 2:
            os.kill(scheduled.workers[0].pid, signal.SIGKILL)
    assert scheduled.workers[0].wait(timeout=5) == -signal.SIGKILL
    assert sorted(seen) == list(range(12))
    assert not any(outcome is None or outcome.failed for outcome in sweep.outcomes)
    assert len(list(tmp_path.rglob("*.json"))) == 12
    alone = Trial(points[7]).carry_on(1e3)
    assert sweep.outcomes[7].loss == alone.loss  # type: ignore[union-attr]


def test_nobody_at_the_address_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnnviz.runs.cluster.CONNECT_SECONDS", 1)
    monkeypatch.setenv("RNNVIZ_SCHEDULER", "tcp://127.0.0.1:1")
    with pytest.raises(RnnvizError, match="`RNNVIZ_SCHEDULER` must be the address of a running scheduler"):
        make_executor()
