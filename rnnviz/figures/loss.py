"""Is it learning? The loss, and where they tell more the accuracy, fresh examples and an exam, over training."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from rnnviz.figures.base import (
    TRAINING_TITLE,
    Array,
    feed,
    finish,
    note,
    numbers,
    powers_of_ten,
    reference_line,
    stacked,
)
from rnnviz.figures.theme import Palette, Theme, palette

MEAN_WINDOW = 100


class Exam(NamedTuple):
    """A test beyond the training examples, as a row of the loss picture.

    Attributes:
        results: (F,) one for each recorded frame.
        title: of its axis.
        highest: the best result there is.
        threshold, threshold_name: the result from which the task counts as solved, if any.
    """

    results: ArrayLike
    title: str
    highest: float
    threshold: float | None = None
    threshold_name: str = ""


def loss_curve(
    series: Mapping[str, ArrayLike],
    *,
    baseline: float | None,
    baseline_name: str,
    threshold: float | None,
    threshold_name: str,
    loss_name: str,
    budget: int,
    untrained: float | None = None,
    accuracy_chance: float | None = None,
    accuracy_threshold: float | None = None,
    held_out: ArrayLike | None = None,
    exam: Exam | None = None,
    extent: tuple[float, float] | None = None,
    theme: Theme = "light",
) -> go.Figure:
    """Loss over training steps, with the no-memory baseline and the solved threshold, where there are any.

    `series` maps `loss` and `loss_mean` (the mean over the last 100 steps; may be missing) to (S,) arrays, one
    value a training step 1 … S, S = 0 allowed. An `accuracy` series (fractions, with `accuracy_mean`) adds a narrow row.
    `baseline` and `threshold` are in units of the loss, which `loss_name` states. `budget` is the last training step
    of the x axis. `held_out` (F, 2), loss and accuracy on examples that are never trained on, adds their curves; `exam` adds
    a row. Both axes depend on the task, the very first loss and `untrained`, the loss to expect before training, alone, so
    nothing jumps while a run grows; `extent`, log10 of (lowest, highest), widens the loss axis to what a run has met.
    """
    colours = palette(theme)
    loss = numbers(series["loss"], 1, "loss")
    rows = ["loss", *(["accuracy"] if "accuracy" in series else []), *(["exam"] if exam else [])]
    axes = {name: f"y{k + 1 if k else ''}" for k, name in enumerate(rows)}
    figure = go.Figure()
    _add_series(figure, series, "loss", colours)

    log = (baseline is None or baseline > 0) and (threshold is None or threshold > 0) and not bool(np.any(loss <= 0))
    lines: list[dict[str, Any]] = []

    def reference(value: float, text: str, colour: str, dash: str, axis: str, *, at_end: bool, above: bool) -> None:
        figure.add_trace(reference_line((0, budget), value, name=text, colour=colour, dash=dash, yaxis=axis))
        lines.append(
            note(
                text,
                theme=theme,
                xref="paper",
                x=1 if at_end else 0,
                xanchor="right" if at_end else "left",
                xshift=-4 if at_end else 6,
                yref=axis,
                y=float(np.log10(value)) if log and axis == "y" else value,
                yanchor="bottom" if above else "top",
                yshift=6 if above else -4,
                font={"size": 12, "color": colour},
            )
        )

    # Where the curve rarely is: late training lies below the baseline, early training above the threshold.
    if baseline is not None:
        reference(baseline, f"{baseline_name}: {baseline:.3g}", colours.baseline, "dash", "y", at_end=True, above=True)
    if threshold is not None:
        text = f"{threshold_name}: {threshold:.3g}"
        reference(threshold, text, colours.threshold, "dot", "y", at_end=False, above=False)

    y_axis: dict[str, Any] = {
        "title": {"text": f"loss <i>L</i>{' ' if len(loss_name) <= 12 else '<br>'}({loss_name})"},
        "range": _loss_range(loss, baseline, threshold, untrained, log, extent),
    }
    if log:
        low, high = y_axis["range"]
        every = max(1, round((high - low) / (6 if len(rows) == 1 else 4)))
        y_axis["type"] = "log"
        if every == 1:
            y_axis |= {"dtick": 1, "exponentformat": "none"}
        else:
            ticks = np.arange(np.ceil(low / every) * every, high + 0.5, every)
            y_axis |= {"tickvals": 10.0**ticks, "ticktext": powers_of_ten(ticks)}
    x_axis: dict[str, Any] = {"title": {"text": TRAINING_TITLE}, "range": [0, budget], "showgrid": False, "nticks": 7}
    x_axis |= {"exponentformat": "none", "separatethousands": True, "anchor": axes[rows[-1]]}
    figure.update_layout(xaxis=x_axis, yaxis=y_axis, hovermode="x", showlegend=False)

    if "accuracy" in series:
        _add_series(figure, series, "accuracy", colours, yaxis="y2")
        if accuracy_chance is not None:
            text = f"chance: {accuracy_chance:.3g}"
            low = accuracy_chance < 0.3  # no room below
            reference(accuracy_chance, text, colours.baseline, "dash", "y2", at_end=True, above=low)
        if accuracy_threshold is not None:
            text = f"solved: {accuracy_threshold:.3g}"
            reference(accuracy_threshold, text, colours.threshold, "dot", "y2", at_end=False, above=False)
        figure.update_layout(
            yaxis2={"range": [-0.05, 1.08], "title": {"text": "accuracy"}, "tickvals": [0, 0.5, 1], "anchor": "x"}
        )
    if held_out is not None:
        _add_held_out(figure, numbers(held_out, 2, "held_out"), axes, colours)
        figure.update_layout(margin={"t": 30})
        top = {"xref": "paper", "x": 0, "xanchor": "left", "yref": "paper", "y": 1, "yanchor": "bottom", "yshift": 4}
        # Not a legend: Plotly leaves out curves that have no points yet, and does not think again when they have.
        for text, colour, shift in (
            ("training examples", colours.ink, 0),
            ("- - fresh examples", colours.prediction, 130),
        ):
            lines.append(note(text, theme=theme, **top, xshift=shift, font={"size": 12, "color": colour}))
    if exam is not None:
        axis = axes["exam"]
        _add_exam(figure, exam, axis, colours)
        if exam.threshold is not None:
            name = f"{exam.threshold_name}: {exam.threshold:.3g}"
            reference(exam.threshold, name, colours.threshold, "dot", axis, at_end=True, above=True)
        title = {"text": exam.title}
        figure.update_layout(
            {axis.replace("y", "yaxis"): {"range": [0, exam.highest * 1.1], "title": title, "nticks": 4, "anchor": "x"}}
        )
    if len(rows) > 1:  # the loss has half of the height
        low_rows = 0.46 - 0.1 * (len(rows) - 2)
        for name, (_, domain) in zip(rows[1:], stacked(len(rows) - 1, 0.16), strict=True):
            share = [end * (low_rows - 0.1) for end in domain]
            figure.update_layout({axes[name].replace("y", "yaxis"): {"domain": share}})
        figure.update_layout(yaxis={"domain": [low_rows, 1]})
    figure.update_layout(annotations=lines)

    return finish(
        figure,
        theme=theme,
        question="Is it learning?",
        look_for=f"Bold: mean of the last {MEAN_WINDOW} steps."
        + (
            f" Dashed: {baseline_name}; only clearly below it has anything been learned."
            if baseline is not None
            else ""
        )
        + (
            ""
            if held_out is None
            else " Where fresh examples do not follow the training examples down, it learns by heart."
        ),
        height={1: 200, 2: 290, 3: 360}[len(rows)],
        training_axis="x",
    )


def _add_held_out(figure: go.Figure, values: Array, axes: Mapping[str, str], colours: Palette) -> None:
    """The results on examples that are never trained on, at the recorded frames."""
    for k, name in enumerate(("loss", "accuracy")):
        if name in axes:
            figure.add_trace(
                go.Scatter(
                    x=np.arange(len(values), dtype=np.int32),
                    y=values[:, k],
                    mode="lines",
                    line={"color": colours.prediction, "width": 2.25, "dash": "dash"},
                    name=f"fresh {name}",
                    yaxis=axes[name],
                    meta=feed(x=("steps", "step"), y=("rows", "held_out", f"col:{k}")),
                    hovertemplate=f"{name} %{{y:.3g}}<extra>fresh examples</extra>",
                )
            )


def _add_exam(figure: go.Figure, exam: Exam, axis: str, colours: Palette) -> None:
    values = numbers(exam.results, 1, "exam.results")
    figure.add_trace(
        go.Scatter(
            x=np.arange(len(values), dtype=np.int32),
            y=values,
            mode="lines",
            line={"color": colours.prediction, "width": 2.25, "shape": "hv"},
            name="exam",
            yaxis=axis,
            meta=feed(x=("steps", "step"), y=("rows", "exam", "col:0")),
            hovertemplate=f"{exam.title} %{{y:.3g}}<extra></extra>",
        )
    )


def _add_series(figure: go.Figure, series: Mapping[str, ArrayLike], name: str, colours: Palette, **axis: str) -> None:
    """The faint raw values and the bold running mean of one series."""
    raw = numbers(series[name], 1, name)
    mean_name = f"{name}_mean"
    drawn = [(name, raw, {"color": colours.faint, "width": 1}, "skip")]
    if mean_name in series:
        mean = numbers(series[mean_name], 1, mean_name)
        drawn.append((mean_name, mean, {"color": colours.ink, "width": 2.25}, "all"))
    for key, values, line, hover in drawn:
        figure.add_trace(
            go.Scatter(
                x=np.arange(1, values.size + 1, dtype=np.int32),
                y=values,
                mode="lines",
                name=key,
                line=line,
                meta=feed(x=("series_steps", key), y=("series", key)),
                hoverinfo=hover,
                hovertemplate=None if hover == "skip" else f"{name} %{{y:.3g}}<extra>mean of {MEAN_WINDOW}</extra>",
                **axis,
            )
        )


def _loss_range(
    loss: Array,
    baseline: float | None,
    threshold: float | None,
    untrained: float | None,
    log: bool,
    extent: tuple[float, float] | None,
) -> list[float]:
    """Generous fixed limits: an untrained network may start far above the baseline, a good one ends below solved."""
    first = float(loss[0]) if loss.size and np.isfinite(loss[0]) else 0.0
    first = max(first, untrained or 0.0)
    if not log:
        return [min(0.0, first * 1.1), max(2 * (baseline or 0.0), first * 1.1, 1e-6)]
    guess = baseline or first or 1.0
    high = max(12 * baseline if baseline else 0.0, first * 2, 1e-6)
    low = min(guess / 20, guess / 20_000 if threshold is None else threshold / 100)
    bottom, top = float(np.floor(np.log10(low))), float(np.ceil(np.log10(high)))
    return [bottom, top] if extent is None else [min(bottom, extent[0]), max(top, extent[1])]
