"""What holds for every task in the registry; a new task is covered by its line there."""

import time

import numpy as np
import pytest
import torch

from rnnviz import TASKS, Experiment, start
from rnnviz.model import run_pass, training_batch
from rnnviz.tasks import SIGNALS, Task
from rnnviz.tracing import trace

VARIANTS = [(task, signal) for task in TASKS for signal in (SIGNALS if "signal" in TASKS[task].options else ("ar2",))]


@pytest.mark.parametrize(("name", "signal"), VARIANTS)
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(name: str, signal: str) -> None:
    def draw(seed: int) -> bytes:
        batch = TASKS[name].sample(np.random.default_rng(seed), 7, 30, signal)
        return batch.inputs.tobytes() + batch.targets.tobytes()

    assert draw(5) == draw(5)
    assert draw(5) != draw(6)


@pytest.mark.parametrize(("name", "signal"), VARIANTS)
@pytest.mark.parametrize("batch_size", [1, 5])
def test_batches_have_the_declared_form_down_to_the_shortest_length(name: str, signal: str, batch_size: int) -> None:
    task: Task = TASKS[name]
    for length in (task.shortest, task.shortest + 1, 37):
        batch = task.sample(np.random.default_rng(0), batch_size, length, signal)
        assert batch.inputs.shape == (length, batch_size, len(task.input_names))
        assert batch.inputs.dtype == np.float32
        assert np.isfinite(batch.inputs).all()
        O = len(task.output_names)
        if task.loss == "cross_entropy":
            assert batch.targets.shape == (batch_size,)
            assert batch.targets.dtype == np.int64
            assert set(np.unique(batch.targets)) <= set(range(O))
        else:
            assert batch.targets.shape == ((batch_size, O) if task.readout == "last" else (length, batch_size, O))
            assert batch.targets.dtype == np.float32
        first = task.scored_from(length, signal)
        assert first == length - 1 if task.readout == "last" else 0 <= first < length


@pytest.mark.parametrize(("name", "signal"), VARIANTS)
def test_solved_is_better_than_the_baseline(name: str, signal: str) -> None:
    task = TASKS[name]
    for length in (task.shortest, 50, 1000):
        baseline, solved = task.baseline(length, signal), task.solved(length, signal)
        if solved.metric == "loss":
            assert baseline.metric == "loss"
            assert 0 < solved.value < baseline.value
        else:
            assert 1 / len(task.output_names) < solved.value <= 1
        assert baseline.name
        assert solved.name


@pytest.mark.parametrize(("name", "signal"), VARIANTS)
def test_every_training_step_and_the_probe_see_different_examples(name: str, signal: str) -> None:
    experiment = Experiment(task=name, signal=signal, batch_size=16)
    batches = [training_batch(experiment, step) for step in range(3)]
    probe = trace(start(experiment)).inputs
    seen = [batch.inputs.tobytes() for batch in batches] + [probe.astype(np.float32).tobytes()]
    assert len(set(seen)) == 4
    assert training_batch(experiment, 1).inputs.tobytes() == seen[1]


@pytest.mark.parametrize(("name", "signal"), VARIANTS)
def test_drawing_a_batch_costs_little_beside_learning_from_it(name: str, signal: str) -> None:
    experiment = Experiment(task=name, signal=signal)
    parameters, ratios = torch.tensor(start(experiment).parameters), []
    for step in range(25):
        began = time.perf_counter()
        batch = training_batch(experiment, step)
        drawn = time.perf_counter()
        run_pass(experiment, parameters, batch)
        ratios.append((drawn - began) / (time.perf_counter() - drawn))
    assert np.median(ratios) < 0.2  # wanted: .1; the rest is room for a busy machine
