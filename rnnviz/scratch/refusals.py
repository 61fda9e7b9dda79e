"""Which experiments have no program, and why: a program that did something else than the app would teach the wrong thing."""

from __future__ import annotations

from rnnviz.cells import CELLS
from rnnviz.errors import RnnvizError
from rnnviz.experiment import SETTINGS, Experiment
from rnnviz.scratch.numpy_cells import NUMPY_CELLS
from rnnviz.tasks import TASKS

KERAS_CELLS = ("rnn", "lstm", "gru", "gru_v3")

CELL_REASONS = {
    "lru": "its state is complex and its eigenvalues are exponentials of exponentials",
    "slstm": "besides c it carries a normaliser and a stabiliser, each with a way back of its own",
}
FIELD_REASONS = {
    "bidirectional": "a second network that reads backwards is left out",
    "residual": "the connections around the layers are left out",
    "layer_norm": "the gradient of the normalisation, written by hand, is left out",
    "dropout": "what the app drops at random is left out",
    "readout": "only the readout of the last state is written out",
    "bptt_window": "the gradient flows all the way back in them",
    "curriculum": "their sequences have one length",
}
TASK_REASONS = {
    "sequence": "an encoder and a decoder are two networks, and these programs are one",
    "labels": "the CTC loss is a dynamic program of its own",
}


def refusal(experiment: Experiment, library: str) -> str | None:
    """The sentence that says why there is no program of this experiment, or None where there is one."""
    e, task, cell = experiment, TASKS[experiment.task], CELLS[experiment.cell]
    if task.answers in TASK_REASONS:
        return _sentence("task", task.name, TASK_REASONS[task.answers])
    if e.cell not in NUMPY_CELLS:
        return _sentence("cell", cell.name, CELL_REASONS[e.cell])
    for name, reason in FIELD_REASONS.items():
        value = getattr(e, name)
        if SETTINGS[name].applies(e) and value != SETTINGS_OFF.get(name, False):
            return _sentence(name, value, reason)
    if library != "keras":
        return None
    if e.cell not in KERAS_CELLS:
        return f"There is no Keras program: Keras has no layer for the cell {cell.title}. NumPy and PyTorch do without one."
    if e.weight_decay and e.optimizer != "adamw":
        return _in_keras("weight_decay", e.weight_decay, "there it is subtracted from the weights, as AdamW does")
    if e.clip_value and e.clip_norm:
        return _in_keras("clip_value", e.clip_value, "its optimizers clip values or the norm, not both")
    return None


SETTINGS_OFF = {"dropout": 0, "readout": "last", "bptt_window": 0}


def check(experiment: Experiment, library: str) -> None:
    """Raise the refusal, if there is one.

    Raises:
        RnnvizError: with its sentence.
    """
    if sentence := refusal(experiment, library):
        raise RnnvizError(sentence)


def _sentence(field: str, value: object, reason: str) -> str:
    shown = str(value).lower() if isinstance(value, bool) else f"{value}"
    return f"There is no program for `{field}` = {shown}: to stay short enough to be read, {reason}."


def _in_keras(field: str, value: float, reason: str) -> str:
    return f"There is no Keras program for `{field}` = {value:g}: {reason}. NumPy and PyTorch have one."
