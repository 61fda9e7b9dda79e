"""Which pictures the Playground shows of a run, made once per experiment and theme; the feed brings them to life."""

from __future__ import annotations

import math
from collections.abc import Callable
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
from rnnviz.runs.history import AVERAGED
from rnnviz.tasks import TASKS
from rnnviz.tracing import SHOWN_EXAMPLES, Frame, frame
from rnnviz.training import start
from rnnviz.ui.stage import Card, Readout, Section, Value

UNBOUNDED_LIMIT = 2.0  # colour limit of states that are not confined to (-1, 1); hover gives the true value


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
        return Extent(_decades(np.log10(snapshot.series["loss_mean"]), 2), _decades(np.array(ends), 5))


def _decades(log10_values: np.ndarray, coarse: int) -> tuple[float, float]:
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
    first = frame(start(experiment))
    cards = _inside(experiment, first, theme)
    return (
        Section("", (Card("loss", _loss(experiment, met, theme)), Card("says", _says(experiment, first, theme)))),
        Section(
            "",
            (
                Card("history", _history(experiment, first, met, theme)),
                Card("gradient", _gradient(experiment, first, met, theme)),
            ),
        ),
        Section("Inside, at this step", cards),
    )


def readouts(experiment: Experiment) -> tuple[Readout, ...]:
    """The numbers above the pictures."""
    task, T = TASKS[experiment.task], experiment.length
    baseline = task.baseline(experiment.setup)
    said = [
        Readout(
            "loss",
            ("loss ", Value("loss_mean"), f" ({baseline.name}: {baseline.value:.3g})"),
            f"Mean loss of the last {AVERAGED} training steps. Every step draws fresh examples, so this is also the score "
            "on examples never seen before.",
        ),
        Readout(
            "reach",
            ("gradient reaches back ", Value("reach", "count"), f" of {T} steps"),
            "How many steps back from the last one the median of ‖∂L/∂h_t‖ stays above 1 % of the largest value met on the "
            "way back; measured in float64 on fixed examples, for the loss of the last answer. Once a task is solved there "
            "is hardly any gradient left, and this says little.",
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
    if task.loss == "cross_entropy":
        chance = 1 / len(task.output_names)
        said.insert(
            1,
            Readout(
                "accuracy",
                ("accuracy ", Value("accuracy_mean", "percent"), f" (chance {100 * chance:.3g} %)"),
                f"Fraction of fresh examples answered correctly over the last {AVERAGED} training steps.",
            ),
        )
    if experiment.cell == "lstm":
        said.append(
            Readout(
                "keeps",
                ("forget gate keeps ", Value("forget_gate", "percent")),
                "Mean of f_t over probe examples, time steps and units: how much of the cell state survives one step.",
            )
        )
    if experiment.cell == "gru":
        said.append(
            Readout(
                "keeps",
                ("update gate keeps ", Value("update_gate", "percent")),
                "Mean of z_t over probe examples, time steps and units: how much of the old state survives one step.",
            )
        )
    return tuple(said)


def _loss(experiment: Experiment, met: Extent, theme: Theme) -> go.Figure:
    task = TASKS[experiment.task]
    baseline = task.baseline(experiment.setup)
    solved = task.solved(experiment.setup)
    by_accuracy = solved.metric == "accuracy"
    nothing = np.empty(0, np.float32)
    names = ("loss", "loss_mean", "accuracy", "accuracy_mean") if by_accuracy else ("loss", "loss_mean")
    return figures.loss_curve(
        dict.fromkeys(names, nothing),
        baseline=baseline.value,
        baseline_name=baseline.name,
        threshold=None if by_accuracy else solved.value,
        threshold_name="" if by_accuracy else solved.name,
        loss_name="squared error" if task.loss == "mse" else "cross-entropy (nats)",
        budget=experiment.steps,
        accuracy_chance=1 / len(task.output_names) if by_accuracy else None,
        accuracy_threshold=solved.value if by_accuracy else None,
        extent=met.loss,
        theme=theme,
    )


def _says(experiment: Experiment, first: Frame, theme: Theme) -> go.Figure:
    task, targets, said = TASKS[experiment.task], probe_batch(experiment).targets, first.channels["outputs"]
    if task.loss == "cross_entropy":
        return figures.prediction_classes(targets[:SHOWN_EXAMPLES], said, task.output_names, theme=theme)
    if task.answers == "every":
        scored = (task.scored_from(experiment.setup) + 1, experiment.length)
        return figures.prediction_sequence(targets[:, 0, 0], said[:, 0], scored=scored, theme=theme)
    return figures.prediction_values(targets[:SHOWN_EXAMPLES, 0], said[:, 0], baseline_prediction=1.0, theme=theme)


def _history(experiment: Experiment, first: Frame, met: Extent, theme: Theme) -> go.Figure:
    every = TASKS[experiment.task].answers == "every"
    row = first.channels["grad.last.median" if every else "grad.h.median"]
    return figures.gradient_training_heatmap(
        row[None], np.array([0]), of_last_answer=every, extent=met.gradient, theme=theme
    )


def _gradient(experiment: Experiment, first: Frame, met: Extent, theme: Theme) -> go.Figure:
    def norms(state: str, quantile: str) -> np.ndarray | None:
        return first.channels.get(f"grad.{state}.{quantile}")

    return figures.gradient_norm_plot(
        np.arange(1, experiment.length + 1),
        *(first.channels[f"grad.h.{quantile}"] for quantile in ("median", "low", "high")),
        median_c=norms("c", "median"),
        low_c=norms("c", "low"),
        high_c=norms("c", "high"),
        last_answer=norms("last", "median"),
        extent=met.gradient,
        theme=theme,
    )


def _inside(experiment: Experiment, first: Frame, theme: Theme) -> tuple[Card, ...]:
    cell, task = CELLS[experiment.cell], TASKS[experiment.task]
    inputs = probe_batch(experiment).inputs[:, 0]  # (T, I)
    if task.name == "adding":
        strip = figures.input_marked_values(inputs, theme=theme)
    elif len(task.input_names) > 1:
        strip = figures.input_symbols(inputs, names=task.input_names, highlight="XY", theme=theme)
    else:
        strip = figures.input_wave(inputs, names=task.input_names, theme=theme)
    cards = [Card("input", strip)]
    for state in cell.states:
        bounded = state == "h" and (cell.gates or experiment.activation in ("tanh", "sigmoid"))
        cards.append(
            Card(
                f"state_{state}",
                figures.unit_heatmap(
                    first.channels[f"states.{state}"],
                    kind="signed",
                    limit=1.0 if bounded else UNBOUNDED_LIMIT,
                    name="hidden state" if state == "h" else "cell state",
                    symbol=f"{cell.symbols[state]}_t",
                    channel=f"states.{state}",
                    theme=theme,
                ),
            )
        )
    for gate in cell.gates:
        signed = gate in cell.signed_gates
        cards.append(
            Card(
                f"gate_{gate}",
                figures.unit_heatmap(
                    first.channels[f"gates.{gate}"],
                    kind="signed" if signed else "gate",
                    name=gate if signed else f"{gate} gate",
                    symbol=f"{cell.symbols[gate]}_t",
                    channel=f"gates.{gate}",
                    theme=theme,
                ),
            )
        )
    return tuple(cards)
