"""What a finished picture over time is marked with: where reading ends and speaking begins, where gradients are cut off."""

import numpy as np
import plotly.graph_objects as go

from rnnviz.figures.base import note
from rnnviz.figures.theme import TOP_MARGIN, Theme, palette

MOST_LINES = 60  # more would hide what they mark


def mark_phases(
    figure: go.Figure,
    read: int,
    said: int,
    *,
    names: tuple[str, str] = ("reads", "says"),
    theme: Theme = "light",
) -> go.Figure:
    """Let the time axis hold `read` steps and `said` more, with a line between them and a name on either side.

    The names stand above the picture; where it has a legend there, inside.
    """
    colours = palette(theme)
    ends = [0.5, read + said + 0.5]
    figure.update_xaxes(range=ends, minallowed=ends[0], maxallowed=ends[1])
    _line(figure, read + 0.5, colours.ink, 1.5, "dash")
    inside = bool(figure.layout.showlegend)
    place = {"x": read + 0.5, "xref": "x", "y": 1, "yref": "paper", "yanchor": "top" if inside else "bottom"}
    room = 24 - figure.layout.margin.t if figure.layout.margin.t is not None else 24 - TOP_MARGIN
    if not inside and room > 0:
        height = figure.layout.height + room
        figure.update_layout(margin={"t": 24}, height=height, meta=dict(figure.layout.meta) | {"height": height})
    for name, side, shift in zip(names, ("right", "left"), (-3, 3), strict=True):
        figure.add_annotation(note(name, theme=theme, xanchor=side, xshift=shift, **place))
    return figure


def mark_windows(figure: go.Figure, steps: int, window: int, *, theme: Theme = "light") -> go.Figure:
    """A thin line at every multiple of `window` steps, where truncated backpropagation cuts the gradient off.

    With more than MOST_LINES of them none is drawn.
    """
    ends = np.arange(window, steps, window)
    for end in ends if ends.size <= MOST_LINES else ():
        _line(figure, float(end) + 0.5, palette(theme).baseline, 1, "dot")
    return figure


def mark_step(figure: go.Figure, t: int, *, theme: Theme = "light") -> go.Figure:
    """Two lines round time step `t`, counted from 1."""
    for side in (-0.5, 0.5):
        _line(figure, t + side, palette(theme).ink, 1.5, "solid")
    return figure


def mark_row(figure: go.Figure, row: int, *, theme: Theme = "light") -> go.Figure:
    """An arrow at the left end of row `row` of a heat map."""
    arrow = note(
        "▸", theme=theme, x=0, xref="paper", xanchor="right", y=row, font={"size": 16, "color": palette(theme).ink}
    )
    return figure.add_annotation(arrow)


def _line(figure: go.Figure, x: float, colour: str, width: float, dash: str) -> None:
    figure.add_shape(
        type="line",
        x0=x,
        x1=x,
        y0=0,
        y1=1,
        yref="paper",
        line={"color": colour, "width": width, "dash": dash},
        layer="above",
        name="divider",
    )
