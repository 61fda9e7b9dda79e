"""How far back does learning reach? Gradient norms over sequence time, and over sequence time and training."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from rnnviz.figures.base import (
    TRAINING_TITLE,
    Array,
    feed,
    finish,
    framed,
    maths,
    note,
    numbers,
    power_of_ten,
    powers_of_ten,
    reference_line,
    time_axis,
    times,
)
from rnnviz.figures.theme import (
    FLOAT32_FLOOR,
    FONT_SIZE,
    LOG10_FLOAT32_FLOOR,
    RIGHT_MARGIN,
    Theme,
    norm_scale,
    palette,
    see_through,
)


def decades(log10_values: ArrayLike, extent: tuple[float, float] | None = None) -> tuple[int, int]:
    """Whole decades (low, high) generous enough to hold a run whose first frames are `log10_values`, of any shape.

    At least 1e-10 to 1e2, in steps of five decades downwards, with half as many decades again below the lowest value:
    training an Elman network often makes its gradient vanish faster than at the start. A picture that nears the float32
    floor shows it too. `extent` (lowest, highest) widens that to what a run has met since.
    """
    finite = np.asarray(log10_values, dtype=np.float64).ravel()
    finite = finite[np.isfinite(finite)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    bottom = min(-10, 5 * int(np.floor(1.5 * low / 5)))
    if bottom <= -35:
        bottom = -45
    top = max(2, int(np.ceil(high)) + 1)
    if extent is not None:
        bottom, top = min(bottom, max(-45, int(extent[0]))), max(top, int(extent[1]))
    return bottom, top


def gradient_norm_plot(
    steps_t: ArrayLike,
    median: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    *,
    median_c: ArrayLike | None = None,
    low_c: ArrayLike | None = None,
    high_c: ArrayLike | None = None,
    last_answer: ArrayLike | None = None,
    names: tuple[str, str] = ("h", "c"),
    symbols: tuple[str, str] = ("h", "c"),
    extent: tuple[float, float] | None = None,
    theme: Theme = "light",
) -> go.Figure:
    """Per-sample norm ‖∂L/∂h_t‖₂ at every time step on a log axis: median line and quantile band.

    `steps_t` (T,) is 1 … T. `median`, `low` and `high` (T,) are log10 of the median and of the 10 % and 90 % quantiles
    over the probe batch; at -inf (exactly zero) a line drops out of the picture. `median_c`, `low_c`, `high_c` add
    ‖∂L/∂c_t‖₂ of a cell with a cell state; where the two states are others, `names` are those of their channels and
    `symbols` how they are written. `last_answer` (T,) adds the median of ‖∂L_T/∂h_t‖₂, L_T the loss of the last
    answer alone, for a task that answers at every step. The y axis is fixed by these arrays and stays while live data
    replaces them; `extent` widens it.
    """
    colours = palette(theme)
    t = np.asarray(steps_t)
    states: list[tuple[str, str, str, tuple[ArrayLike, ArrayLike, ArrayLike]]] = [
        (names[0], colours.gradient_h, "solid", (median, low, high))
    ]
    if median_c is not None and low_c is not None and high_c is not None:
        states.append((names[1], colours.gradient_c, "dash", (median_c, low_c, high_c)))
    symbol = dict(zip(names, symbols, strict=True))
    drawn = [a for *_, s in states for a in s] + ([] if last_answer is None else [last_answer])
    bottom, top = decades(np.concatenate([numbers(a, 1, "a gradient norm") for a in drawn]), extent)

    figure = go.Figure()
    for state, colour, _, (_, lower, upper) in states:
        for quantile, values, fill in (("low", lower, "none"), ("high", upper, "tonexty")):
            figure.add_trace(
                go.Scatter(
                    x=t,
                    y=power_of_ten(values),
                    mode="lines",
                    line={"width": 0, "color": colour},
                    fill=fill,
                    fillcolor=see_through(colour, 0.2),
                    hoverinfo="skip",
                    showlegend=False,
                    name=f"{quantile} {state}",
                    meta=feed(y=("frame", f"grad.{state}.{quantile}", "pow10")),
                )
            )
    for state, colour, dash, (middle, _, _) in states:
        figure.add_trace(
            go.Scatter(
                x=t,
                y=power_of_ten(middle),
                mode="lines",
                line={"width": 2.5, "color": colour, "dash": dash},
                name=_norm(symbol[state]),
                meta=feed(y=("frame", f"grad.{state}.median", "pow10")),
                hovertemplate=f"{_norm(symbol[state])} %{{y:.2e}}<extra></extra>",
            )
        )

    if last_answer is not None:
        figure.add_trace(
            go.Scatter(
                x=t,
                y=power_of_ten(last_answer),
                mode="lines",
                line={"width": 2.5, "color": colours.ink, "dash": "dot"},
                name="last answer alone",
                meta=feed(y=("frame", "grad.last.median", "pow10")),
                hovertemplate="last answer only %{y:.2e}<extra></extra>",
            )
        )

    if bottom < LOG10_FLOAT32_FLOOR:
        ends = (0.5, t.size + 0.5)
        figure.add_trace(
            reference_line(ends, FLOAT32_FLOOR, name="float32 floor", colour=colours.floor_line, dash="dashdot")
        )
        words = note(
            "float32 floor 1.2 × 10<sup>−38</sup>", theme=theme, y=LOG10_FLOAT32_FLOOR, yref="y", yanchor="top"
        )
    else:
        words = note(
            "float32 floor 1.2 × 10<sup>−38</sup> is below this axis", theme=theme, y=0, yref="paper", yanchor="bottom"
        )
    figure.add_annotation(words | {"x": 1, "xref": "paper", "xanchor": "right", "xshift": -4})

    figure.add_annotation(
        note("median, 10–90 %", theme=theme, x=1, xref="paper", xanchor="right", xshift=RIGHT_MARGIN - 6)
        | {"y": 1, "yref": "paper", "yanchor": "bottom", "yshift": 5}
    )
    ticks = _ticks(bottom, top)
    figure.update_layout(
        xaxis=time_axis(t.size),
        yaxis={
            "type": "log",
            "range": [bottom, top],
            "tickvals": 10.0**ticks,
            "ticktext": powers_of_ten(ticks),
            "title": {"text": "gradient norm " + ", ".join(_norm(symbol[state]) for state, *_ in states)},
        },
        margin={"t": 30},
        showlegend=True,
        legend={"traceorder": "normal"},
        hovermode="x",
    )
    return finish(
        figure,
        theme=theme,
        question="Which steps still feel the loss?",
        look_for="Read from right to left: a straight fall is a gradient that vanishes exponentially, a level line a "
        "memory. A line that ends is a gradient of exactly zero."
        if last_answer is None
        else "Every step answers here and feels its own error, so the solid line stays level. How far back the last answer "
        "reaches is the dotted line, read from right to left.",
        height=250,
        over_time=True,
    )


def gradient_training_heatmap(
    log10_rows: ArrayLike,
    training_steps: ArrayLike,
    *,
    of_last_answer: bool = False,
    name: str = "h",
    symbol: str = "h",
    extent: tuple[float, float] | None = None,
    theme: Theme = "light",
) -> go.Figure:
    """log10 ‖∂L/∂h_t‖₂ by time step (x) and training step (y).

    `log10_rows` (F, T) holds the median of every recorded frame, `training_steps` (F,) the step it was recorded at.
    Norms below the float32 floor, and exact zeros (-inf), are flat grey. The colour limits are fixed by the rows given
    here; values beyond them take the end colours. With `of_last_answer` the rows are those of ‖∂L_T/∂h_t‖₂, L_T the loss
    of the last answer alone: where every step answers, only that shows how far back learning reaches. `name` and `symbol`
    are those of the state, where it is not h.
    """
    colours = palette(theme)
    rows = numbers(log10_rows, 2, "log10_rows")
    bottom, top = decades(rows, extent)
    channel = "grad.last.median" if of_last_answer else f"grad.{name}.median"
    norm = _norm(symbol, of="L<sub>T</sub>" if of_last_answer else "L")
    figure = go.Figure(
        go.Heatmap(
            x=times(rows.shape[1]),
            y=np.asarray(training_steps),
            z=np.where(np.isfinite(rows), rows, np.float32("nan")),
            zmin=bottom,
            zmax=top,
            colorscale=[list(stop) for stop in norm_scale(theme, bottom, top)],
            zsmooth=False,
            hoverongaps=False,
            meta=feed(z=("rows", channel), y=("steps", "step")),
            name="gradient norm",
            hovertemplate=f"t = %{{x}}, training step %{{y}}<br>log<sub>10</sub> {norm} = %{{z:.3g}}<extra></extra>",
            colorbar=_norm_bar(_ticks(bottom, top)),
        )
    )
    reached = np.flatnonzero(~np.isnan(rows).all(0))  # beyond, no sample goes on, or nothing was measured
    if reached.size and (end := int(reached[-1]) + 1) < rows.shape[1]:
        figure.add_shape(
            type="rect",
            x0=end + 0.5,
            x1=rows.shape[1] + 0.5,
            y0=0,
            y1=1,
            yref="paper",
            fillcolor=colours.page,
            line={"width": 0},
            name="cover",
        )
    if not np.isfinite(rows).any():
        # Nothing to see, but it gives the axis its range where every cell is missing, as after zero initialisation.
        figure.add_trace(
            go.Scatter(
                x0=0.5,
                dx=0,
                y=np.asarray(training_steps),
                mode="lines",
                line={"width": 0},
                hoverinfo="skip",
                showlegend=False,
                name="training steps",
                meta=feed(y=("steps", "step")),
            )
        )
    figure.update_layout(
        xaxis=time_axis(rows.shape[1]) | framed(theme),
        yaxis=framed(theme)
        | {
            "title": {"text": TRAINING_TITLE},
            "nticks": 6,
            "exponentformat": "none",
            "separatethousands": True,
            # A single row spans half a step to either side: no labels between whole steps.
            "labelalias": {f"{sign}{k / 10:g}": "" for sign in ("", "−") for k in range(1, 10)},
        },
        plot_bgcolor=colours.below_floor,  # a missing cell, that is an exact zero, shows it
        margin={"t": 30, "r": RIGHT_MARGIN},
        hovermode="closest",
    )
    figure.add_annotation(
        note(norm, theme=theme, x=1, xref="paper", xanchor="left", xshift=4)
        | {"y": 1, "yref": "paper", "yanchor": "bottom", "yshift": 4}
    )
    return finish(
        figure,
        theme=theme,
        question="How far back does learning reach?",
        look_for=("For the loss of the last answer alone. " if of_last_answer else "")
        + "Bright steps still feel the loss. Does brightness spread left, to earlier steps, as training climbs? "
        "A loss near 0 darkens every step: nothing is left to learn.",
        height=250,
        over_time=True,
        training_axis="y",
    )


def _norm(state: str, *, of: str = "L") -> str:
    return f"‖∂<i>{of}</i>/∂{maths(f'{state}_t')}‖<sub>2</sub>"


def _ticks(bottom: int, top: int) -> Array:
    """Exponents to label: multiples of 2, 5 or 10, and the float32 floor in place of all that lies below it."""
    span = top - bottom
    every = 2 if span <= 14 else 5 if span <= 30 else 10
    ticks = np.arange(top // every * every, bottom - 1, -every, dtype=np.float64)[::-1]
    if bottom < LOG10_FLOAT32_FLOOR:
        ticks = np.append(LOG10_FLOAT32_FLOOR, ticks[ticks > LOG10_FLOAT32_FLOOR])
    return ticks


def _norm_bar(ticks: Array) -> dict[str, Any]:
    """A colour bar as high as the picture, inside the shared right margin."""
    return {
        "x": 1,
        "xanchor": "left",
        "xpad": 8,
        "ypad": 0,
        "y": 0.5,
        "len": 1,
        "thickness": 12,
        "outlinewidth": 0,
        "tickvals": ticks,
        "ticktext": powers_of_ten(ticks),
        "tickfont": {"size": FONT_SIZE - 1},
    }
