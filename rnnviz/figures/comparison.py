"""What did the operation change? The same network before and after, over sequence time on one log axis."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from rnnviz.figures.base import finish, note, numbers, power_of_ten, powers_of_ten, reference_line, time_axis, times
from rnnviz.figures.theme import FLOAT32_FLOOR, LOG10_FLOAT32_FLOOR, Theme, palette, see_through

LOWEST = -45  # log10


class Band(NamedTuple):
    """(T,) each, log10: median and the 10 % and 90 % quantiles."""

    median: ArrayLike
    low: ArrayLike
    high: ArrayLike


def before_and_after(
    before: Band,
    after: Band,
    *,
    question: str,
    look_for: str,
    title: str,
    names: tuple[str, str] = ("before", "after"),
    theme: Theme = "light",
) -> go.Figure:
    """Two lines with bands over t = 1 … T on a log axis; at -inf, exactly zero, a line drops out of the picture.

    `title` labels the y axis, `names` the two lines. The axis holds both lines, ten decades at least.
    """
    colours = palette(theme)
    T = np.size(before.median)
    drawn = np.concatenate([numbers(line, 1, "a line") for line in (*before, *after)]).astype(np.float64)
    drawn = drawn[np.isfinite(drawn)]
    top = max(0, int(np.ceil(drawn.max()))) if drawn.size else 0
    bottom = min(top - 10, max(LOWEST, int(np.floor(drawn.min())))) if drawn.size else top - 10
    figure = go.Figure()
    looks = ((colours.muted, "dash", 2), (colours.gradient_h, "solid", 2.5))
    for name, band, (colour, dash, width) in zip(names, (before, after), looks, strict=True):
        for line, fill in ((band.low, "none"), (band.high, "tonexty")):
            figure.add_trace(
                go.Scatter(
                    x=times(T), y=power_of_ten(line), mode="lines", line={"width": 0, "color": colour}, fill=fill,
                    fillcolor=see_through(colour, 0.16), hoverinfo="skip", showlegend=False, name=f"{name}, band",
                )
            )  # fmt: skip
        figure.add_trace(
            go.Scatter(
                x=times(T), y=power_of_ten(band.median), mode="lines", name=name,
                line={"color": colour, "dash": dash, "width": width}, hovertemplate=f"{name} %{{y:.2e}}<extra></extra>",
            )
        )  # fmt: skip
    every = next(step for step in (2, 5, 10, 20, 50, 100) if 6 * step >= top - bottom or step == 100)
    ticks = np.arange(top // every * every, bottom - 1, -every, dtype=np.float64)[::-1]
    figure.update_layout(
        xaxis=time_axis(T),
        yaxis={
            "type": "log", "range": [bottom - 0.3, top + 0.5], "tickvals": 10.0**ticks, "ticktext": powers_of_ten(ticks),
            "title": {"text": title},
        },
        showlegend=True,
        legend={"traceorder": "normal"},
        hovermode="x",
        margin={"t": 30},
    )  # fmt: skip
    if bottom < LOG10_FLOAT32_FLOOR:
        ends = [0.5, T + 0.5]
        figure.add_trace(
            reference_line(ends, FLOAT32_FLOOR, name="float32 floor", colour=colours.floor_line, dash="dashdot")
        )
        at = {"x": 1, "xref": "paper", "xanchor": "right", "y": LOG10_FLOAT32_FLOOR, "yanchor": "bottom"}
        figure.add_annotation(note("float32 floor 1.2 × 10<sup>−38</sup>", theme=theme, **at))
    return finish(figure, theme=theme, question=question, look_for=look_for, height=250, over_time=True)
