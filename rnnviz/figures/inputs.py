"""What does the network read? The input of the probe example, over sequence time."""

from collections.abc import Collection, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from rnnviz.figures.base import finish, framed, numbers, time_axis, times
from rnnviz.figures.theme import LANE_DASHES, Theme, palette


def input_marked_values(inputs: ArrayLike, *, theme: Theme = "light") -> go.Figure:
    """Bars of a value at each time step, the marked steps highlighted with their value (the adding task).

    `inputs` (T, 2): the value, and a marker that is above .5 where the value counts.
    """
    colours = palette(theme)
    array = numbers(inputs, 2, "inputs")
    value, marked = array[:, 0], array[:, 1] > 0.5
    figure = go.Figure(
        go.Bar(
            x=times(value.size),
            y=value,
            marker={"color": np.where(marked, colours.positive, colours.faint), "line": {"width": 0}},
            customdata=np.where(marked, "marked", "not marked"),
            hovertemplate="t = %{x}, %{customdata}<br>value %{y:.3g}<extra></extra>",
            name="value",
        )
    )
    top = max(1.0, float(value.max(initial=0.0)))
    at = times(value.size)[marked]
    # The numbers stand above every bar; two that are close lean away from each other.
    close = at.size == 2 and at[1] - at[0] < value.size / 10
    figure.add_trace(
        go.Scatter(
            x=at,
            y=np.full(at.size, top),
            mode="text",
            text=[f"<b>{v:.2f}</b>" for v in value[marked]],
            textposition=["top left", "top right"] if close else "top center",
            textfont={"size": 13, "color": colours.ink},
            cliponaxis=False,
            hoverinfo="skip",
            name="marked value",
        )
    )
    figure.update_layout(
        xaxis=time_axis(value.size),
        yaxis={
            "title": {"text": "value <i>x<sub>t</sub></i>"},
            "range": [min(0.0, float(value.min(initial=0.0))), top * 1.35],
            "tickvals": [0, top],
        },
        bargap=0.2,
        showlegend=False,
        hovermode="closest",
    )
    return finish(
        figure,
        theme=theme,
        question="What does it read?",
        look_for="Only the two highlighted values count: their sum is the answer, wanted at the last step.",
        height=120,
        over_time=True,
    )


def input_symbols(
    inputs: ArrayLike, *, names: Sequence[str], highlight: Collection[str] = (), theme: Theme = "light"
) -> go.Figure:
    """A raster of one-hot symbols: a row a symbol, a filled cell where it is read (temporal order and its like).

    `inputs` (T, K) one-hot, `names` K symbol names, first at the top; those in `highlight` are the ones that matter.
    """
    colours = palette(theme)
    array = numbers(inputs, 2, "inputs")
    if array.shape[1] != len(names):
        raise ValueError(f"names must name the {array.shape[1]} symbols of inputs. Got {len(names)}.")
    matters = np.array([name in highlight for name in names])
    z = np.where(array > 0.5, np.where(matters, 2, 1), 0).T.astype(
        np.uint8
    )  # (K, T): 0 absent, 1 a distractor, 2 matters
    absent, present, important = colours.panel, colours.faint, colours.positive
    if not matters.any():
        present = colours.ink
    figure = go.Figure(
        go.Heatmap(
            x=times(array.shape[0]),
            y=times(len(names)),
            z=z,
            zmin=-0.5,
            zmax=2.5,
            colorscale=[
                [0, absent],
                [1 / 3, absent],
                [1 / 3, present],
                [2 / 3, present],
                [2 / 3, important],
                [1, important],
            ],
            showscale=False,
            zsmooth=False,
            hoverongaps=False,
            customdata=np.broadcast_to(np.array(names)[:, None], z.shape),
            hovertemplate="t = %{x}, symbol %{customdata}<extra></extra>",
            name="symbol",
        )
    )
    figure.update_layout(
        xaxis=time_axis(array.shape[0]) | framed(theme),
        yaxis=framed(theme)
        | {
            "title": {"text": "symbol <i>x<sub>t</sub></i>"},
            "range": [len(names) + 0.5, 0.5],
            "tickvals": times(len(names)),
            "ticktext": list(names),
        },
        hovermode="closest",
    )
    listed = " and ".join(name for name in names if name in highlight)
    return finish(
        figure,
        theme=theme,
        question="What does it read?",
        look_for=f"Only {listed} matter; every other symbol is a distraction."
        if listed
        else "One symbol at every time step.",
        height=70 + 16 * max(len(names), 3),
        over_time=True,
    )


def input_wave(inputs: ArrayLike, *, names: Sequence[str] = (), theme: Theme = "light") -> go.Figure:
    """The input as one line a feature (forecasting). `inputs` (T, I); `names` label the lines if there are several."""
    colours = palette(theme)
    array = numbers(inputs, 2, "inputs")
    steps, features = array.shape
    figure = go.Figure()
    for k in range(features):
        label = names[k] if k < len(names) else f"feature {k + 1}"
        figure.add_trace(
            go.Scatter(
                x=times(steps),
                y=array[:, k],
                mode="lines",
                line={
                    "color": colours.ink if features == 1 else colours.lanes[k % len(colours.lanes)],
                    "dash": LANE_DASHES[k % len(LANE_DASHES)],
                    "width": 2,
                },
                name=label,
                hovertemplate=f"{label} %{{y:.3g}}<extra></extra>",
            )
        )
    figure.update_layout(
        xaxis=time_axis(steps),
        yaxis={"title": {"text": "input <i>x<sub>t</sub></i>"}, "nticks": 4},
        showlegend=features > 1,
        margin={"t": 30 if features > 1 else 10},
        hovermode="x",
    )
    return finish(
        figure,
        theme=theme,
        question="What does it read?",
        look_for="One value at every time step; what comes next depends on the steps before it.",
        height=130,
        over_time=True,
    )
