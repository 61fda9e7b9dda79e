"""What all pictures have in common: their frame, the shared time axis, and text set as mathematics."""

import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from rnnviz.figures import theme as look
from rnnviz.figures.theme import Theme

Array = NDArray[np.floating]
TIME_TITLE = "time step <i>t</i>"
TRAINING_TITLE = "training step"


def numbers(values: ArrayLike, dimensions: int, name: str) -> Array:
    """`values` as a float array that plotly can encode (float16 becomes float32), with its number of axes checked."""
    array = np.asarray(values)
    array = array.astype(np.float64 if array.dtype == np.float64 else np.float32, copy=False)
    if array.ndim != dimensions:
        raise ValueError(f"{name} must have {dimensions} axes. Got the shape {array.shape}.")
    return array


def power_of_ten(log10_values: ArrayLike) -> Array:
    """10**x in float64, where float32 would already be zero; log10 of an exact zero, -inf, gives 0."""
    return np.power(10.0, np.asarray(log10_values, dtype=np.float64))


def powers_of_ten(exponents: ArrayLike) -> list[str]:
    """Tick labels 10^k, written out: plotly prints its own powers of ten a quarter larger than all other labels."""
    return [f"10<sup>{k:.0f}</sup>".replace("-", "−") if k else "1" for k in np.asarray(exponents)]


def maths(symbol: str) -> str:
    r"""`h_t`, `c_{t-1}` or `\tilde h_t` as the italics and subscripts that plotly and HTML both understand."""
    plain = re.sub(r"\\tilde (\w)", lambda m: f"{m[1]}\N{COMBINING TILDE}", symbol).replace("'", "′")
    plain = re.sub(r"\\(Re|Im) ", lambda m: f"{m[1]}\N{NO-BREAK SPACE}", plain)
    return "<i>" + re.sub(r"_\{([^}]*)\}|_(\w+)", lambda m: f"<sub>{m[1] or m[2]}</sub>", plain) + "</i>"


def feed(**sources: Sequence[str]) -> dict[str, Any]:
    """The `meta` of a live trace: for each attribute the kind, the channel and the operations that feed it."""
    return {"feed": {attribute: list(source) for attribute, source in sources.items()}}


def time_axis(steps: int) -> dict[str, Any]:
    """The x axis of every picture over sequence time, t = 1 … `steps`: half a step of room at both ends."""
    ends = [0.5, steps + 0.5]
    return {
        "title": {"text": TIME_TITLE},
        "range": ends,
        "minallowed": ends[0],
        "maxallowed": ends[1],
        "autorange": False,
        "showgrid": False,
        "automargin": False,
        "nticks": 12,
    } | ({"dtick": 1, "tick0": 1} if steps <= 12 else {})


def stacked(rows: int, gap: float = 0.08) -> list[tuple[str, list[float]]]:
    """Name and domain of the y axes of pictures one above the other, the first on top."""
    high = (1 - gap * (rows - 1)) / rows
    tops = [1 - k * (high + gap) for k in range(rows)]
    return [(f"yaxis{k + 1 if k else ''}", [max(top - high, 0.0), top]) for k, top in enumerate(tops)]


def framed(theme: Theme) -> dict[str, Any]:
    """Axis settings that draw a thin frame round a heat map, whose neutral colour is the panel's own."""
    return {"showline": True, "mirror": True, "linecolor": look.palette(theme).frame, "linewidth": 1, "showgrid": False}


def times(steps: int) -> NDArray[np.int32]:
    """1 … `steps`: sequence time in pictures counts from 1."""
    return np.arange(1, steps + 1, dtype=np.int32)


def reference_line(
    ends: Sequence[float], value: float, *, name: str, colour: str, dash: str, **more: Any
) -> go.Scatter:
    """A straight line at `value` (a baseline, a threshold, a floor): drawn, not hoverable, not in the legend."""
    return go.Scatter(
        x=np.asarray(ends, dtype=np.float64),
        y=np.full(2, value, dtype=np.float64),
        mode="lines",
        line={"color": colour, "dash": dash, "width": 1.5},
        name=name,
        hoverinfo="skip",
        showlegend=False,
        **more,
    )


def outlines(x: ArrayLike, y: ArrayLike, *, theme: Theme, name: str = "true class") -> go.Scatter:
    """A square round the cell at each (x, y) of a heat map whose cells are 1 by 1: what is true."""
    # One closed square a cell, a nan between two squares.
    across = np.array([-0.5, 0.5, 0.5, -0.5, -0.5, np.nan]) * 0.94
    down = np.array([-0.5, -0.5, 0.5, 0.5, -0.5, np.nan]) * 0.84
    return go.Scatter(
        x=(np.asarray(x)[:, None] + across).ravel(),
        y=(np.asarray(y)[:, None] + down).ravel(),
        mode="lines",
        line={"color": look.palette(theme).target, "width": 2 if np.size(x) <= 30 else 1},
        name=name,
        hoverinfo="skip",
        showlegend=False,
    )


def note(text: str, *, theme: Theme, **place: Any) -> dict[str, Any]:
    """A small label inside a picture, on a veil of the panel's colour so that a line behind it does not blur it."""
    colours = look.palette(theme)
    settings: dict[str, Any] = {
        "text": text,
        "showarrow": False,
        "font": {"size": look.FONT_SIZE - 1, "color": colours.muted},
        "bgcolor": look.see_through(colours.panel, 0.7),
        "borderpad": 1,
    }
    return settings | place


def finish(
    figure: go.Figure,
    *,
    theme: Theme,
    question: str,
    look_for: str,
    height: int,
    over_time: bool = False,
    training_axis: Literal["x", "y"] | None = None,
) -> go.Figure:
    """Give `figure` the template, its height in pixels, and the words the page prints around it (`layout.meta`)."""
    meta: dict[str, Any] = {"question": question, "look_for": look_for, "height": height}
    if over_time:
        meta["time_axis"] = True
        figure.update_layout(margin={"l": look.LEFT_MARGIN, "r": look.RIGHT_MARGIN, "autoexpand": False})
    if training_axis is not None:
        meta["training_axis"] = training_axis
    # `uirevision` keeps a reader's zoom while live data arrives.
    figure.update_layout(template=look.template(theme), meta=meta, height=height, uirevision="keep")
    return figure
