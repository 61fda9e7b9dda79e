"""What holds for every task in the registry; a new task is covered by its line there."""

import time
from itertools import product

import numpy as np
import pytest
import torch

from rnnviz import TASKS, Experiment, start
from rnnviz.experiment import SETTINGS, default_of
from rnnviz.model import probe_batch, run_pass, training_batch
from rnnviz.tasks import SIGNALS, Batch, Setup, Task

TRIED = {"signal": SIGNALS, "horizon": (1, 4), "noise": (0.0, 0.7), "gap": (2, 5, 12)}  # a new option needs values here
TASK = pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))


def setups(task: Task) -> list[Setup]:
    """Every choice of its options at the shortest, the usual and a long length, but for those it refuses."""
    usual = default_of("length", task.name)
    lengths = sorted({task.shortest, task.shortest + 1, usual, min(task.longest, 3 * usual)})
    choices = [[(name, value) for value in TRIED[name]] for name in task.options]
    found = [usual_setup(task)._replace(length=length, **dict(c)) for length in lengths for c in product(*choices)]
    return [setup for setup in found if task.misfit(setup) is None]


def usual_setup(task: Task) -> Setup:
    return Setup(**{name: default_of(name, task.name) for name in Setup._fields})


def own_target(task: Task, batch: Batch, b: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and target of sample `b`, cut to its true length."""
    length = len(batch.inputs) if batch.lengths is None else int(batch.lengths[b])
    if task.answers == "once":
        target = batch.targets[b]
    else:
        target = batch.targets[: length if task.answers == "every" else None, b]
    return batch.inputs[:length, b], target[target >= 0] if task.answers == "labels" else target


def check_form(task: Task, batch: Batch, length: int, batch_size: int) -> None:
    I, O, targets = len(task.input_names), len(task.output_names), batch.targets
    assert batch.inputs.shape == (length, batch_size, I)
    assert batch.inputs.dtype == np.float32
    assert np.isfinite(batch.inputs).all()

    lengths = np.full(batch_size, length)
    if batch.lengths is not None:
        lengths = batch.lengths
        assert lengths.shape == (batch_size,)
        assert lengths.dtype == np.int64
        assert lengths.min() >= 1
        assert lengths.max() <= length
    inside = np.arange(length)[:, None] < lengths  # (T, B)
    assert not batch.inputs[~inside].any(), "padding is zero"

    if task.loss == "mse":
        assert targets.dtype == np.float32
        assert np.isfinite(targets).all()
        assert targets.shape == ((batch_size, O) if task.answers == "once" else (length, batch_size, O))
    else:
        assert targets.dtype == np.int64
        if task.answers == "once":
            assert targets.shape == (batch_size,)
        elif task.answers == "every":
            assert targets.shape == (length, batch_size)
        else:
            assert targets.ndim == 2
            assert targets.shape[1] == batch_size
        if task.answers == "labels":
            written = (targets >= 0).sum(0)
            assert (written >= 1).all()
            assert (targets[np.arange(len(targets))[:, None] >= written] == -1).all(), "padded at the end"
            assert 0 not in targets, "no blanks"
            repeated = ((targets[1:] == targets[:-1]) & (targets[1:] > 0)).sum(0)
            assert (written + repeated <= lengths).all(), "a blank fits between any two of the same"
            assert targets.max() < O
        else:
            assert targets.min() >= 0, "in the padding too, where they are gathered before they are masked"
            assert targets.max() < O

    if task.answers == "every":
        if batch.scored is None:
            assert batch.lengths is None, "or answers in the padding would count"
            assert task.scored_from(usual_setup(task)._replace(length=length)) == 0
        else:
            assert batch.scored.shape == (length, batch_size)
            assert batch.scored.dtype == bool
            assert batch.scored.any(0).all(), "a loss needs an answer"
            assert not (batch.scored & ~inside).any()
    else:
        assert batch.scored is None


@TASK
def test_the_same_seed_gives_the_same_bits_and_another_seed_others(task: Task) -> None:
    for setup in setups(task)[-3:]:

        def draw(seed: int, setup: Setup = setup) -> bytes:
            batch = task.sample(np.random.default_rng(seed), 7, setup)
            return b"".join(array.tobytes() for array in batch if array is not None)

        assert draw(5) == draw(5)
        assert draw(5) != draw(6)


@TASK
@pytest.mark.parametrize("batch_size", [1, 40])
def test_batches_have_the_declared_form_whatever_the_options(task: Task, batch_size: int) -> None:
    for setup in setups(task):
        batch = task.sample(np.random.default_rng(1), batch_size, setup)
        check_form(task, batch, setup.length, batch_size)
        if batch.scored is not None:
            assert not batch.scored[: task.scored_from(setup)].any()
            if batch_size > 1:
                assert batch.scored[task.scored_from(setup)].any()


@TASK
def test_samples_do_not_share_memory_with_what_is_drawn_next(task: Task) -> None:
    """A task may precompute; who changes a batch must not change the next one."""
    rng, setup = np.random.default_rng(0), usual_setup(task)
    batch = task.sample(rng, 4, setup)
    for array in batch:
        if array is not None:
            array[...] = 0
    again = task.sample(np.random.default_rng(0), 4, setup)
    assert again.inputs.any()
    assert again.targets.any()


@TASK
def test_its_declarations_fit_together(task: Task) -> None:
    assert set(task.options) <= set(Setup._fields) & set(SETTINGS)
    assert set(task.defaults) <= set(SETTINGS)
    assert 2 <= task.shortest <= default_of("length", task.name) <= task.longest
    assert len(set(task.input_names)) == len(task.input_names)
    assert len(set(task.output_names)) == len(task.output_names)
    assert task.misfit(usual_setup(task)) is None
    experiment = Experiment(task=task.name)
    assert {name: getattr(experiment, name) for name in task.defaults} == task.defaults
    assert all(text == text.strip() for text in (task.title, task.verb, task.explanation, task.citation))


@TASK
def test_a_refused_setup_is_refused_with_the_field_the_rule_and_the_value(task: Task) -> None:
    for name in set(TRIED) & set(task.options):
        for value in (SETTINGS[name].lowest, SETTINGS[name].highest) if SETTINGS[name].choices is None else ():
            for length in (task.shortest, task.longest):
                setup = usual_setup(task)._replace(length=length, **{name: value})
                if (refused := task.misfit(setup)) is None:
                    check_form(task, task.sample(np.random.default_rng(0), 3, setup), length, 3)
                else:
                    field, sentence = refused
                    assert sentence.startswith(f"`{field}` must ")
                    assert f"{getattr(setup, field)}" in sentence.split("Got ")[1]


@TASK
def test_solved_is_better_than_the_baseline(task: Task) -> None:
    for setup in setups(task):
        baseline, solved = task.baseline(setup), task.solved(setup)
        for yardstick in (baseline, solved):
            if yardstick is not None:
                assert yardstick.name
                assert np.isfinite(yardstick.value)
        if baseline is not None:
            assert baseline.metric == "loss"
            assert baseline.value > 0
        if solved is None:
            continue
        if solved.metric == "loss":
            assert baseline is not None
            assert 0 < solved.value < baseline.value
        elif solved.metric == "accuracy":
            assert task.loss != "mse"
            assert 1 / len(task.output_names) < solved.value <= 1
        else:
            assert task.exam is not None


@TASK
def test_a_description_is_made_of_one_sample_at_its_true_length(task: Task) -> None:
    for setup in setups(task):
        batch = task.sample(np.random.default_rng(2), 5, setup)
        said = [task.describe(*own_target(task, batch, b)) for b in range(5)]
        assert all(said)
        if setup.length >= 20:
            assert len(set(said)) > 1


@TASK
def test_a_task_that_asks_for_a_later_input_says_that_it_leaks(task: Task) -> None:
    if task.answers != "every":
        return
    setup = usual_setup(task)._replace(horizon=1)
    batch = task.sample(np.random.default_rng(3), 20, setup)
    ends = np.full(20, setup.length) if batch.lengths is None else batch.lengths
    asked = (np.arange(1, setup.length)[:, None] < ends) & (True if batch.scored is None else batch.scored[:-1])
    if task.loss == "mse":
        same = batch.targets.shape[2] == batch.inputs.shape[2] and bool((batch.targets[:-1] == batch.inputs[1:]).all())
    else:
        following = np.array(task.input_names)[batch.inputs[1:].argmax(2)]
        same = bool((np.array(task.output_names)[batch.targets[:-1]] == following)[asked].all())
    assert task.leaks or not same


@TASK
def test_an_exam_is_always_the_same_and_tells_right_from_wrong(task: Task) -> None:
    if task.exam is None:
        return
    for setup in setups(task):
        batch = task.exam.batch(setup)
        check_form(task, batch, len(batch.inputs), batch.inputs.shape[1])
        again = task.exam.batch(setup)
        assert all(np.array_equal(a, b) for a, b in zip(batch, again, strict=True) if a is not None and b is not None)
        perfect = np.eye(len(task.output_names), dtype=np.float32)[batch.targets]
        solved = task.solved(setup)
        assert solved is not None
        assert solved.metric == "exam"
        assert task.exam.mark(perfect, batch) >= solved.value
        assert task.exam.mark(-perfect, batch) < solved.value
        assert task.exam.mark(np.zeros_like(perfect), batch) < solved.value
        assert batch.inputs[..., 0].size <= 40_000, "it is taken at every recorded frame"
    assert task.exam.name


@TASK
def test_every_training_step_and_the_probe_see_different_examples(task: Task) -> None:
    experiment = Experiment(task=task.name, batch_size=16)
    batches = [training_batch(experiment, step) for step in range(3)]
    seen = [batch.inputs.tobytes() for batch in (*batches, probe_batch(experiment))]
    assert len(set(seen)) == 4
    assert training_batch(experiment, 1).inputs.tobytes() == seen[1]


@TASK
def test_drawing_a_batch_costs_little_beside_learning_from_it(task: Task) -> None:
    experiment = Experiment(task=task.name, length=max(task.shortest, min(100, task.longest)))
    parameters, ratios = torch.tensor(start(experiment).parameters), []
    for step in range(15):
        began = time.perf_counter()
        batch = training_batch(experiment, step)
        drawn = time.perf_counter()
        run_pass(experiment, parameters, batch)
        ratios.append((drawn - began) / (time.perf_counter() - drawn))
    assert np.median(ratios) < 0.2  # wanted: .1; the rest is room for a busy machine
