"""Do neighbouring states part or meet? Lyapunov exponents while the network learns."""

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from rnnviz.figures.base import TRAINING_TITLE, finish, note, numbers, reference_line
from rnnviz.figures.theme import Theme, palette

LOWEST = -30.0  # nats per step; beyond it float64 measures its own rounding


def lyapunov_over_training(steps: ArrayLike, exponents: ArrayLike, *, along: str, theme: Theme = "light") -> go.Figure:
    """The exponents at some training steps, the largest as the main line.

    `steps` (F,) training steps, `exponents` (F, n) in nats per time step, largest first; NaN where there is none. `along`
    says in words which input drove the network: the exponents belong to both together.
    """
    at, found = numbers(steps, 1, "steps"), numbers(exponents, 2, "exponents")
    found = np.where(found > LOWEST, found, np.nan)
    colours = palette(theme)
    ends = [float(at.min()), float(max(at.max(), at.min() + 1))]
    aside = 0.02 * (ends[1] - ends[0])  # so that the dots at both ends are whole
    low, high = float(np.nanmin(found, initial=-0.1)), float(np.nanmax(found, initial=0.0))
    span = high - low
    figure = go.Figure()
    others = np.concatenate([found[:, 1:], np.full((1, found.shape[1] - 1), np.nan)])
    figure.add_trace(
        go.Scatter(
            x=np.tile(np.append(at, np.nan), found.shape[1] - 1),
            y=others.T.ravel(),
            mode="lines",
            line={"color": colours.faint, "width": 1},
            hoverinfo="skip",
            showlegend=False,
            name="others",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=at,
            y=found[:, 0],
            mode="lines+markers",
            line={"color": colours.ink, "width": 2.5},
            marker={"size": 7},
            name="largest",
            showlegend=False,
            hovertemplate="step %{x}<br>largest %{y:.3g} nats per step<extra></extra>",
        )
    )
    figure.add_trace(reference_line(ends, 0, name="zero", colour=colours.baseline, dash="dash"))
    figure.add_annotation(
        note(
            "0: a change neither grows nor dies",
            theme=theme,
            x=1,
            xref="paper",
            xanchor="right",
            y=0,
            yanchor="bottom",
            yshift=6,
        )
    )
    figure.update_layout(
        xaxis={"title": {"text": TRAINING_TITLE}, "showgrid": False, "range": [ends[0] - aside, ends[1] + aside]},
        yaxis={
            "title": {"text": "exponent, nats per step"},
            "range": [low - 0.05 * span, high + 0.14 * span],
        },
        hovermode="closest",
    )
    return finish(
        figure,
        theme=theme,
        question="Do neighbouring states part or meet?",
        look_for="Ink: the largest exponent. Below 0 every small change of the state dies out in the long run, above 0 some "
        f"grow. Grey: the other directions. Measured along {along}; another input gives other numbers.",
        height=300,
        training_axis="x",
    )
