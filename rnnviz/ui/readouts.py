"""The numbers above the pictures."""

from __future__ import annotations

from rnnviz.cells import CELLS
from rnnviz.experiment import Experiment
from rnnviz.model import probe_batch
from rnnviz.runs.history import AVERAGED
from rnnviz.tasks import TASKS, Task
from rnnviz.ui.stage import Readout, Value


def readouts(experiment: Experiment) -> tuple[Readout, ...]:
    """The numbers above the pictures."""
    task, cell, T = TASKS[experiment.task], CELLS[experiment.cell], experiment.length
    baseline = task.baseline(experiment.setup)
    said = [
        Readout(
            "loss",
            (
                "loss ",
                Value("loss_mean"),
                *((" (on fresh examples ", Value("held_out_loss"), ")") if experiment.examples else ()),
                *((f" ({baseline.name}: {baseline.value:.3g})",) if baseline else ()),
            ),
            f"Mean loss of the last {AVERAGED} training steps. "
            + (
                f"The same {experiment.examples} examples come again and again; the fresh ones are never trained on."
                if experiment.examples
                else "Every step draws fresh examples, so this is also the score on examples never seen before."
                + (" While the sequences grow, it is that of shorter ones." if experiment.curriculum else "")
            ),
        ),
        Readout(
            "reach",
            ("gradient reaches back ", Value("reach", "count"), f" of {T} steps"),
            "How many steps back from the last one the median of ‖∂L/∂h_t‖ stays above 1 % of the largest value met on the "
            f"way back; measured in float64 on fixed examples, {_for_which_loss(experiment)} Once a task is solved there is "
            "hardly any gradient left, and this says little.",
        ),
        Readout(
            "norm",
            (
                "gradient norm ",
                Value("grad_norm"),
                *((", clipped ", Value("clipped_norm")) if experiment.clip_norm else ()),
            ),
            "2-norm of the gradient of all weights in this training step, before and after clipping.",
        ),
    ]
    if shows_accuracy(experiment):
        guess = chance(task)
        said.insert(
            1,
            Readout(
                "accuracy",
                (
                    "accuracy ",
                    Value("accuracy_mean", "percent"),
                    *(
                        (" (on fresh examples ", Value("held_out_accuracy", "percent"), ")")
                        if experiment.examples
                        else ()
                    ),
                    *((f" (chance {100 * guess:.3g} %)",) if guess else ()),
                ),
                (
                    "1 − edit distance / length of the right answer"
                    if task.loss == "ctc"
                    else "Fraction of the scored answers that are right"
                )
                + f", mean over the last {AVERAGED} training steps.",
            ),
        )
    if task.exam is not None:
        said.insert(
            1,
            Readout(
                "exam",
                (f"{task.exam.name} ", Value("exam", "count")),
                "An exam on examples longer than any it trains on, taken at every recorded step: does it know the rule, or "
                "only what it has seen?",
            ),
        )
    for gate in ("forget", "update"):  # those whose mean is recorded
        if gate in cell.keepers and gate not in cell.unbounded_gates:
            keeps = cell.keepers[gate] > 0
            state = "cell state" if "c" in cell.states else "old state"
            said.append(
                Readout(
                    "keeps",
                    (f"{gate} gate {'keeps' if keeps else 'overwrites'} ", Value(f"{gate}_gate", "percent")),
                    f"Mean of {plain(cell.symbols[gate])}_t over probe examples, time steps and units: how much of the "
                    f"{state} {'survives' if keeps else 'is replaced in'} one step.",
                )
            )
    return tuple(said)


def _for_which_loss(experiment: Experiment) -> str:
    """What the reach of the gradient is measured from, where that is not simply the one answer's loss."""
    task = TASKS[experiment.task]
    said = (
        "for the whole loss, which every frame takes part in."
        if task.loss == "ctc"
        else "for the loss of the last answer."
    )
    if task.answers == "once" and experiment.readout != "last":
        said += " This readout touches every state, so its direct way to early steps counts as well."
    if experiment.bidirectional:
        said += " Of the half that reads forwards."
    if probe_batch(experiment).lengths is not None:
        said += " The examples end at different steps; the median is over those still running."
    return said


def shows_accuracy(experiment: Experiment) -> bool:
    """Whether accuracy tells something: not where a loss or an exam decides, and even a perfect answer is often wrong.

    Where examples come again, and where nothing counts as solved, it tells learning from memorising.
    """
    task = TASKS[experiment.task]
    solved = task.solved(experiment.setup)
    return task.loss != "mse" and (solved is None or solved.metric == "accuracy" or experiment.examples > 0)


def chance(task: Task) -> float | None:
    """The accuracy of guessing, where that is simply one in the number of classes."""
    equally_likely = task.loss == "cross_entropy" and (task.answers != "every" or len(task.output_names) == 2)
    return 1 / len(task.output_names) if equally_likely else None


def plain(symbol: str) -> str:
    """A LaTeX symbol in plain text."""
    return symbol.replace(r"\tilde ", "").replace(r"\Re ", "Re ").replace(r"\Im ", "Im ")
