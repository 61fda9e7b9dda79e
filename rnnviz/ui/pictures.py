"""Which pictures the Playground shows of a run, made once per experiment and theme; the feed brings them to life."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go

from rnnviz import figures
from rnnviz.cells import CELLS
from rnnviz.experiment import Experiment
from rnnviz.figures import Theme
from rnnviz.model import probe_batch
from rnnviz.runs import Snapshot
from rnnviz.tasks import TASKS
from rnnviz.tracing import SHOWN_UNITS, Frame, frame
from rnnviz.training import start
from rnnviz.ui.readouts import chance, shows_accuracy
from rnnviz.ui.stage import Card, Section
from rnnviz.ui.telling import Told, marked, reads, says

STATES = {"h": "hidden state", "c": "cell state", "n": "normaliser", "m": "stabiliser"}
GRADIENTS = {  # what to look for, where the figure's own words are not true
    "sequence": "Each letter said feels its own error, and passes it on to the encoder: through its last state, or straight "
    "to the letters that attention looks at. The dotted line is the last letter's error alone.",
    "labels": "The loss sums over all ways to lay the labels along the frames, so every frame feels it at once. Where is "
    "the gradient large: where a label is said, or where one is missing?",
}
LOSS_NAMES = {"mse": "squared error", "cross_entropy": "cross-entropy (nats)", "ctc": "CTC, nats per label"}


class Extent(NamedTuple):
    """What a run has met, in whole decades: (lowest, highest) log10 of its loss, and of its gradient norms.

    Axes are fixed for a fresh run, so that nothing jumps; only where a run leaves them are they widened, in coarse steps.
    """

    loss: tuple[float, float]
    gradient: tuple[float, float]


def extent(snapshot: Snapshot) -> Extent:
    """The extent of everything recorded so far."""
    ends = [f.scalars[name] for f in snapshot.frames for name in ("gradient_low", "gradient_high") if name in f.scalars]
    with np.errstate(divide="ignore"):
        return Extent(whole_decades(np.log10(snapshot.series["loss_mean"]), 2), whole_decades(np.array(ends), 5))


def whole_decades(log10_values: np.ndarray, coarse: int) -> tuple[float, float]:
    """Rounded outwards to `coarse` decades, but to single ones near 1, where every fresh axis reaches anyway."""
    finite = log10_values[np.isfinite(log10_values)]
    if not len(finite):
        return 0, 0
    high = math.ceil(finite.max())
    return coarse * math.floor(finite.min() / coarse), high if high <= 2 else coarse * math.ceil(high / coarse)


def sections(snapshot: Snapshot) -> Callable[[Theme], tuple[Section, ...]]:
    """The picture cards of a run, for either theme; see `_sections`. What may change mid-run unseen is left out."""
    fields = Experiment.model_fields
    shown = snapshot.experiment.amend(**{name: fields[name].default for name in ("learning_rate", "clip_norm")})
    return partial(_sections, shown, extent(snapshot))


@lru_cache(maxsize=32)
def _sections(experiment: Experiment, met: Extent, theme: Theme) -> tuple[Section, ...]:
    """Drawn from the untrained network; the feed brings them to life."""
    first, probe = frame(start(experiment)), probe_batch(experiment)
    answers = TASKS[experiment.task].answers
    told = Told(experiment, probe, first, theme)
    cards = (*reads(told), *says(told))
    ahead = tuple(card for card in cards if card.key == "says")
    beside = tuple(card for card in cards if card.key != "says")
    inside = _inside(experiment, first, theme)
    if len(beside) == 1:  # the input alone stands over what it does inside
        beside, inside = (), beside + inside
    return tuple(
        section
        for section in (
            Section("", (Card("loss", _loss(experiment, first, met, theme)), *ahead)),
            Section("", beside),
            Section(
                "",
                (
                    Card("history", _history(experiment, first, met, theme)),
                    Card("gradient", _gradient(experiment, first, met, theme), look_for=GRADIENTS.get(answers, "")),
                ),
            ),
            Section(_inside_of(experiment), inside),
        )
        if section.cards
    )


def _loss(experiment: Experiment, first: Frame, met: Extent, theme: Theme) -> go.Figure:
    task = TASKS[experiment.task]
    baseline, solved = task.baseline(experiment.setup), task.solved(experiment.setup)
    by = solved.metric if solved is not None else ""
    nothing = np.empty(0, np.float32)
    names = ("loss", "loss_mean", "accuracy", "accuracy_mean") if shows_accuracy(experiment) else ("loss", "loss_mean")
    exam = None
    if task.exam is not None:
        outcomes = first.channels["exam"]
        trained = solved.value - 1 if solved is not None and by == "exam" else 1.0
        exam = figures.Exam(
            outcomes,
            "exam",
            2 * trained,
            solved.value if solved is not None and by == "exam" else None,
            solved.name if solved is not None else "",
        )
    return figures.loss_curve(
        dict.fromkeys(names, nothing),
        baseline=None if baseline is None else baseline.value,
        baseline_name="" if baseline is None else baseline.name,
        threshold=solved.value if solved is not None and by == "loss" else None,
        threshold_name=solved.name if solved is not None and by == "loss" else "",
        loss_name=LOSS_NAMES[task.loss],
        budget=experiment.steps,
        untrained=first.scalars["probe_loss"],
        accuracy_chance=chance(task),
        accuracy_threshold=solved.value if solved is not None and by == "accuracy" else None,
        held_out=first.channels["held_out"][None] if experiment.examples else None,
        exam=exam,
        extent=met.loss,
        theme=theme,
    )


def _history(experiment: Experiment, first: Frame, met: Extent, theme: Theme) -> go.Figure:
    cell = CELLS[experiment.cell]
    memory = cell.carried[0]
    of_last = "grad.last.median" in first.channels
    row = first.channels["grad.last.median" if of_last else f"grad.{memory}.median"]
    figure = figures.gradient_training_heatmap(
        row[None],
        np.array([0]),
        of_last_answer=of_last,
        name=memory,
        symbol=cell.symbols[memory],
        extent=met.gradient,
        theme=theme,
    )
    return _cut(experiment, marked(experiment, figure, theme), theme)


def _gradient(experiment: Experiment, first: Frame, met: Extent, theme: Theme) -> go.Figure:
    cell = CELLS[experiment.cell]
    memory, other = (*cell.carried, cell.carried[0])[:2]  # the way an error travels back
    norms = {
        f"{quantile}{end}": first.channels[f"grad.{state}.{quantile}"]
        for end, state in (("", memory), ("_c", other))
        for quantile in ("median", "low", "high")
        if end == "" or other != memory
    }
    figure = figures.gradient_norm_plot(
        np.arange(1, len(norms["median"]) + 1),
        **norms,
        names=(memory, other),
        symbols=(cell.symbols[memory], cell.symbols[other]),
        last_answer=first.channels.get("grad.last.median"),
        extent=met.gradient,
        theme=theme,
    )
    return _cut(experiment, marked(experiment, figure, theme), theme)


def _cut(experiment: Experiment, figure: go.Figure, theme: Theme) -> go.Figure:
    """Where truncated backpropagation ends."""
    if experiment.bptt_window:
        figures.mark_windows(figure, experiment.length, experiment.bptt_window, theme=theme)
    return figure


def _inside(experiment: Experiment, first: Frame, theme: Theme) -> tuple[Card, ...]:
    cell = CELLS[experiment.cell]
    cards: list[Card] = []
    for state in cell.states:
        channel = f"states.{state}"
        bounded = state == "h" and (
            experiment.activation in ("tanh", "sigmoid") if "activation" in cell.options else not cell.unbounded_gates
        )
        cards.append(
            Card(
                f"state_{state}",
                figures.unit_heatmap(
                    first.channels[channel],
                    kind="signed",
                    limit=1.0 if bounded else limit(first.channels[channel], 2.0 if cell.gates else 1.0),
                    name=STATES.get(state, f"state {state}"),
                    symbol=f"{cell.symbols[state]}_t",
                    channel=channel,
                    theme=theme,
                ),
            )
        )
        if state == "h" and "reverse.h" in first.channels:
            figure = figures.unit_heatmap(
                first.channels["reverse.h"],
                kind="signed",
                limit=1.0 if bounded else limit(first.channels[channel], 2.0 if cell.gates else 1.0),
                name="hidden state, backwards",
                symbol=f"{cell.symbols[state]}_t",
                channel="reverse.h",
                theme=theme,
            )
            question = "And in the half that reads backwards?"
            cards.append(Card("reverse_h", figure, question=question, look_for="Read it from right to left."))
    for gate in cell.gates:
        channel = f"gates.{gate}"
        signed, unbounded = gate in cell.signed_gates, gate in cell.unbounded_gates
        cards.append(
            Card(
                f"gate_{gate}",
                figures.unit_heatmap(
                    first.channels[channel],
                    kind="signed" if signed else "positive" if unbounded else "gate",
                    limit=limit(first.channels[channel]) if unbounded else 1.0,
                    name=gate if signed else f"{gate} gate",
                    symbol=f"{cell.symbols[gate]}_t",
                    channel=channel,
                    keeps=cell.keepers.get(gate, 0),
                    theme=theme,
                ),
            )
        )
    return tuple(replace(card, figure=marked(experiment, card.figure, theme)) for card in cards)


def _inside_of(experiment: Experiment) -> str:
    """Of what the states and gates are: a page shows one layer, and not more units than one can tell apart."""
    where = "Inside the top layer" if experiment.layers > 1 else "Inside"
    which = [
        *(["the half that reads forwards"] if experiment.bidirectional else []),
        *(
            [f"the first {SHOWN_UNITS} of {experiment.hidden_size} units"]
            if experiment.hidden_size > SHOWN_UNITS
            else []
        ),
    ]
    return f"{where}, at this step" + (f": {', '.join(which)}" if which else "")


def limit(values: np.ndarray, at_least: float = 1.0) -> float:
    """Where the colours of an unconfined quantity end: what the untrained network has, rounded up."""
    largest = float(np.nanmax(np.abs(values.astype(np.float64)), initial=0.0))
    decade = 10.0 ** math.floor(math.log10(largest)) if largest > 0 else 1.0
    return max(at_least, next(step * decade for step in (1, 2, 5, 10) if step * decade >= largest * 0.999))
