"""The wall in the error surface of a single recurrent unit, and what clipping changes about walking there."""

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from rnnviz.figures.base import finish, framed, note, numbers, powers_of_ten
from rnnviz.figures.theme import FONT_SIZE, RELIEF, Theme, palette, stops

NAMES = ("without clipping", "with clipping")
DASHES = ("dash", "solid")


def error_surface(
    w: ArrayLike,
    b: ArrayLike,
    error: ArrayLike,
    paths: tuple[ArrayLike | None, ArrayLike | None],
    *,
    theme: Theme = "light",
) -> go.Figure:
    """The error (n, m) over biases `b` (n,) and weights `w` (m,), and two ways down it, each (S + 1, 2) or None.

    The first of `paths` is gradient descent as it is, the second with clipping.
    """
    colours = palette(theme)
    across, up = numbers(w, 1, "w"), numbers(b, 1, "b")
    figure = go.Figure(
        go.Heatmap(
            x=across,
            y=up,
            z=numbers(error, 2, "error"),
            zmin=0.0,
            zmax=float(np.max(error)),
            colorscale=stops(RELIEF, theme),
            zsmooth=False,
            hoverongaps=False,
            name="error",
            colorbar={
                "title": {"text": "error", "font": {"size": FONT_SIZE}},
                "thickness": 12,
                "outlinewidth": 0,
                "nticks": 5,
                "tickfont": {"size": FONT_SIZE - 1},
            },
            hovertemplate="w = %{x:.3g}, b = %{y:.3g}<br>error %{z:.3g}<extra></extra>",
        )
    )
    for path, name, dash, colour in zip(paths, NAMES, DASHES, (colours.negative, colours.positive), strict=True):
        if path is None:
            continue
        points = numbers(path, 2, "a path")
        figure.add_trace(
            go.Scatter(
                x=points[:, 0],
                y=points[:, 1],
                mode="lines+markers",
                line={"color": colour, "width": 2, "dash": dash},
                marker={"size": 5, "color": colour},
                name=name,
                hovertemplate=f"{name}<br>w = %{{x:.3g}}, b = %{{y:.3g}}<extra></extra>",
            )
        )
    shown = next((numbers(path, 2, "a path") for path in paths if path is not None), None)
    if shown is not None:
        place = {"x": float(shown[0, 0]), "y": float(shown[0, 1]), "xref": "x", "yref": "y", "xanchor": "left"}
        figure.add_annotation(note("start", theme=theme, xshift=8, **place))
    figure.update_layout(
        xaxis=framed(theme) | {"title": {"text": "weight <i>w</i>"}, "range": [across[0], across[-1]]},
        yaxis=framed(theme) | {"title": {"text": "bias <i>b</i>"}, "range": [up[0], up[-1]]},
        showlegend=True,
        legend={"traceorder": "normal"},
        margin={"t": 64, "r": 76},  # on a phone each entry of a legend is a line
        hovermode="closest",
    )
    return finish(
        figure,
        theme=theme,
        question="What is it like to walk beside a cliff?",
        look_for="The greyer, the larger the error. Where the ground turns grey at once stands the wall; the valley runs "
        "along its foot. One "
        "step onto the wall, and without clipping the next one leaves the valley.",
        height=380,
    )


def clipped_norms(norms: ArrayLike, before: ArrayLike, after: ArrayLike, *, theme: Theme = "light") -> go.Figure:
    """The gradient's norm at every step: `norms` (S,) without clipping, `before` and `after` (S,) on the clipped way."""
    colours = palette(theme)
    drawn = [numbers(values, 1, "a norm") for values in (norms, before, after)]
    positive = np.concatenate([values[np.isfinite(values) & (values > 0)] for values in drawn])
    low, high = (np.log10(positive.min()), np.log10(positive.max())) if positive.size else (-1.0, 0.0)
    bottom, top = max(-8, int(np.floor(low))), int(np.ceil(high))
    figure = go.Figure()
    for values, name, dash, colour, width in zip(
        drawn,
        ("without clipping", "with clipping: before", "after"),
        ("dash", "dot", "solid"),
        (colours.negative, colours.positive, colours.positive),
        (2, 1.75, 2.5),
        strict=True,
    ):
        figure.add_trace(
            go.Scatter(
                x=np.arange(1, values.size + 1),
                y=values,
                mode="lines",
                line={"color": colour, "dash": dash, "width": width},
                name=name,
                hovertemplate=f"{name}: step %{{x}}, norm %{{y:.3g}}<extra></extra>",
            )
        )
    ticks = np.arange(bottom, top + 1, dtype=np.float64)
    figure.update_layout(
        xaxis={"title": {"text": "step of gradient descent"}, "range": [1, max(2, drawn[0].size)], "showgrid": False},
        yaxis={
            "type": "log",
            "range": [bottom, top + 0.05],
            "tickvals": 10.0**ticks,
            "ticktext": powers_of_ten(ticks),
            "title": {"text": "gradient norm ‖∂<i>E</i>/∂(<i>w</i>, <i>b</i>)‖<sub>2</sub>"},
        },
        showlegend=True,
        legend={"traceorder": "normal"},
        margin={"t": 64},
        hovermode="closest",
    )
    return finish(
        figure,
        theme=theme,
        question="What does clipping change?",
        look_for="The dotted line is the gradient before, the solid one after clipping. Only the peaks are cut: a small "
        "gradient stays as small as it was.",
        height=380,
    )
