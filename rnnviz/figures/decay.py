"""What decays faster? Norms of products of Jacobians over time lag, beside what theory says; all directions of one."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from rnnviz.figures.base import Array, finish, note, numbers, power_of_ten, powers_of_ten
from rnnviz.figures.theme import FLOAT32_FLOOR, LANE_DASHES, LOG10_FLOAT32_FLOOR, Theme, palette, see_through

LAG_TITLE = "time lag <i>k</i>, steps back from the last one"
NORM = "‖∂<i>s<sub>T</sub></i>/∂<i>s<sub>T−k</sub></i>‖<sub>2</sub>"
LOWEST, HIGHEST = -45, 45
THEORY_DASHES = ("4px,4px", "1px,3px")


class Curve(NamedTuple):
    """One lane of the comparison.

    Attributes:
        name: for the legend.
        lags: (K,) steps.
        median, low, high: (K,) log10 of the norm, over input sequences.
        theory: lines beside it: (name in words, symbol, (K,) log10).
        place: which lane, 0 to 5: decides colour and line style.
    """

    name: str
    lags: ArrayLike
    median: ArrayLike
    low: ArrayLike
    high: ArrayLike
    theory: Sequence[tuple[str, str, ArrayLike]] = ()
    place: int = 0


def decay_curves(curves: Sequence[Curve], *, sequences: str = "", theme: Theme = "light") -> go.Figure:
    """The spectral norm of the product of Jacobians over time lag, one line and band a lane, theory dashed and thin.

    At -inf (exactly zero) a line drops out of the picture. The axis depends on the measured lines alone and moves in steps
    of many decades, so that it stays where it is while somebody moves a slider. `sequences` says what the line and its band
    are taken over.
    """
    colours = palette(theme)
    figure = go.Figure()
    steps = max((int(np.max(curve.lags)) for curve in curves), default=1)
    bottom, top = _range([numbers(curve.median, 1, "a median") for curve in curves])
    if bottom < LOG10_FLOAT32_FLOOR:
        figure.add_trace(
            go.Scatter(
                x=np.array([0.0, steps, steps, 0.0]),
                y=power_of_ten(np.array([bottom, bottom, LOG10_FLOAT32_FLOOR, LOG10_FLOAT32_FLOOR])),
                mode="lines",
                line={"width": 0},
                fill="toself",
                fillcolor=see_through(colours.below_floor, 0.45),
                hoverinfo="skip",
                showlegend=False,
                name="below the float32 floor",
            )
        )
    for curve in curves:
        colour = colours.lanes[curve.place]
        for values, fill in ((curve.low, "none"), (curve.high, "tonexty")):
            figure.add_trace(
                go.Scatter(
                    x=np.asarray(curve.lags),
                    y=power_of_ten(values),
                    mode="lines",
                    line={"width": 0, "color": colour},
                    fill=fill,
                    fillcolor=see_through(colour, 0.15),
                    hoverinfo="skip",
                    showlegend=False,
                    name=f"{curve.name}, band",
                )
            )
    notes = []
    for curve in curves:
        colour = colours.lanes[curve.place]
        for (words, symbol, values), dash in zip(curve.theory, THEORY_DASHES, strict=False):
            line = numbers(values, 1, "a line of theory")
            figure.add_trace(
                go.Scatter(
                    x=np.asarray(curve.lags),
                    y=power_of_ten(line),
                    mode="lines",
                    line={"width": 1.75, "color": colour, "dash": dash},
                    hovertemplate=f"{curve.name}: {words}<br>%{{y:.2e}}<extra></extra>",
                    showlegend=False,
                    name=f"{curve.name}, {words}",
                )
            )
            notes.append(_label(symbol, np.asarray(curve.lags), line, (bottom, top), colour, theme))
        figure.add_trace(
            go.Scatter(
                x=np.asarray(curve.lags),
                y=power_of_ten(curve.median),
                mode="lines",
                line={"width": 3, "color": colour, "dash": LANE_DASHES[curve.place]},
                name=curve.name,
                hovertemplate=f"{curve.name}<br>after %{{x}} steps %{{y:.2e}}<extra></extra>",
            )
        )
    if bottom < LOG10_FLOAT32_FLOOR:
        words, place = "float32 floor 1.2 × 10<sup>−38</sup>: below, training feels nothing", LOG10_FLOAT32_FLOOR
        notes.append(note(words, theme=theme, y=place, yref="y", yanchor="top") | _at_left())
        figure.add_trace(_floor(steps, colours.floor_line))
    else:
        words = "float32 floor 1.2 × 10<sup>−38</sup> is below this axis"
        notes.append(note(words, theme=theme, y=0, yref="paper", yanchor="bottom") | _at_left())
    if sequences:
        at = {"x": 1, "xref": "paper", "xanchor": "right", "y": 1, "yref": "paper", "yanchor": "bottom"}
        notes.append(note(sequences, theme=theme, **at))
    figure.update_layout(
        xaxis={"title": {"text": LAG_TITLE}, "range": [0, steps], "showgrid": False, "nticks": 12},
        yaxis=_log_axis(bottom, top, NORM),
        annotations=[one for one in notes if one],
        margin={"t": 26},  # room for what is said of the sequences: inside, a line that rises would run through it
        showlegend=False,  # `lanes_html`: it wraps on a phone, where a legend of plotly's is cut off
        hovermode="closest",
    )
    return finish(
        figure,
        theme=theme,
        question="How much of a small change is left after k steps?",
        look_for="A straight fall is exponential decay: it vanishes. A level line is a memory, a rising one explodes. Thin "
        "dashes: what theory expects of the chosen line.",
        height=400,
    )


def singular_value_fan(
    lags: ArrayLike, log10_singular: ArrayLike, *, place: int = 0, theme: Theme = "light"
) -> go.Figure:
    """All singular values of the running product over time lag.

    `lags` (K,), `log10_singular` (K, n) largest first, NaN where lost in rounding. `place` is the lane.
    """
    colours = palette(theme)
    k, values = np.asarray(lags), numbers(log10_singular, 2, "log10_singular")
    bottom, top = _range([values.ravel()])
    # One trace: a line for each direction, a nan between two lines.
    n = values.shape[1]
    apart = np.full((1, n), np.nan)
    figure = go.Figure(
        go.Scatter(
            x=np.tile(np.append(k, k[-1]), n),
            y=power_of_ten(np.vstack([values, apart]).T.ravel()),
            mode="lines",
            line={"width": 1, "color": see_through(colours.lanes[place], 0.45)},
            hoverinfo="skip",
            showlegend=False,
            name="directions",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=k,
            y=power_of_ten(values[:, 0]),
            mode="lines",
            line={"width": 3, "color": colours.lanes[place]},
            hovertemplate="after %{x} steps σ<sub>1</sub> = %{y:.2e}<extra></extra>",
            showlegend=False,
            name="largest",
        )
    )
    if bottom < LOG10_FLOAT32_FLOOR:
        figure.add_trace(_floor(int(k[-1]), colours.floor_line))
    figure.update_layout(
        xaxis={"title": {"text": LAG_TITLE}, "range": [0, int(k[-1])], "showgrid": False, "nticks": 6},
        yaxis=_log_axis(bottom, top, "singular values of ∂<i>s<sub>T</sub></i>/∂<i>s<sub>T−k</sub></i>"),
        hovermode="closest",
    )
    return finish(
        figure,
        theme=theme,
        question="Do all directions fade alike?",
        look_for="Each thin line is one direction, the bold one fades least. A fan that opens: few directions still "
        "carry the past. They end where rounding hides them.",
        height=330,
    )


def _range(medians: Sequence[Array]) -> tuple[int, int]:
    """Whole decades: -10, -25 or beyond the floor, and above 1 in tens."""
    values = np.concatenate([*medians, np.zeros(1)]).astype(np.float64)
    values = values[np.isfinite(values)]
    low, high = float(values.min()), float(values.max())
    bottom = -10 if low > -10 else -25 if low > -25 else LOWEST
    return bottom, 2 if high <= 1.8 else min(HIGHEST, 10 * int(np.ceil(high / 10)))


def _log_axis(bottom: int, top: int, title: str) -> dict[str, Any]:
    span = top - bottom
    every = 2 if span <= 14 else 5 if span <= 40 else 10 if span <= 60 else 15
    ticks = np.arange(top // every * every, bottom - 1, -every, dtype=np.float64)[::-1]
    return {
        "type": "log",
        "range": [bottom, top],
        "tickvals": 10.0**ticks,
        "ticktext": powers_of_ten(ticks),
        "title": {"text": title},
    }


def _label(
    symbol: str, lags: Array, line: Array, ends: tuple[int, int], colour: str, theme: Theme
) -> dict[str, Any] | None:
    """The symbol near the right end of a line of theory, where it is still in the picture."""
    seen = np.flatnonzero(np.isfinite(line) & (line > ends[0] + 1) & (line < ends[1] - 1))
    if seen.size < 2:
        return None
    at = seen[int(0.85 * (seen.size - 1))]
    place = {"x": float(lags[at]), "y": float(line[at]), "xref": "x", "yref": "y", "yanchor": "bottom", "yshift": 2}
    return note(symbol, theme=theme, font={"size": 13, "color": colour}, **place)


def _at_left() -> dict[str, Any]:
    return {"x": 0, "xref": "paper", "xanchor": "left", "xshift": 4}


def _floor(steps: int, colour: str) -> go.Scatter:
    return go.Scatter(
        x=np.array([0.0, steps]),
        y=np.full(2, FLOAT32_FLOOR),
        mode="lines",
        line={"color": colour, "dash": "dashdot", "width": 1.5},
        name="float32 floor",
        hoverinfo="skip",
        showlegend=False,
    )
