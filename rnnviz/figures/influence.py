"""Does the answer depend on what was read then? The measured effect of one changed input beside the gradient's opinion."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from rnnviz.figures.base import finish, numbers, powers_of_ten, time_axis
from rnnviz.figures.theme import FLOAT32_FLOOR, Theme, palette

LOWEST = -45


def influence_plot(
    steps_t: ArrayLike, measured: ArrayLike, predicted: ArrayLike, *, steps: int, theme: Theme = "light"
) -> go.Figure:
    """|change of the output| for a change of the input at each step, log axis: measured, and by the gradient.

    `steps_t` (K,) from 1, the steps that were changed, out of `steps`. `measured` and `predicted` (K,) are signed, in units
    of the output; what is exactly zero drops out of the picture.
    """
    colours = palette(theme)
    t = np.asarray(steps_t)
    found = {
        "measured": np.abs(numbers(measured, 1, "measured")),
        "predicted": np.abs(numbers(predicted, 1, "predicted")),
    }
    drawn = np.concatenate(list(found.values()))
    drawn = np.log10(drawn[np.isfinite(drawn) & (drawn > 0)])
    high = int(np.ceil(drawn.max())) if drawn.size else 0
    low = max(LOWEST, min(int(np.floor(drawn.min())) if drawn.size else -3, high - 3))
    visible = {name: np.where(values > 0, values, np.nan) for name, values in found.items()}
    figure = go.Figure(
        go.Scatter(
            x=t,
            y=visible["measured"],
            mode="markers",
            marker={"color": colours.ink, "size": 8},
            name="measured: input changed, network run again",
            hovertemplate="measured %{y:.2e}<extra></extra>",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=t,
            y=visible["predicted"],
            mode="lines",
            line={"color": colours.gradient_h, "width": 2, "dash": "dash", "shape": "hvh"},
            name="the gradient’s prediction",
            connectgaps=False,
            hovertemplate="gradient says %{y:.2e}<extra></extra>",
        )
    )
    ticks = np.arange(low, high + 1, max(1, (high - low) // 5))
    figure.update_layout(
        xaxis=time_axis(steps),
        yaxis={
            "type": "log",
            "title": {"text": "|change of <i>y</i>|"},
            "range": [low - 0.3, high + 0.3],
            "tickvals": 10.0**ticks,
            "ticktext": powers_of_ten(ticks),
        },
        showlegend=True,
        margin={"t": 30},
        hovermode="x",
    )
    if low < np.log10(FLOAT32_FLOOR):
        figure.add_hline(y=FLOAT32_FLOOR, line={"color": colours.floor_line, "dash": "dashdot", "width": 1.5})
    return finish(
        figure,
        theme=theme,
        question="Does the answer still depend on what was read then?",
        look_for="A high dot: changing that one input changes the answer. Where dot and dashed line part, the gradient "
        "misjudges a change of this size: influence is not gradient.",
        height=230,
        over_time=True,
    )
