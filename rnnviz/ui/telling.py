"""What the network reads and what it says: the pictures that depend on the task."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from rnnviz import figures
from rnnviz.experiment import Experiment
from rnnviz.figures import Theme
from rnnviz.tasks import TASKS, Batch
from rnnviz.tasks.sentiment import NEGATIVE, POSITIVE
from rnnviz.tracing import SHOWN_EXAMPLES, Frame
from rnnviz.ui.stage import Card

LONGEST_SAMPLE = 170  # characters of an example in words; a longer one is left to the picture
LONGEST_WORD = 45


WAVES = {
    "latch": "Only the first value counts; all the others are noise.",
    "flip_flop": "A pulse up or down sets its bit until the next one; nothing else tells how it stands.",
}


class Told(NamedTuple):
    """What the pictures are drawn from: the probe examples and what the untrained network makes of them."""

    experiment: Experiment
    probe: Batch
    first: Frame
    theme: Theme

    @property
    def end(self) -> int:
        """The true length of the first example."""
        return len(self.probe.inputs) if self.probe.lengths is None else int(self.probe.lengths[0])

    @property
    def inputs(self) -> np.ndarray:
        """(T, I) of the first example, NaN in the padding."""
        inputs = self.probe.inputs[:, 0].copy()
        inputs[self.end :] = np.nan
        return inputs

    @property
    def letters(self) -> list[str]:
        """The name of each symbol of the first example."""
        names = TASKS[self.experiment.task].input_names
        return [names[k] for k in self.probe.inputs[: self.end, 0].argmax(1)]


def marked(experiment: Experiment, figure: go.Figure, theme: Theme) -> go.Figure:
    """Where a decoder follows: a line between what is read and what is said."""
    if TASKS[experiment.task].answers != "sequence":
        return figure
    T = experiment.length
    return figures.mark_phases(figure, T, T, theme=theme)


def reads(told: Told) -> tuple[Card, ...]:
    """The input of the first example, and where that is not how a person would look at it, another view of it."""
    experiment, probe, theme = told.experiment, told.probe, told.theme
    task, inputs = TASKS[experiment.task], told.inputs
    one_hot = bool((probe.inputs[: told.end, 0].sum(1) == 1).all()) and len(task.input_names) > 1
    words = ""
    more: tuple[Card, ...] = ()
    if task.picture == "marked":
        figure = figures.input_marked_values(inputs, theme=theme)
    elif task.picture == "words":
        opinions = [(word in POSITIVE) - (word in NEGATIVE) for word in told.letters]
        figure = figures.input_words(told.letters, opinions=opinions, strong="not", steps=len(inputs), theme=theme)
    elif task.picture == "wave":
        figure = figures.input_wave(inputs, names=task.input_names, theme=theme)
        words = WAVES.get(task.name, "")
    elif task.picture == "image":
        figure = figures.input_heat(inputs, names=task.input_names, limit=1.0, theme=theme)
        words = "One row of pixels at every time step: the digit lies on its side here."
        shown = probe.inputs[:, :SHOWN_EXAMPLES]
        titles = [f"example {k + 1}: {task.output_names[probe.targets[k]]}" for k in range(shown.shape[1])]
        more = (Card("upright", figures.input_images(shown, titles=titles, theme=theme)),)
    elif task.picture == "heat" or not one_hot:
        spectrum = task.answers == "labels"
        figure = figures.input_heat(inputs, names=task.input_names, low_first=not spectrum, theme=theme)
        if spectrum:
            words = "A spectrum at every frame, high pitch on top. Each vowel has two bands of its own."
        elif len(task.input_names) == 1:
            words = "Blue is +1, orange is −1."
    elif len(task.input_names) > 16 and all(len(name) == 1 for name in task.input_names):
        figure = figures.input_words(told.letters, steps=len(inputs), theme=theme)
    else:
        matter = "XY" if task.name == "temporal_order" else ()
        figure = figures.input_symbols(np.nan_to_num(inputs), names=task.input_names, highlight=matter, theme=theme)
    ends = "" if told.end == len(inputs) else f"It ends at step {told.end}; beyond is padding."
    look_for = " ".join(filter(None, (words or figure.layout.meta["look_for"], sample(told), ends)))
    return Card("input", marked(experiment, figure, theme), look_for=look_for), *more


def sample(told: Told) -> str:
    """The first example in words, where they are few."""
    task, probe, end = TASKS[told.experiment.task], told.probe, told.end
    target = probe.targets[0] if task.answers == "once" else probe.targets[:, 0]
    if task.answers == "every":
        target = target[:end]
    elif task.answers == "labels":
        target = target[target >= 0]
    said = task.describe(probe.inputs[:end, 0], target)
    legible = "\n" not in said and len(said) <= LONGEST_SAMPLE and max(map(len, said.split())) <= LONGEST_WORD
    return f"This example: {said.strip()}." if legible else ""


def says(told: Told) -> tuple[Card, ...]:
    """What the network answers; the first card is `says`, others show how it comes to it."""
    experiment, probe, first, theme = told
    task, targets, said = TASKS[experiment.task], probe.targets, first.channels["outputs"]
    cards: list[Card] = []

    def card(figure: go.Figure, key: str = "says") -> None:
        cards.append(Card(key, figure))

    if task.answers == "labels":
        wanted = [task.output_names[k] for k in targets[:, 0] if k >= 0]
        path = first.channels["path"]
        card(figures.prediction_labels(said, path, names=task.output_names, wanted=wanted, theme=theme))
    elif task.answers == "sequence":
        wanted = [task.output_names[k] for k in targets[:, 0]]
        card(figures.prediction_symbols(targets[:, 0], said, names=task.output_names, wanted=wanted, theme=theme))
        if "attention" in first.channels:
            weights = first.channels["attention"]
            card(figures.attention_map(weights, read=told.letters, said=wanted, theme=theme), "attention")
    elif task.answers == "every":
        card(_every(told))
        if "future" in first.channels:
            past = probe.inputs[:, 0, 0]
            card(figures.prediction_future(past, first.channels["future"][:, 0], theme=theme), "future")
    elif task.loss == "mse":
        shown = targets[:SHOWN_EXAMPLES, 0]
        card(figures.prediction_values(shown, said[:, 0], baseline_prediction=1.0, theme=theme))
    else:
        card(figures.prediction_classes(targets[:SHOWN_EXAMPLES], said, task.output_names, theme=theme))
    if task.answers == "once" and "attention" in first.channels:
        card(figures.attention_map(first.channels["attention"], theme=theme), "attention")
    if "opinion" in first.channels:
        names = (task.output_names[0], task.output_names[1])
        card(figures.prediction_words(first.channels["opinion"], told.letters, names=names, theme=theme), "opinion")
    return tuple(cards)


def _every(told: Told) -> go.Figure:
    """An answer at every step of the first example."""
    experiment, probe, first, theme = told
    task, T, said = TASKS[experiment.task], experiment.length, first.channels["outputs"]
    counts = np.arange(T) < told.end if probe.scored is None else probe.scored[:, 0]
    steps = np.flatnonzero(counts) + 1
    scored = (int(steps[0]), int(steps[-1])) if len(steps) else (1, T)
    targets = probe.targets[:, 0]
    if task.loss == "mse":
        return figures.prediction_sequence(targets, said, names=task.output_names, scored=scored, theme=theme)
    if len(task.output_names) == 2:
        names = (task.output_names[0], task.output_names[1])
        wanted = np.where(counts, targets, np.nan)
        return figures.prediction_probability(wanted, said[1], names=names, scored=scored, theme=theme)
    return figures.prediction_symbols(targets, said, names=task.output_names, scored=counts, theme=theme)
