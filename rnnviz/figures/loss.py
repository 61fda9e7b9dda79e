"""Is it learning? The loss, and for classification the accuracy, over training."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from rnnviz.figures.base import TRAINING_TITLE, Array, feed, finish, note, numbers, reference_line
from rnnviz.figures.theme import Palette, Theme, palette

MEAN_WINDOW = 100


def loss_curve(
    series: Mapping[str, ArrayLike],
    *,
    baseline: float,
    baseline_name: str,
    threshold: float | None,
    threshold_name: str,
    loss_name: str,
    budget: int,
    accuracy_chance: float | None = None,
    accuracy_threshold: float | None = None,
    extent: tuple[float, float] | None = None,
    theme: Theme = "light",
) -> go.Figure:
    """Loss over training steps, with the no-memory baseline and the solved threshold.

    `series` maps `loss` and `loss_mean` (the mean over the last 100 steps; may be missing) to (S,) arrays, one
    value a training step 1 … S, S = 0 allowed. An `accuracy` series (fractions, with `accuracy_mean`) adds a narrow row.
    `baseline` and `threshold` are in units of the loss, which `loss_name` states. `budget` is the last training step
    of the x axis. Both axes depend on the task and the very first loss alone, so nothing jumps while a run grows; `extent`,
    log10 of (lowest, highest), widens the loss axis to what a run has met.
    """
    colours = palette(theme)
    loss = numbers(series["loss"], 1, "loss")
    with_accuracy = "accuracy" in series
    figure = go.Figure()
    _add_series(figure, series, "loss", colours)

    log = baseline > 0 and (threshold is None or threshold > 0) and not bool(np.any(loss <= 0))
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
    reference(baseline, f"{baseline_name}: {baseline:.3g}", colours.baseline, "dash", "y", at_end=True, above=True)
    if threshold is not None:
        text = f"{threshold_name}: {threshold:.3g}"
        reference(threshold, text, colours.threshold, "dot", "y", at_end=False, above=False)

    y_axis: dict[str, Any] = {
        "title": {"text": f"loss <i>L</i>{' ' if len(loss_name) <= 12 else '<br>'}({loss_name})"},
        "range": _loss_range(loss, baseline, threshold, log, extent),
    }
    if log:
        low, high = y_axis["range"]
        every = max(1, round((high - low) / 6))
        y_axis |= {"type": "log", "dtick": every, "exponentformat": "power" if every > 1 else "none"}
    x_axis: dict[str, Any] = {"title": {"text": TRAINING_TITLE}, "range": [0, budget], "showgrid": False, "nticks": 7}
    x_axis |= {"exponentformat": "none", "separatethousands": True}
    figure.update_layout(xaxis=x_axis, yaxis=y_axis, hovermode="x", showlegend=False)

    if with_accuracy:
        _add_series(figure, series, "accuracy", colours, yaxis="y2")
        if accuracy_chance is not None:
            text = f"chance: {accuracy_chance:.3g}"
            reference(accuracy_chance, text, colours.baseline, "dash", "y2", at_end=True, above=False)
        if accuracy_threshold is not None:
            text = f"solved: {accuracy_threshold:.3g}"
            reference(accuracy_threshold, text, colours.threshold, "dot", "y2", at_end=False, above=False)
        figure.update_layout(
            xaxis={"anchor": "y2"},
            yaxis={"domain": [0.46, 1]},
            yaxis2={
                "domain": [0, 0.36],
                "range": [-0.05, 1.08],
                "title": {"text": "accuracy"},
                "tickvals": [0, 0.5, 1],
                "anchor": "x",
            },
        )
    figure.update_layout(annotations=lines)

    return finish(
        figure,
        theme=theme,
        question="Is it learning?",
        look_for=f"Bold: mean of the last {MEAN_WINDOW} steps. Only clearly below the dashed line does it know more than "
        f"{baseline_name}.",
        height=290 if with_accuracy else 200,
        training_axis="x",
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
    loss: Array, baseline: float, threshold: float | None, log: bool, extent: tuple[float, float] | None
) -> list[float]:
    """Generous fixed limits: an untrained network may start far above the baseline, a good one ends below solved."""
    first = float(loss[0]) if loss.size and np.isfinite(loss[0]) else 0.0
    if not log:
        return [min(0.0, first * 1.1), max(baseline * 2, first * 1.1, 1e-6)]
    high = max(baseline * 12, first * 2)
    low = min(baseline / 20, baseline / 20_000 if threshold is None else threshold / 100)
    bottom, top = float(np.floor(np.log10(low))), float(np.ceil(np.log10(high)))
    return [bottom, top] if extent is None else [min(bottom, extent[0]), max(top, extent[1])]
