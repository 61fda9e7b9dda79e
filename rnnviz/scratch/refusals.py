"""Which experiments have no program, and why: a program that did something else than the app would teach the wrong thing."""

from __future__ import annotations

from typing import NamedTuple

from rnnviz.cells import CELLS
from rnnviz.errors import RnnvizError
from rnnviz.experiment import SETTINGS, Experiment
from rnnviz.scratch.numpy_cells import NUMPY_CELLS
from rnnviz.tasks import TASKS

KERAS_CELLS = ("rnn", "lstm", "gru", "gru_v3")

CELL_REASONS = {
    "lru": "Its state is complex and its eigenvalues are exponentials of exponentials: too long to be read in one go",
    "slstm": "It carries a normaliser and a stabiliser, each with a way back of its own: too long to be read in one go",
}
TASK_REASONS = {
    "sequence": "It takes two networks, one that reads and one that says, and these programs are one",
    "labels": "Its loss, CTC, is a program of its own",
}
FIELDS: dict[str, tuple[bool | int | str, str]] = {
    "bidirectional": (False, "the second network, which reads backwards"),
    "residual": (False, "the connections around the layers"),
    "layer_norm": (False, "the normalisation and its gradient"),
    "dropout": (0, "what is dropped at random"),
    "readout": ("last", "every readout but that of the last state"),
    "bptt_window": (0, "the end of the way back before the beginning of the sequence"),
    "curriculum": (False, "sequences of growing length"),
}
"""Field -> the value that has programs, and what they leave out."""


class Refusal(NamedTuple):
    """Why an experiment has no program.

    Attributes:
        sentence: for a person.
        remedy: a change of the experiment after which it has one, or at least not this reason against it; may be empty.
    """

    sentence: str
    remedy: dict[str, bool | int | str]


def refusal(experiment: Experiment, library: str) -> Refusal | None:
    """Why there is no program of this experiment, or None where there is one."""
    e, task, cell = experiment, TASKS[experiment.task], CELLS[experiment.cell]
    if task.answers in TASK_REASONS:
        return Refusal(_without("task", task.name, TASK_REASONS[task.answers]), {"task": "adding"})
    if e.cell not in NUMPY_CELLS:
        return Refusal(
            _without("cell", cell.name, CELL_REASONS.get(e.cell, "Nobody has written one yet")), {"cell": "lstm"}
        )
    for name, (plain, left_out) in FIELDS.items():
        value = getattr(e, name)
        if SETTINGS[name].applies(e) and value != plain:
            reason = f"To stay short enough to be read, these programs leave out {left_out}"
            return Refusal(_without(name, value, reason), {name: plain})
    if library != "keras":
        return None
    if e.cell not in KERAS_CELLS:
        sentence = (
            f"There is no Keras program: Keras has no layer for the cell {cell.title}. NumPy and PyTorch do without."
        )
        return Refusal(sentence, {})
    if e.weight_decay and e.optimizer != "adamw":
        reason = "there it is subtracted from the weights, as AdamW does"
        return Refusal(_in_keras("weight_decay", e.weight_decay, reason), {})
    if e.clip_value and e.clip_norm:
        return Refusal(_in_keras("clip_value", e.clip_value, "its optimizers clip values or the norm, not both"), {})
    return None


def check(experiment: Experiment, library: str) -> None:
    """Raise the refusal, if there is one.

    Raises:
        RnnvizError: with its sentence.
    """
    if refused := refusal(experiment, library):
        raise RnnvizError(refused.sentence)


def _without(field: str, value: object, reason: str) -> str:
    shown = str(value).lower() if isinstance(value, bool) else f"{value}"
    return f"There is no program for `{field}` = {shown}. {reason}."


def _in_keras(field: str, value: float, reason: str) -> str:
    return f"There is no Keras program for `{field}` = {value:g}: {reason}. NumPy and PyTorch have one."
