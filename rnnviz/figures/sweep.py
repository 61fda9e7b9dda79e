"""What does a result depend on? Many runs at each point of a grid, as lines with their spread or as a heat map."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from rnnviz.figures.base import finish, framed, note, numbers
from rnnviz.figures.theme import (
    LANE_DASHES,
    NARROW_RIGHT_MARGIN,
    NORM,
    RESULT,
    RIGHT_MARGIN,
    Theme,
    legible_on,
    palette,
    sample,
    see_through,
    stops,
)

WAITING = "…"
MARKERS = ("circle", "square", "diamond", "triangle-up", "x", "star")
LOG_RATIO = 40  # values that span more than this are shown on a log axis
APART = 0.007  # of the axis: bars of several lines at one x do not hide one another


class SweepLine(NamedTuple):
    """One line.

    Attributes:
        name: for the legend.
        middle, low, high: (K,) a value for each x and the ends of its bar; nan where there is none yet.
        told: K texts for the hover.
        place: which lane, 0 to 5: decides colour and line style.
    """

    name: str
    middle: ArrayLike
    low: ArrayLike
    high: ArrayLike
    told: Sequence[str] = ()
    place: int = 0


class Reference(NamedTuple):
    """A line to compare with: `kind` is "baseline" or "threshold"; `values` (K,)."""

    name: str
    values: ArrayLike
    kind: str = "baseline"


def point_name(row: int, column: int) -> str:
    """How a picture calls a point when it is clicked."""
    return f"{row} {column}"


def sweep_lines(
    x: Sequence[float] | Sequence[str],
    lines: Sequence[SweepLine],
    *,
    x_title: str,
    y_title: str,
    question: str,
    look_for: str,
    most: float | None = None,
    references: Sequence[Reference] = (),
    theme: Theme = "light",
) -> go.Figure:
    """A value against a field, one line for each value of another, with bars for what is not certain.

    `x` are numbers, or names of choices. `most` fixes the y axis to 0 ... `most`. A point's `customdata` is the
    `point_name` of its line and x.
    """
    colours = palette(theme)
    figure = go.Figure()
    at, axis = _places(x)
    for reference in references:
        colour = colours.threshold if reference.kind == "threshold" else colours.baseline
        figure.add_trace(
            go.Scatter(
                x=_between(at),
                y=np.interp(_between(at), at, numbers(reference.values, 1, "a reference")),
                mode="lines",
                line={"color": colour, "dash": "dot" if reference.kind == "threshold" else "dash", "width": 1.5},
                name=reference.name,
                hoverinfo="skip",
                showlegend=False,
            )
        )
    whole = max(float(at[-1] - at[0]), 1e-9)
    for j, line in enumerate(lines):
        middle = numbers(line.middle, 1, "middle")
        up = np.nan_to_num(numbers(line.high, 1, "high") - middle)
        down = np.nan_to_num(middle - numbers(line.low, 1, "low"))
        figure.add_trace(
            go.Scatter(
                x=at + (j - (len(lines) - 1) / 2) * APART * whole,
                y=middle,
                mode="lines+markers",
                line={"width": 2.5, "color": colours.lanes[line.place], "dash": LANE_DASHES[line.place]},
                marker={"size": 9, "symbol": MARKERS[line.place], "color": colours.lanes[line.place]},
                error_y={
                    "type": "data", "array": up, "arrayminus": down, "symmetric": False, "thickness": 1.5, "width": 4,
                    "color": see_through(colours.lanes[line.place], 0.55),
                },
                connectgaps=True,
                name=line.name,
                showlegend=False,  # `lanes_html`: it wraps on a phone
                customdata=[point_name(j, k) for k in range(len(at))],
                text=list(line.told) or None,
                hovertemplate="%{text}<extra></extra>" if line.told else None,
            )
        )  # fmt: skip
    bounds: dict[str, Any] = {"range": [-0.04 * most, 1.04 * most]} if most is not None else {"rangemode": "tozero"}
    nothing = not any(np.isfinite(numbers(line.middle, 1, "middle")).any() for line in lines)
    if nothing and most is None:
        bounds = {"range": [0, 1]}
    notes = [_named(reference, at, theme) for reference in references]
    if nothing:
        notes.append(_waiting("No run has ended yet: dots appear here as they do.", theme))
    figure.update_layout(
        xaxis={"title": {"text": x_title}, "showgrid": False, **axis},
        yaxis={"title": {"text": y_title}, **bounds},
        annotations=notes,
        hovermode="closest",
    )
    return finish(figure, theme=theme, question=question, look_for=look_for, height=430)


def sweep_map(
    x: Sequence[float] | Sequence[str],
    y: Sequence[float] | Sequence[str],
    values: ArrayLike,
    *,
    told: Sequence[Sequence[str]],
    x_title: str,
    y_title: str,
    value_title: str,
    question: str,
    look_for: str,
    gradient: bool = False,
    most: float | None = None,
    absent: ArrayLike | None = None,
    written: Sequence[Sequence[str]] | None = None,
    theme: Theme = "light",
) -> go.Figure:
    """A value over two fields. `values` (J, K), nan where there is none yet: such a cell shows dots.

    `told` are the texts of the hover. `gradient` chooses the scale for gradients, dark = vanished; otherwise more is darker.
    `most` fixes the scale to 0 ... `most`. `absent` (J, K) marks cells there will never be. `written` is what stands in a
    cell with a value, by default the value. A cell's `customdata` is the
    `point_name` of its row and column.
    """
    colours = palette(theme)
    z = numbers(values, 2, "values").astype(np.float64)
    J, K = z.shape
    finite = z[np.isfinite(z)]
    low, high = (
        (0.0, most) if most is not None else (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    )
    high = high if high > low else low + max(abs(low) * 0.1, 1e-6)
    scale = NORM if gradient else RESULT
    never = np.zeros((J, K), bool) if absent is None else np.asarray(absent, bool)
    words, inks = [], []
    for j in range(J):
        for k in range(K):
            known = np.isfinite(z[j, k])
            value = f"{z[j, k]:.3g}" if written is None else written[j][k]
            words.append("–" if never[j, k] else value if known else WAITING)
            share = float(np.clip((z[j, k] - low) / (high - low), 0, 1)) if known else 0.0
            inks.append(legible_on(sample(scale, theme, share)) if known else colours.muted)
    rows, columns = np.divmod(np.arange(J * K), K)
    figure = go.Figure(
        go.Heatmap(
            x=np.arange(K),
            y=np.arange(J),
            z=z,
            zmin=low,
            zmax=high,
            zsmooth=False,
            hoverongaps=False,
            colorscale=stops(scale, theme),
            customdata=[[point_name(j, k) for k in range(K)] for j in range(J)],
            text=[list(row) for row in told],
            hovertemplate="%{text}<extra></extra>",
            name=value_title,
            colorbar={
                "title": {"text": value_title, "side": "right", "font": {"size": 13, "color": colours.muted}},
                "thickness": 12, "outlinewidth": 0, "x": 1.01, "xpad": 0, "len": 1.0, "nticks": 6,
                "tickfont": {"size": 12, "color": colours.muted},
            },
        )
    )  # fmt: skip
    figure.add_trace(
        go.Scatter(
            x=columns.astype(np.float64),
            y=rows.astype(np.float64),
            mode="text",
            text=words,
            textfont={"size": 14, "color": inks},
            hoverinfo="skip",
            showlegend=False,
            name="values",
        )
    )
    figure.update_layout(
        xaxis={"title": {"text": x_title}, **_named_ticks(x), **framed(theme)},
        yaxis={"title": {"text": y_title}, **_named_ticks(y), **framed(theme)},
        margin={"l": 96, "r": max(RIGHT_MARGIN, NARROW_RIGHT_MARGIN) + 14},
        annotations=[] if len(finite) else [_waiting("No run has ended yet: cells fill as they do.", theme)],
    )
    return finish(figure, theme=theme, question=question, look_for=look_for, height=max(300, 110 + 56 * J))


def _places(x: Sequence[float] | Sequence[str]) -> tuple[np.ndarray, dict[str, Any]]:
    """Where the values lie on the x axis, and the axis: linear, log where they span decades, or one place a name."""
    if isinstance(x[0], str):
        at, labels = np.arange(len(x), dtype=np.float64), list(map(str, x))
    else:
        values = np.array(x, np.float64)
        is_log = len(values) > 2 and values.min() > 0 and values.max() / values.min() > LOG_RATIO
        at = np.log10(values) if is_log else values
        labels = [f"{value:g}".replace("-", "−") for value in values]
    room = max(float(at[-1] - at[0]), 1.0) * 0.05
    return at, {"range": [float(at.min()) - room, float(at.max()) + room], "tickvals": at, "ticktext": labels}


def _named_ticks(values: Sequence[float] | Sequence[str]) -> dict[str, Any]:
    labels = [value if isinstance(value, str) else f"{value:g}".replace("-", "−") for value in values]
    ends = [-0.5, len(values) - 0.5]
    return {"tickvals": np.arange(len(values)), "ticktext": labels, "range": ends, "autorange": False}


def _between(at: np.ndarray) -> np.ndarray:
    """The ends of a line: a single value gets some width."""
    return at if len(at) > 1 else np.array([at[0] - 1, at[0] + 1])


def _named(reference: Reference, at: np.ndarray, theme: Theme) -> dict[str, Any]:
    value = float(np.asarray(reference.values)[0])
    return note(reference.name, theme=theme, x=float(at[0]), y=value, xanchor="left", yanchor="bottom")


def _waiting(text: str, theme: Theme) -> dict[str, Any]:
    return note(text, theme=theme, x=0.5, y=0.5, xref="paper", yref="paper", xanchor="center", yanchor="middle")
