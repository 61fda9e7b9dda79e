"""Real worker processes: the same bits as here, and a killed one costs a slice."""

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from rnnviz import CELLS
from rnnviz.runs import Engine, LiveRun, Turn, make_executor
from rnnviz.runs.engine import compute
from tests.runs.helpers import TINY, uninterrupted


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    engine = Engine(lambda: make_executor("processes", 1), places=1)
    engine.warm_up()
    yield engine
    engine.shutdown()


def finish(run: LiveRun, until: int) -> None:
    deadline = time.monotonic() + 60
    while run.poll().status == "training" and run.poll().step < until:
        assert time.monotonic() < deadline
        time.sleep(0.01)


KINDS: list[dict[str, Any]] = [{"cell": cell} for cell in CELLS]
KINDS += [
    {"layers": 2, "dropout": 0.5, "residual": True, "layer_norm": True},
    {"task": "reverse", "teacher_forcing": 0.5, "bidirectional": True},
    {"task": "speech_ctc", "gap": 2, "length": 24, "examples": 5},
    {"task": "anbn", "curriculum": True, "schedule": "cosine", "optimizer": "nesterov"},
]


@pytest.mark.parametrize("fields", KINDS, ids=lambda fields: "-".join(map(str, fields.values())))
def test_a_worker_process_computes_the_same_bits(engine: Engine, fields: dict[str, Any]) -> None:
    experiment = TINY.amend(**({"hidden_size": 8, "length": 20} | fields))
    here = uninterrupted(experiment, 20)
    turn = Turn(uninterrupted(experiment, 5).checkpoint, 15, 60.0, 10)
    there = engine._executor.submit(compute, turn).result(timeout=60)
    assert there.checkpoint.parameters.tobytes() == here.checkpoint.parameters.tobytes()
    for name, values in here.checkpoint.optimizer_state.items():
        assert there.checkpoint.optimizer_state[name].tobytes() == values.tobytes()
    np.testing.assert_array_equal(there.losses, here.losses[5:])
    assert [picture.step for picture in there.frames] == [10, 20]
    for name, values in here.frames[-1].channels.items():
        np.testing.assert_array_equal(there.frames[-1].channels[name], values)


def test_a_killed_worker_costs_one_slice_and_no_bit(engine: Engine) -> None:
    experiment = TINY.amend(cell="gru", hidden_size=16, length=60, batch_size=16, steps=900)
    run = LiveRun(experiment, engine)
    worker = engine._executor.submit(os.getpid).result(timeout=60)
    assert worker != os.getpid()
    run.play()
    finish(run, 50)
    before = run.poll()
    assert before.status == "training"
    os.kill(worker, signal.SIGKILL)
    finish(run, experiment.steps)
    after = run.poll()
    assert (after.status, after.sentence, after.step) == ("finished", "", 900)
    assert engine._executor.submit(os.getpid).result(timeout=60) != worker
    assert run._checkpoint.parameters.tobytes() == uninterrupted(experiment).checkpoint.parameters.tobytes()
    np.testing.assert_array_equal(after.series["loss"][: before.step], before.series["loss"])
