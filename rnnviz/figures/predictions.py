"""What does the network say? Its outputs beside the targets, for the same few probe examples all through training."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from rnnviz.figures.base import feed, finish, framed, numbers, outlines, reference_line, times
from rnnviz.figures.theme import PROBABILITY, Theme, palette, see_through, stops


def prediction_values(
    targets: ArrayLike,
    outputs: ArrayLike,
    *,
    baseline_prediction: float | None = None,
    theme: Theme = "light",
) -> go.Figure:
    """Target and prediction of each example, joined by a stem as long as the error.

    `targets` (N,) and `outputs` (N,) in the units of the target; `baseline_prediction` is the constant a guesser would
    say.
    """
    colours = palette(theme)
    true = numbers(targets, 1, "targets")
    said = numbers(outputs, 1, "outputs")
    examples = times(true.size)
    live = ("frame", "outputs", "col:0")
    figure = go.Figure()
    if baseline_prediction is not None:
        figure.add_trace(
            reference_line(
                (0.5, true.size + 0.5),
                baseline_prediction,
                name="guess",
                colour=colours.baseline,
                dash="dash",
            )
        )
        figure.data[0].showlegend = True
    stem = {"line": {"color": see_through(colours.prediction, 0.55), "width": 3}}
    figure.add_trace(
        # A bar from open to close without its ticks: the one trace that draws a stem between two live arrays.
        go.Ohlc(
            x=examples,
            open=true,
            low=true,
            high=said,
            close=said,
            tickwidth=0,
            increasing=stem,
            decreasing=stem,
            hoverinfo="skip",
            showlegend=False,
            name="error",
            meta=feed(high=live, close=live),
        )
    )
    figure.add_trace(
        go.Scatter(
            x=examples,
            y=true,
            mode="markers",
            marker={"symbol": "circle-open", "size": 13, "color": colours.target, "line": {"width": 2}},
            name="target",
            hovertemplate="target %{y:.3g}<extra></extra>",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=examples,
            y=said,
            mode="markers",
            marker={"symbol": "circle", "size": 8, "color": colours.prediction},
            name="prediction",
            meta=feed(y=live),
            hovertemplate="prediction %{y:.3g}<extra></extra>",
        )
    )
    known = np.append(true, [0.0 if baseline_prediction is None else baseline_prediction, 0.0])
    low, high = float(known.min()), float(known.max())
    pad = 0.15 * (high - low) or 1.0
    figure.update_layout(
        xaxis={
            "title": {"text": "example"},
            "range": [0.5, true.size + 0.5],
            "dtick": 1,
            "showgrid": False,
            "rangeslider": {"visible": False},
        },
        yaxis={"title": {"text": "output <i>y</i>"}, "range": [low - pad, high + pad], "nticks": 5},
        showlegend=True,
        margin={"t": 30},
        hovermode="x",
    )
    return finish(
        figure,
        theme=theme,
        question="What does it say?",
        look_for="Dots belong inside their rings; a stem is the error. All dots level: it ignores what it read."
        + ("" if baseline_prediction is None else " Dashed: the best constant guess."),
        height=200,
    )


def prediction_classes(
    targets: ArrayLike, probabilities: ArrayLike, names: Sequence[str], *, theme: Theme = "light"
) -> go.Figure:
    """Class probabilities of each example, the true class outlined.

    `targets` (N,) class indices from 0, `probabilities` (N, C) from 0 to 1, `names` C class names.
    """
    true = np.asarray(targets).astype(int)
    z = numbers(probabilities, 2, "probabilities")  # (N, C)
    examples, classes = z.shape
    if len(names) != classes:
        raise ValueError(f"names must name the {classes} classes. Got {len(names)}.")
    figure = go.Figure(
        go.Heatmap(
            x=times(classes),
            y=times(examples),
            z=z,
            zmin=0.0,
            zmax=1.0,
            colorscale=stops(PROBABILITY, theme),
            zsmooth=False,
            hoverongaps=False,
            showscale=False,
            name="probability",
            customdata=np.broadcast_to(np.array(names), z.shape),
            meta=feed(z=("frame", "outputs")),
            hovertemplate="example %{y}, class %{customdata}<br>probability %{z:.3g}<extra></extra>",
        )
    )
    figure.add_trace(outlines(true + 1, times(examples), theme=theme))
    figure.update_layout(
        xaxis=framed(theme)
        | {
            "title": {"text": "class (outlined: the true one)"},
            "range": [0.5, classes + 0.5],
            "tickvals": times(classes),
            "ticktext": list(names),
        },
        yaxis=framed(theme) | {"title": {"text": "example"}, "range": [examples + 0.5, 0.5], "dtick": 1, "tick0": 1},
        hovermode="closest",
    )
    return finish(
        figure,
        theme=theme,
        question="What does it say?",
        look_for="Full colour is probability 1, no colour is 0. It is right when the full cell is the outlined one; "
        "an even row is a guess.",
        height=240,
    )
