"""What all three programs have in common above the network: what they are, imports, and the experiment's numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import wrap

from rnnviz.cells import CELLS
from rnnviz.experiment import Experiment
from rnnviz.scratch.examples import companions, examples_section
from rnnviz.scratch.numbers import numbers
from rnnviz.scratch.start import start_section
from rnnviz.tasks import TASKS

IN_FLOAT64 = (
    "This computes in float64 where the app trains in float32: the losses are the same to some six digits at first, and",
    "drift apart as training goes on.",
)
MAIN = """\
if __name__ == "__main__":
    train(STEPS)"""
IMPORTS = {
    r"\blru_cache\b": "from functools import lru_cache",
    r"\bPath\(": "from pathlib import Path",
    r"\bcos\(pi ": "from math import cos, pi",
}


def title(experiment: Experiment) -> str:
    """What the program does, in one line."""
    return f"{CELLS[experiment.cell].title} learns to {TASKS[experiment.task].verb}"


def program(experiment: Experiment, how: str, notes: Sequence[str], imports: Sequence[str], *sections: str) -> str:
    """A whole program.

    Args:
        experiment: the one it is written for.
        how: a sentence on what it is made of.
        notes: further lines for its beginning.
        imports: of the library it uses.
        sections: its own. They come first, what the app shares with all programs last: nobody came to read that.
    """
    body = "\n\n".join(
        part.strip("\n") for part in (*sections, start_section(experiment), examples_section(experiment), MAIN)
    )
    standard = ["from collections import namedtuple", "from types import SimpleNamespace"]
    standard += [line for pattern, line in IMPORTS.items() if re.search(pattern, body)]
    blocks = [
        "from __future__ import annotations",
        "\n".join(sorted(standard)),
        "\n".join(sorted(["import numpy as np", *imports], key=lambda line: (line.startswith("from"), line))),
    ]
    body = re.sub(r"\n+(?=(def |class |@|# ----|if __name__))", "\n\n\n", body)
    body = re.sub(r"^(@.*)\n+(?=def )", r"\1\n", body, flags=re.MULTILINE)
    return "\n\n".join([_docstring(experiment, how, notes), *blocks, _constants(experiment), body.strip("\n")]) + "\n"


def _docstring(experiment: Experiment, how: str, notes: Sequence[str]) -> str:
    asked = ", ".join(f"{name} = {value}" for name, value in experiment.to_query().items())
    lines = [
        f"{title(experiment)}. {how}",
        "",
        *wrap(f"Written by rnnviz for exactly one experiment: {asked}.", 116),
        "It draws the app's own initial weights and examples.",
        *notes,
    ]
    if (found := numbers(experiment)) is not None:
        lines.append(f"In float64 the app finds at step 1: loss {found.loss:.10f}, gradient norm {found.norm:.10f}")
    if files := companions(experiment):
        lines += [f"It reads {', '.join(files)} from its own folder."]
    return '"""' + "\n".join(lines) + '\n"""'


def _constants(experiment: Experiment) -> str:
    e, task = experiment, TASKS[experiment.task]
    I, O = len(task.input_names), len(task.output_names)
    lines = [
        f"T, B, I, H, O = {e.length}, {e.batch_size}, {I}, {e.hidden_size}, {O}  "
        "# time steps, examples a batch, inputs, hidden units, outputs",
        f"SEED, STEPS, LEARNING_RATE = {e.seed}, {e.steps}, {e.learning_rate}",
    ]
    if e.layers > 1:
        lines.append(f"LAYERS = {e.layers}")
    if e.initialisation == "spectral":
        lines.append(f"SPECTRAL_RADIUS = {e.spectral_radius}")
    if e.weight_decay:
        lines.append(f"WEIGHT_DECAY = {e.weight_decay}")
    if e.clip_value:
        lines.append(f"CLIP_VALUE = {e.clip_value}")
    if e.clip_norm:
        lines.append(f"CLIP_NORM = {e.clip_norm}  # against explosion; nothing here can bring back what has vanished")
    return "\n".join(lines)


def indented(text: str, by: int) -> str:
    """Every line but the empty ones moved to the right."""
    return re.sub(r"^(?=.)", " " * by, text.strip("\n"), flags=re.MULTILINE)


def schedule(experiment: Experiment) -> str:
    """The learning rate of training step `step`, counted from 0, as an expression."""
    if experiment.schedule == "cosine":
        return "LEARNING_RATE * 0.5 * (1 + cos(pi * min(step / STEPS, 1)))"
    if experiment.schedule == "step":
        return "LEARNING_RATE * (1 if step / STEPS < 0.5 else 0.1 if step / STEPS < 0.75 else 0.01)"
    return "LEARNING_RATE"
