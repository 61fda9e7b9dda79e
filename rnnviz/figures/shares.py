"""Who pays for this step? The signed share of every time step in the gradient of the recurrent weights."""

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from rnnviz.figures.base import finish, numbers, time_axis, times
from rnnviz.figures.marks import mark_windows
from rnnviz.figures.theme import Theme, palette


def step_share_bars(
    shares: ArrayLike, *, full: ArrayLike | None = None, window: int = 0, theme: Theme = "light"
) -> go.Figure:
    """Signed shares (T,) of each time step in dL/dW, which sum to 1; NaN where there is no gradient at all.

    `window` > 0 marks where truncated backpropagation cuts; `full` (T,), the shares without it, then stand behind in grey.
    """
    colours = palette(theme)
    values = numbers(shares, 1, "shares")
    figure = go.Figure()
    if full is not None:
        figure.add_trace(
            go.Bar(
                x=times(values.size),
                y=numbers(full, 1, "full"),
                marker={"color": colours.faint, "line": {"width": 0}},
                hovertemplate="without truncation %{y:.3g}<extra></extra>",
                name="without truncation",
            )
        )
    figure.add_trace(
        go.Bar(
            x=times(values.size),
            y=values,
            width=0.9 if full is None else 0.5,
            marker={"color": np.where(values >= 0, colours.positive, colours.negative), "line": {"width": 0}},
            hovertemplate="t = %{x}: %{y:.3g} of the gradient<extra></extra>",
            name="share",
        )
    )
    drawn = values if full is None else np.concatenate([values, numbers(full, 1, "full")])
    finite = drawn[np.isfinite(drawn)]
    high = max(0.05, float(finite.max())) if finite.size else 1.0
    low = min(0.0, float(finite.min())) if finite.size else 0.0
    figure.update_layout(
        xaxis=time_axis(values.size),
        yaxis={
            "title": {"text": "share of ∂<i>L</i>/∂W<sub>hh</sub>"},
            "range": [low * 1.1 - 0.02 * high, high * 1.1],
            "zeroline": True,
            "zerolinecolor": colours.frame,
        },
        bargap=0.1,
        barmode="overlay",
        showlegend=False,
        hovermode="x",
    )
    if window:
        mark_windows(figure, values.size, window, theme=theme)
    return finish(
        figure,
        theme=theme,
        question="Who pays for this step?",
        look_for="Each bar is what one time step adds to the change of the weights; together they are 1. Orange bars pull "
        "the other way. Dotted lines: here truncation cuts the gradient off; grey is what it was without.",
        height=260,
        over_time=True,
    )
