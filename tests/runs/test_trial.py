"""A trial's verdict is the page's verdict, however the trial was cut, and a trial that diverges says so."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from rnnviz import Experiment, advance, start, trace
from rnnviz.analysis import decay_rate, horizon, log10_gradient_norms
from rnnviz.cells import CELLS
from rnnviz.runs import History, Outcome
from rnnviz.runs.trial import CHECKED_EVERY, TESTS_A_BUDGET, Trial
from rnnviz.tasks import TASKS
from rnnviz.tracing import frame
from tests.runs.helpers import TINY

EASY = Experiment(
    cell="gru", task="latch", length=8, hidden_size=8, batch_size=16, steps=600, learning_rate=0.02, noise=0
)
SOLVABLE: dict[str, Experiment] = {
    "accuracy": EASY,
    "loss": Experiment(
        cell="gru", task="adding", length=4, hidden_size=16, batch_size=32, steps=700, learning_rate=0.02, seed=1
    ),
    "held out": EASY.amend(examples=256, steps=300, learning_rate=0.004),
    "curriculum": EASY.amend(curriculum=True),
    "exam": Experiment(cell="lstm", task="anbn", hidden_size=8, steps=600, learning_rate=0.03),
}


def verdict(experiment: Experiment, seconds: float = 1e3) -> Outcome:
    at: Trial | Outcome = Trial(experiment)
    while isinstance(at, Trial):
        at = at.carry_on(seconds)
    return at


def as_a_page_judges(experiment: Experiment, steps: int) -> int | None:
    """`History.first_solved` on the whole of a run, looked at as often."""
    history = History(first := start(experiment), frame(first))
    history.add(advance(first, steps, record_every=max(1, experiment.steps // TESTS_A_BUDGET), record_last=False))
    yardstick = TASKS[experiment.task].solved(experiment.setup)
    assert yardstick is not None
    since = experiment.steps // 2 if experiment.curriculum else 0
    return history.first_solved(yardstick, held_out=experiment.examples > 0, since=since)


@pytest.mark.parametrize("kind", SOLVABLE)
def test_it_is_solved_when_and_where_a_page_says_so(kind: str) -> None:
    experiment = SOLVABLE[kind]
    found = verdict(experiment)
    assert found.solved, found
    assert found.solved_at == as_a_page_judges(experiment, found.steps)
    assert as_a_page_judges(experiment, found.steps - CHECKED_EVERY) is None, "it went on after it had solved its task"
    assert found.steps == experiment.steps or found.steps % CHECKED_EVERY == 0
    assert found.steps - CHECKED_EVERY < found.solved_at <= found.steps


@pytest.mark.parametrize("kind", SOLVABLE)
def test_the_cuts_between_slices_change_nothing(kind: str) -> None:
    def told(outcome: Outcome) -> dict[str, Any]:
        return {name: value for name, value in vars(outcome).items() if name != "seconds"}

    assert told(verdict(SOLVABLE[kind], 0.02)) == told(verdict(SOLVABLE[kind]))


def test_one_step_a_slice_through_a_pickle_still_arrives() -> None:
    at: Trial | Outcome = Trial(TINY.amend(steps=7))
    slices = 0
    while isinstance(at, Trial):
        at = pickle.loads(pickle.dumps(at)).carry_on(1e-12)
        slices += 1
    assert (slices, at.steps, at.solved_at) == (7, 7, None)


@pytest.mark.parametrize("task", ["adding", "parity", "sentiment"])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "lru"])
def test_the_gradients_are_those_of_the_analysis(cell: str, task: str) -> None:
    experiment = TINY.amend(cell=cell, task=task, length=24, hidden_size=6, steps=3)
    found = verdict(experiment)
    for step, decay, reach in ((0, found.decay_start, found.reach_start), (3, found.decay_end, found.reach_end)):
        tr = trace(advance(start(experiment), step).checkpoint if step else start(experiment))
        loss = "all" if TASKS[task].answers == "once" else "last"
        log10_norms = log10_gradient_norms(tr, CELLS[cell].carried[0], loss=loss)
        medians = np.nanmedian(np.where(np.isfinite(log10_norms), 10.0**log10_norms, log10_norms), axis=1)
        with np.errstate(divide="ignore"):
            medians = np.log10(medians[~np.isnan(medians)])
        assert decay == pytest.approx(float(decay_rate(medians)), rel=1e-5)
        assert reach == horizon(medians, log10=True)


def test_the_numbers_at_the_end_are_those_of_the_last_steps() -> None:
    experiment = EASY.amend(steps=130, learning_rate=1e-6)
    found, whole = verdict(experiment), advance(start(experiment), 130)
    assert (found.steps, found.solved_at, found.diverged, found.exam) == (130, None, "", None)
    assert found.loss == pytest.approx(whole.losses[-100:].mean(), rel=1e-6)
    assert found.accuracy == pytest.approx(whole.accuracies[-100:].mean(), rel=1e-6)


def test_a_trial_that_diverges_says_so_and_is_not_solved() -> None:
    wild = Experiment(cell="rnn", activation="linear", optimizer="sgd", learning_rate=5, clip_norm=0, length=20)
    found = verdict(wild)
    assert found.diverged.startswith("Step ")
    assert not found.solved
    assert found.steps < wild.steps
    assert found.decay_start is not None


def test_a_task_without_a_yardstick_is_never_solved() -> None:
    assert verdict(TINY.amend(task="random_labels", length=5, steps=60)).solved_at is None
