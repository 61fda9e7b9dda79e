"""How long does each unit remember? Time scales and half-lives read off a gate."""

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from rnnviz.figures.base import finish, numbers, powers_of_ten
from rnnviz.figures.theme import Theme, palette

LONGEST = 1e4  # steps; a gate of exactly 1 has no half-life


def unit_half_lives(kept: ArrayLike, *, gate: str = "forget", symbol: str = "f", theme: Theme = "light") -> go.Figure:
    """Half-life ln ½ / ln f and time scale 1 / (1 − f) of every unit, slowest first, on a log axis.

    `kept` (H,) is each unit's mean gate value between 0 and 1; `gate` decides the colour, `symbol` how it is written.
    """
    colours = palette(theme)
    f = np.sort(numbers(kept, 1, "kept"))[::-1].astype(np.float64)
    with np.errstate(divide="ignore"):
        half = np.clip(np.log(0.5) / np.minimum(np.log(f), -1e-12), 1e-2, LONGEST)
        scale = np.clip(1 / np.maximum(1 - f, 1e-12), 1e-2, LONGEST)
    accent = colours.gates.get(gate, colours.ink)
    units = np.arange(1, f.size + 1)
    figure = go.Figure(
        go.Bar(
            x=units,
            y=half,
            customdata=f,
            marker={"color": accent, "line": {"width": 0}},
            name="half-life",
            hovertemplate=f"half-life %{{y:.3g}} steps, mean {symbol} = %{{customdata:.3g}}<extra></extra>",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=units,
            y=scale,
            mode="markers",
            marker={"symbol": "line-ew-open", "size": 9, "color": colours.ink, "line": {"width": 2}},
            name=f"time scale 1 / (1 − {symbol})",
            hovertemplate="time scale %{y:.3g} steps<extra></extra>",
        )
    )
    bottom = min(-1, int(np.floor(np.log10(half.min()))))
    top = max(1, int(np.ceil(np.log10(max(half.max(), scale.max())))))
    ticks = np.arange(bottom, top + 1, dtype=np.float64)
    figure.update_layout(
        xaxis={"title": {"text": "unit, slowest first"}, "range": [0.4, f.size + 0.6], "showgrid": False, "nticks": 8},
        yaxis={
            "type": "log",
            "range": [bottom, top],
            "tickvals": 10.0**ticks,
            "ticktext": [".1" if k == -1 else f"{10**k:g}" for k in ticks]
            if top < 5 and bottom > -3
            else powers_of_ten(ticks),
            "title": {"text": "steps"},
        },
        bargap=0.2,
        showlegend=True,
        legend={"traceorder": "normal"},
        margin={"t": 30},
        hovermode="x",
    )
    return finish(
        figure,
        theme=theme,
        question="How long does each unit keep half of what it holds?",
        look_for="Bars much alike: every unit forgets at one pace. Bars over decades: some units remember "
        "long, others little.",
        height=300,
    )
