"""What a sweep can be looked at through: each measure of a trial, and how the runs of one point are put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rnnviz.analysis import success_interval
from rnnviz.experiment import Experiment
from rnnviz.runs import Outcome
from rnnviz.runs.history import AVERAGED
from rnnviz.tasks import TASKS


@dataclass(frozen=True)
class Measure:
    """One number of a trial.

    Attributes:
        title: how controls and axes call it.
        help: its definition.
        look_for: what to look for in its picture.
        of: the number, None where there is none.
        exists: whether an experiment has it.
        gradient: whether it tells how a gradient fares, and is drawn in that colour language.
        most: the largest value an axis has to show, None if the data decide.
    """

    title: str
    help: str
    look_for: str
    of: Callable[[Outcome], float | None]
    exists: Callable[[Experiment], bool] = lambda experiment: True
    gradient: bool = False
    most: float | None = None


def _can_be_solved(experiment: Experiment) -> bool:
    return TASKS[experiment.task].solved(experiment.setup) is not None


def _steps_to_solved(outcome: Outcome) -> float | None:
    # A run that was stopped unsolved would have needed more than its budget: later than any other.
    return None if outcome.failed else float(outcome.solved_at or np.inf)


DECAY = (
    "The factor by which ‖∂L/∂h_t‖ (median over fixed examples, loss of the last answer) changes with each step back in "
    "time: the slope of its logarithm over t. Below 1 it vanishes, above 1 it explodes."
)
REACH = "How many steps back from the last one the median of ‖∂L/∂h_t‖ stays above 1 % of the largest met on the way."
MEDIAN = "Median over the runs of a point, with the smallest and the largest."

MEASURES = {
    "success": Measure(
        "success rate",
        "Of the runs of a point, the fraction that solved the task within the step budget, by the same threshold as "
        "in the Playground. The interval is Wilson's, 95 %: the rates that so few runs do not speak against.",
        "The fall from 1 to 0: where it begins, this budget is no longer enough for every seed. Bars are 95 % intervals: "
        "with few seeds they are wide, and points whose bars overlap may not differ.",
        lambda outcome: None if outcome.failed else float(outcome.solved),
        _can_be_solved,
        most=1.0,
    ),
    "steps": Measure(
        "steps to solved",
        f"The training step from which the task counts as solved. {MEDIAN} A run not solved in this "
        "budget counts as later than all others; no dot where most are not solved.",
        "Lines that rise and then end: learning takes longer, until the budget is too small for most seeds.",
        _steps_to_solved,
        _can_be_solved,
    ),
    "loss": Measure(
        "final loss",
        f"Mean training loss of the last {AVERAGED} steps before the run ended, solved or not. {MEDIAN}",
        "Whether a line leaves the dashed score of a guess: one that lies on it has learned nothing.",
        lambda outcome: outcome.loss,
    ),
    "accuracy": Measure(
        "accuracy",
        f"Fraction of right answers on examples never trained on, at the end of the run. {MEDIAN}",
        "How far down a line comes: an answer at random is right in one of as many cases as there are classes.",
        lambda outcome: outcome.accuracy,
        lambda experiment: TASKS[experiment.task].loss != "mse",
        most=1.0,
    ),
    "exam": Measure(
        "exam",
        f"The result of the task's exam at the end of the run, on examples longer than any it trained on. {MEDIAN}",
        "Whether the rule was learned, or only what was seen.",
        lambda outcome: outcome.exam,
        lambda experiment: TASKS[experiment.task].exam is not None,
    ),
    "decay": Measure(
        "decay per step, untrained",
        f"{DECAY} Measured before the first training step. {MEDIAN}",
        f"How far below the dashed 1 a line lies: after 50 steps .9 leaves {0.9**50:.1g} of it, .5 {0.5**50:.0e}.",
        lambda outcome: outcome.decay_start,
        gradient=True,
    ),
    "decay_end": Measure(
        "decay per step, at the end",
        f"{DECAY} Measured where the run ended. {MEDIAN}",
        "What training has done to it: compare with the same measure untrained.",
        lambda outcome: outcome.decay_end,
        gradient=True,
    ),
    "reach": Measure(
        "reach of the gradient, untrained",
        f"{REACH} Measured before the first training step. {MEDIAN}",
        "Whether it keeps up with the sequence length: what lies beyond its reach is learned late or not at all.",
        lambda outcome: outcome.reach_start,
        gradient=True,
    ),
    "reach_end": Measure(
        "reach of the gradient, at the end",
        f"{REACH} Measured where the run ended. {MEDIAN}",
        "What training has done to it. Once a task is solved there is hardly any gradient left, and this says little.",
        lambda outcome: outcome.reach_end,
        gradient=True,
    ),
}


class Summary(NamedTuple):
    """The runs of one point, seen through a measure.

    Attributes:
        middle: success rate, or median; nan where there is none.
        low, high: its interval, or the smallest and the largest; nan where there is none.
        done, all, solved, diverged: how many runs.
    """

    middle: float
    low: float
    high: float
    done: int
    all: int
    solved: int
    diverged: int


def summarise(measure: str, outcomes: Sequence[Outcome | None]) -> Summary:
    """Put the runs of one point together; None is a run not yet computed."""
    there = [outcome for outcome in outcomes if outcome is not None and not outcome.failed]
    values = np.array([value for one in there if (value := MEASURES[measure].of(one)) is not None], np.float64)
    middle = low = high = np.nan
    if len(values) and measure == "success":
        middle = float(values.mean())
        low, high = success_interval(int(values.sum()), len(values))
    elif len(values):
        ordered = float(np.quantile(values, 0.5, method="higher"))  # no mean with an infinite neighbour
        middle = ordered if np.isinf(ordered) or np.isinf(values).any() else float(np.median(values))
        finite = values[np.isfinite(values)]
        middle = middle if np.isfinite(middle) else np.nan
        if len(finite):
            low, high = float(finite.min()), float(finite.max())
    return Summary(
        middle, low, high, len(there), len(outcomes), sum(o.solved for o in there), sum(bool(o.diverged) for o in there)
    )
