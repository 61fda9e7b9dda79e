"""That no task draws its examples one by one: a loop over samples or steps would cost many times these bounds."""

import time

import numpy as np
import pytest

from rnnviz.tasks import SIGNALS, TASKS, Setup

CASES = [(name, "ar2") for name in ("reverse", "sentiment", "text", "scanline", "speech_ctc", "random_labels")]


@pytest.mark.parametrize(("name", "signal"), CASES + [("forecast", signal) for signal in SIGNALS])
def test_a_batch_is_drawn_in_well_under_a_millisecond(name: str, signal: str) -> None:
    task, rng = TASKS[name], np.random.default_rng(0)
    options = {key: value for key, value in task.defaults.items() if key in Setup._fields}
    setup = Setup(**options | {"length": min(100, task.longest), "signal": signal})
    seconds = []
    for _ in range(30):
        began = time.perf_counter()
        task.sample(rng, 32, setup)
        seconds.append(time.perf_counter() - began)
    assert np.median(seconds) < 6e-4  # measured: at most 1.4e-4; the rest is room for a busy machine
