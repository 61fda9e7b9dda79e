"""How often is a gate shut, how often open? Karpathy, Johnson & Fei-Fei 2015, figure 5."""

from collections.abc import Mapping

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from rnnviz.figures.base import finish, numbers
from rnnviz.figures.theme import Theme, palette

SYMBOLS = ("circle", "diamond", "square", "cross", "triangle-up", "x")


def gate_saturation(gates: Mapping[str, tuple[ArrayLike, ArrayLike]], *, theme: Theme = "light") -> go.Figure:
    """Each unit of each gate by the share of steps it is shut, and the share it is open.

    `gates`: of each gate its name, and (H,) both shares, `left_by_unit` and `right_by_unit` of `saturation`.
    """
    colours = palette(theme)
    figure = go.Figure(
        go.Scatter(
            x=np.array([0.0, 1.0]),
            y=np.array([1.0, 0.0]),
            mode="lines",
            line={"color": colours.baseline, "dash": "dash", "width": 1.5},
            hoverinfo="skip",
            showlegend=False,
            name="always one or the other",
        )
    )
    for k, (name, (shut, open_)) in enumerate(gates.items()):
        x, y = numbers(shut, 1, "shut"), numbers(open_, 1, "open")
        figure.add_trace(
            go.Scatter(
                x=x,
                y=y,
                mode="markers",
                marker={
                    "symbol": SYMBOLS[k % len(SYMBOLS)],
                    "size": 8,
                    "opacity": 0.75,
                    "color": colours.gates.get(name, colours.ink),
                    "line": {"width": 0},
                },
                customdata=np.arange(1, x.size + 1),
                name=name,
                hovertemplate=f"{name} gate, unit %{{customdata}}<br>"
                f"shut %{{x:.3g}}, open %{{y:.3g}} of the time<extra></extra>",
            )
        )
    ends = {"range": [-0.04, 1.04], "nticks": 6}
    figure.update_layout(
        xaxis=ends | {"title": {"text": "share of steps shut"}, "constrain": "domain"},
        yaxis=ends | {"title": {"text": "share of steps open"}, "scaleanchor": "x", "constrain": "domain"},
        hovermode="closest",
        showlegend=True,
        margin={"t": 34},
    )
    return finish(
        figure,
        theme=theme,
        question="Which gates decide, and which only weigh?",
        look_for="On the dashed line a unit's gate is always shut or always open: it decides. In the lower left corner "
        "it is mostly in between.",
        height=360,
    )
