"""One experiment from its start to a verdict, slice by slice, and what is left of it: an `Outcome`."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from rnnviz.analysis import decay_rate
from rnnviz.cells import CELLS
from rnnviz.experiment import Experiment
from rnnviz.runs.history import AVERAGED, LASTING, first_reached, running_mean
from rnnviz.tasks import TASKS, Yardstick
from rnnviz.tracing import Frame, frame
from rnnviz.training import Checkpoint, Slice, advance, start

CHECKED_EVERY = 50  # training steps after which a trial asks whether it has solved its task
TESTS_A_BUDGET = 75  # held-out examples and exams are looked at this often, as in a run on a page


@dataclass(frozen=True)
class Outcome:
    """What came of one experiment. The same experiment gives the same outcome, `seconds` aside.

    A trial ends when its task is solved (noticed at a multiple of `CHECKED_EVERY` steps), when the step budget is used up,
    or when it diverges. A number that does not exist is None.

    Attributes:
        experiment: what was run.
        steps: training steps done.
        solved_at: the training step from which the task counts as solved, as `History.first_solved` defines it for the
            pages; None if it was not solved in this budget.
        loss: mean training loss of the last `AVERAGED` steps.
        accuracy: fraction of right answers on examples never trained on: of the last `AVERAGED` steps, or of held-out
            examples where the training set is fixed. None for a squared error.
        exam: the result of the task's exam at the end.
        decay_start, decay_end: the factor by which the median of ||dL/dh_t|| over the probe's samples changes with each step
            back in time (`analysis.decay_rate`), untrained and at the end; for the loss of the last answer.
        reach_start, reach_end: how many steps back it stays above 1 % (`tracing.reach`).
        seconds: computing time.
        diverged: the sentence that says at which step what stopped being a number, else "".
        failed: why the computation broke off, else "". Then there are no numbers.
    """

    experiment: Experiment
    steps: int = 0
    solved_at: int | None = None
    loss: float | None = None
    accuracy: float | None = None
    exam: float | None = None
    decay_start: float | None = None
    decay_end: float | None = None
    reach_start: int | None = None
    reach_end: int | None = None
    seconds: float = 0.0
    diverged: str = ""
    failed: str = ""

    @property
    def solved(self) -> bool:
        """Whether the task was solved in this budget."""
        return self.solved_at is not None


class Gradient(NamedTuple):
    """What becomes of the last answer's gradient on its way back: see `Outcome`."""

    decay: float | None
    reach: int


def gradient_of(picture: Frame, experiment: Experiment) -> Gradient:
    """Read off the frame of a moment, whose medians are taken over the probe's samples."""
    memory = "last" if TASKS[experiment.task].answers in ("every", "sequence") else CELLS[experiment.cell].carried[0]
    log10_median = picture.channels[f"grad.{memory}.median"]
    decay = float(decay_rate(log10_median[~np.isnan(log10_median)]))
    return Gradient(_number(decay), int(picture.scalars["reach"]))


def _none() -> np.ndarray:
    return np.empty(0, np.float32)


@dataclass(frozen=True)
class Trial:
    """An experiment on its way: immutable, picklable, and all that its future and its verdict depend on.

    Attributes:
        experiment: what is run.
        checkpoint: where it stands; None before the first slice.
        untrained: the gradient at the start.
        losses, accuracies: of the latest training steps, as many as the next look at the running mean needs.
        tests: (step, value) of what decides instead where examples come again or an exam is taken.
        seconds: computed so far.
    """

    experiment: Experiment
    checkpoint: Checkpoint | None = None
    untrained: Gradient | None = None
    losses: np.ndarray = field(default_factory=_none)
    accuracies: np.ndarray = field(default_factory=_none)
    tests: tuple[tuple[int, float], ...] = ()
    seconds: float = 0.0

    @property
    def step(self) -> int:
        """Training steps done."""
        return self.checkpoint.step if self.checkpoint else 0

    def carry_on(self, seconds: float) -> Trial | Outcome:
        """Train for about this much longer: the trial as it then stands, or its outcome."""
        began, now, budget = time.perf_counter(), self, self.experiment.steps
        checkpoint = self.checkpoint
        if checkpoint is None:
            checkpoint = start(self.experiment)
            picture = frame(checkpoint)
            now = replace(now, checkpoint=checkpoint, untrained=gradient_of(picture, self.experiment))
            now = now._tested([picture])
        while True:
            done = advance(
                checkpoint,
                min(CHECKED_EVERY - now.step % CHECKED_EVERY, budget - now.step),
                seconds=max(seconds - (time.perf_counter() - began), 1e-9),
                record_every=max(1, budget // TESTS_A_BUDGET) if self._is_tested else None,
                record_last=False,
            )
            now, checkpoint = now._after(done), done.checkpoint
            solved_at = now._solved_at() if now.step % CHECKED_EVERY == 0 or now.step == budget else None
            if solved_at is not None or now.step >= budget or done.diverged:
                return now._outcome(
                    checkpoint, solved_at, done.diverged or "", self.seconds + time.perf_counter() - began
                )
            if (spent := time.perf_counter() - began) >= seconds:
                return replace(now, seconds=self.seconds + spent)

    @property
    def _yardstick(self) -> Yardstick | None:
        return TASKS[self.experiment.task].solved(self.experiment.setup)

    @property
    def _is_tested(self) -> bool:
        """Whether the verdict is on tests rather than on the running mean over fresh batches."""
        yardstick = self._yardstick
        return yardstick is not None and (yardstick.metric == "exam" or self.experiment.examples > 0)

    def _after(self, done: Slice) -> Trial:
        kept = AVERAGED + CHECKED_EVERY - 1
        after = replace(
            self,
            checkpoint=done.checkpoint,
            losses=np.concatenate([self.losses, done.losses])[-kept:],
            accuracies=np.concatenate([self.accuracies, done.accuracies])[-kept:],
        )
        return after._tested(done.frames)

    def _tested(self, frames: list[Frame]) -> Trial:
        yardstick = self._yardstick
        if yardstick is None or not self._is_tested:
            return self
        name = "exam" if yardstick.metric == "exam" else f"held_out_{yardstick.metric}"
        return replace(
            self, tests=(*self.tests, *((picture.step, picture.scalars.get(name, np.nan)) for picture in frames))
        )

    def _solved_at(self) -> int | None:
        yardstick = self._yardstick
        if yardstick is None:
            return None
        # Short sequences solved say nothing about the full length.
        since = self.experiment.steps // 2 if self.experiment.curriculum else 0
        if self._is_tested:
            late = np.array([(step, value) for step, value in self.tests if step >= since]).reshape(-1, 2)
            return first_reached(yardstick, late[:, 0], late[:, 1], in_a_row=LASTING)
        series = self.losses if yardstick.metric == "loss" else self.accuracies
        means = running_mean(series, AVERAGED)
        steps = np.arange(self.step - len(means) + 1, self.step + 1)
        whole = (np.arange(len(means)) >= AVERAGED - 1) & (steps >= since + AVERAGED)
        return first_reached(yardstick, steps[whole], means[whole])

    def _outcome(self, checkpoint: Checkpoint, solved_at: int | None, diverged: str, seconds: float) -> Outcome:
        picture = frame(checkpoint)
        accuracy: float | None
        if self.experiment.examples:
            accuracy = picture.scalars.get("held_out_accuracy")
        else:
            accuracy = float(self.accuracies[-AVERAGED:].mean()) if len(self.accuracies) else None
        before, after = self.untrained, gradient_of(picture, self.experiment)
        assert before is not None
        return Outcome(
            self.experiment,
            steps=checkpoint.step,
            solved_at=None if diverged else solved_at,
            loss=_number(float(running_mean(self.losses, AVERAGED)[-1])) if len(self.losses) else None,
            accuracy=accuracy,
            exam=_number(picture.scalars.get("exam", np.nan)),
            decay_start=before.decay,
            decay_end=after.decay,
            reach_start=before.reach,
            reach_end=after.reach,
            seconds=seconds,
            diverged=diverged,
        )


@dataclass(frozen=True)
class TrialTurn:
    """A slice of a trial."""

    key: str
    trial: Trial
    seconds: float

    def compute(self) -> Trial | Outcome:
        return self.trial.carry_on(self.seconds)


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None
