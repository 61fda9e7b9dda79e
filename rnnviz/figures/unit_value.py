"""What does one unit do along a sequence? Its value under the symbols, as in Karpathy, Johnson & Fei-Fei 2015."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from rnnviz.figures.base import finish, framed, maths, numbers, time_axis, times
from rnnviz.figures.theme import SIGNED, Theme, palette, stops

MOST_SYMBOLS = 80  # a step must be as wide as a letter


def unit_over_sequence(
    values: ArrayLike,
    *,
    name: str,
    symbols: Sequence[str] = (),
    tracked: ArrayLike | None = None,
    tracked_name: str = "",
    limit: float = 1.0,
    theme: Theme = "light",
) -> go.Figure:
    """One unit's value at every step of one example, as a colour under the symbols it read and as a line below them.

    `values` (T,), NaN in the padding; `name` of the unit, `h_3`. `symbols` (T,) what was read, in a letter or two; empty: no
    letters. `tracked` (T,): another quantity, already brought to the scale of the unit, dashed. Colours end at `limit`.
    """
    array = numbers(values, 1, "values")
    T, colours = array.size, palette(theme)
    top = max(limit, float(np.nanmax(np.abs(array), initial=0.0)))
    labels = [*symbols, *[""] * (T - len(symbols))] if len(symbols) > 0 and T <= MOST_SYMBOLS else [""] * T
    # A long word is cut; the whole of it is shown on hover.
    labels = [label if "<br>" in label or len(label) <= 5 else label[:4] + "…" for label in labels]
    tall = max((label.count("<br>") for label in labels), default=0)
    figure = go.Figure(
        go.Heatmap(
            x=times(T),
            y=np.ones(1, np.int32),
            z=array[None],
            zmin=-limit,
            zmax=limit,
            colorscale=stops(SIGNED, theme),
            showscale=False,
            zsmooth=False,
            hoverongaps=False,
            name=name,
            customdata=np.array([*symbols, *[""] * (T - len(symbols))])[None],
            hovertemplate=f"t = %{{x}} %{{customdata}}<br>{maths(name)} = %{{z:.3g}}<extra></extra>",
        )
    )
    # Letters in the panel's own colour where the cell behind them is deep, else in ink.
    deep = np.nan_to_num(np.abs(array)) > 0.62 * limit
    figure.add_trace(
        go.Scatter(
            x=times(T),
            y=np.ones(T, np.float32),
            mode="text",
            text=labels,
            textfont={"size": 13 if T <= 55 and tall < 2 else 10, "color": np.where(deep, colours.panel, colours.ink)},
            hoverinfo="skip",
            showlegend=False,
            name="symbols",
        )
    )
    if tracked is not None:
        figure.add_trace(
            go.Scatter(
                x=times(T),
                y=numbers(tracked, 1, "tracked"),
                yaxis="y2",
                mode="lines",
                line={"color": colours.prediction, "dash": "dash", "width": 1.5, "shape": "hvh"},
                name=f"{tracked_name}, scaled to fit",
                hoverinfo="skip",
            )
        )
    figure.add_trace(
        go.Scatter(
            x=times(T),
            y=array,
            yaxis="y2",
            mode="lines",
            line={"color": colours.ink, "width": 2, "shape": "hvh"},
            name=f"{maths(name)}",
            hovertemplate=f"t = %{{x}}<br>{maths(name)} = %{{y:.3g}}<extra></extra>",
        )
    )
    figure.update_layout(
        xaxis=time_axis(T) | {"anchor": "y2"},
        yaxis=framed(theme)
        | {"title": {"text": "reads"}, "range": [0.5, 1.5], "showticklabels": False, "domain": [0.77, 1]},
        yaxis2={
            "title": {"text": maths(name)},
            "range": [-1.08 * top, 1.08 * top],
            "domain": [0, 0.71],
            "zeroline": True,
            "zerolinecolor": colours.grid,
            "automargin": False,
            "nticks": 5,
        },
        hovermode="closest",
        margin={"t": 34},
        showlegend=tracked is not None,
    )
    return finish(
        figure,
        theme=theme,
        question="What does this unit follow?",
        look_for="The signs above are what it reads, the colour behind them its value: blue is positive, orange negative. A "
        "value that stays between two signs is a memory.",
        height=270,
        over_time=True,
    )
