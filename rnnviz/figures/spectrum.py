"""What one step does in every direction: eigenvalues on the complex plane, with the unit circle."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from rnnviz.figures.base import finish, note
from rnnviz.figures.theme import Theme, palette, see_through


def eigenvalue_plane(
    eigenvalues: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    spectral_norm: float | None = None,
    place: int = 0,
    theme: Theme = "light",
) -> go.Figure:
    """Eigenvalues of a step's Jacobian and of the recurrent matrix, and how far a single step can stretch.

    `eigenvalues` (B, n) complex, one row for each input sequence; `weights` (m,) complex, those of the recurrent matrix;
    `spectral_norm` of the Jacobian draws the circle that no eigenvalue can leave. `place` is the lane.
    """
    colours = palette(theme)
    found = np.asarray(eigenvalues, complex)
    own = np.zeros(0, complex) if weights is None else np.asarray(weights, complex).ravel()
    reach = [1.0, *np.abs(found[np.isfinite(found)]).ravel(), *np.abs(own[np.isfinite(own)])]
    if spectral_norm is not None and np.isfinite(spectral_norm):
        reach.append(min(spectral_norm, 2 * max(reach)))
    limit = 0.25 * np.ceil(max(reach) * 1.12 / 0.25)
    figure = go.Figure(_circle(1.0, colours.ink, "solid", 1.5, "unit circle"))
    if spectral_norm is not None and np.isfinite(spectral_norm):
        figure.add_trace(_circle(spectral_norm, colours.lanes[place], "4px,4px", 1.5, f"σ₁ = {spectral_norm:.3g}"))
    if own.size:
        figure.add_trace(
            go.Scatter(
                x=own.real,
                y=own.imag,
                mode="markers",
                marker={"symbol": "x-thin", "size": 7, "line": {"width": 1, "color": colours.muted}},
                name="W<sub>hh</sub>",
                hovertemplate="of W<sub>hh</sub>: %{x:.3g} + %{y:.3g} i<extra></extra>",
            )
        )
    figure.add_trace(
        go.Scatter(
            x=found.real.ravel(),
            y=found.imag.ravel(),
            mode="markers",
            marker={"size": 5, "color": see_through(colours.lanes[place], 0.6)},
            name="<i>J<sub>T</sub></i>",
            hovertemplate="of J<sub>T</sub>: %{x:.3g} + %{y:.3g} i<extra></extra>",
        )
    )
    axis: dict[str, Any] = {"range": [-limit, limit], "nticks": 5, "zeroline": True, "zerolinecolor": colours.grid}
    figure.update_layout(
        xaxis=axis | {"title": {"text": "real part"}, "constrain": "domain"},
        yaxis=axis | {"title": {"text": "imaginary part"}, "scaleanchor": "x", "constrain": "domain"},
        showlegend=True,
        legend={"traceorder": "normal"},
        margin={"t": 34, "l": 56},
        hovermode="closest",
        annotations=[note("unit circle", theme=theme, x=0, y=-1, xref="x", yref="y", yanchor="top", font={"size": 11})],
    )
    return finish(
        figure,
        theme=theme,
        question="Where do the eigenvalues of one step lie?",
        look_for="Dots: the Jacobian of the last step. Inside the circle repeated steps shrink. Dashed: the "
        "most one step can stretch.",
        height=430,
    )


def _circle(radius: float, colour: str, dash: str, width: float, name: str) -> go.Scatter:
    angle = np.linspace(0, 2 * np.pi, 181)
    return go.Scatter(
        x=radius * np.cos(angle),
        y=radius * np.sin(angle),
        mode="lines",
        line={"color": colour, "dash": dash, "width": width},
        name=name,
        hoverinfo="skip",
        showlegend=name != "unit circle",
    )
