"""Which of them learns, and which keeps its gradient? One line a lane over training, with the band of its seeds."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from rnnviz.figures.base import feed, finish, note, numbers, powers_of_ten, reference_line
from rnnviz.figures.theme import LANE_DASHES, Theme, palette, see_through


class Line(NamedTuple):
    """A level drawn across: `value` in the unit of the axis, and its name."""

    value: float
    name: str


def race_losses(
    names: Sequence[str],
    clock: ArrayLike,
    losses: ArrayLike,
    *,
    budget: int,
    clock_title: str,
    loss_name: str,
    baseline: Line | None = None,
    threshold: Line | None = None,
    extent: tuple[float, float] | None = None,
    theme: Theme = "light",
) -> go.Figure:
    """The loss of every lane over training, on one log axis.

    `clock` (F,) and `losses` (F, L, 3), the lowest, median and highest over a lane's seeds, in units of the loss, which
    `loss_name` states; `names` of the L lanes. The clock ends at `budget`. `extent`, whole decades log10 of (lowest,
    highest), is what the axis has to hold besides baseline and threshold.
    """
    values = numbers(losses, 3, "losses")
    figure = _lanes(names, clock, values, "loss", (0, 1, 2), f"loss %{{y:.3g}} {loss_name}", theme)
    colours = palette(theme)
    lines: list[dict[str, Any]] = []
    for line, colour, dash, end in (
        (baseline, colours.baseline, "dash", 1),
        (threshold, colours.threshold, "dot", 0),
    ):
        if line is None or not line.value > 0:
            continue
        figure.add_trace(reference_line((0, budget), line.value, name=line.name, colour=colour, dash=dash))
        lines.append(
            note(
                f"{line.name}: {line.value:.3g}", theme=theme, xref="paper", x=end, xanchor="right" if end else "left",
                xshift=-4 if end else 6, y=float(np.log10(line.value)), yanchor="bottom" if end else "top",
                yshift=4 if end else -4, font={"size": 12, "color": colour},
            )
        )  # fmt: skip
    known = [line.value for line in (baseline, threshold) if line is not None and line.value > 0]
    drawn = values[np.isfinite(values) & (values > 0)]
    known += [float(drawn.min()), float(drawn.max())] if drawn.size else [1.0]
    low, high = float(np.floor(np.log10(min(known) / 3))), float(np.ceil(np.log10(max(known) * 1.2)))
    if extent is not None:
        low, high = min(low, extent[0]), max(high, extent[1])
    ticks = np.arange(low, high + 0.5, max(1, round((high - low) / 6)))
    figure.update_layout(
        xaxis=_clock_axis(budget, clock_title),
        yaxis={
            "type": "log", "range": [low, high], "title": {"text": f"loss <i>L</i> ({loss_name})"},
            "tickvals": 10.0**ticks, "ticktext": powers_of_ten(ticks),
        },
        annotations=lines,
    )  # fmt: skip
    return finish(
        figure,
        theme=theme,
        question="Which of them learns?",
        look_for="Only clearly below the dashed line has a lane learned anything."
        if baseline is not None
        else "The lower, the better.",
        height=250,
        training_axis="x",
    )


def race_reach(
    names: Sequence[str],
    clock: ArrayLike,
    reach: ArrayLike,
    *,
    fraction: float,
    column: int,
    steps: int,
    budget: int,
    clock_title: str,
    theme: Theme = "light",
) -> go.Figure:
    """How many steps back the gradient of every lane stays above `fraction` of its largest, over training.

    `clock` (F,) and `reach` (F, L, 3), the lowest, median and highest over a lane's seeds, 0 to `steps`. `column` is where
    these three stand in the channel `<lane>.reach`.
    """
    values = numbers(reach, 3, "reach")
    places = (column, column + 1, column + 2)
    figure = _lanes(names, clock, values, "reach", places, "reaches back %{y:.0f} steps", theme)
    figure.update_layout(
        xaxis=_clock_axis(budget, clock_title),
        yaxis={"range": [-0.03 * steps, 1.06 * steps], "title": {"text": "steps back from the last"}, "nticks": 6},
    )
    return finish(
        figure,
        theme=theme,
        question="Which of them keeps its gradient?",
        look_for=f"How far back ‖∂L/∂h_t‖ stays above {fraction:.2g} of its largest; at the top, to the first step. Once a "
        "lane has solved the task, hardly any gradient is left, and this says little.",
        height=250,
        training_axis="x",
    )


def nothing_to_show(text: str, *, height: int = 190, theme: Theme = "light") -> go.Figure:
    """An empty picture that says why it is empty."""
    figure = go.Figure()
    figure.update_layout(
        xaxis={"visible": False, "range": [0, 1]},
        yaxis={"visible": False, "range": [0, 1]},
        annotations=[note(text, theme=theme, x=0.5, y=0.5, xref="paper", yref="paper")],
    )
    return finish(figure, theme=theme, question="", look_for="", height=height)


def of_lane(figure: go.Figure, lane: int) -> go.Figure:
    """The same picture fed by the channels of one lane: `h` becomes `2.h`."""
    for trace in figure.data:
        meta = dict(trace.meta or {})
        if "feed" in meta:
            meta["feed"] = {
                attribute: [kind, channel if kind == "steps" else f"{lane}.{channel}", *ops]
                for attribute, (kind, channel, *ops) in meta["feed"].items()
            }
            trace.meta = meta
    return figure


def _lanes(
    names: Sequence[str],
    clock: ArrayLike,
    values: np.ndarray,
    channel: str,
    columns: tuple[int, int, int],
    hover: str,
    theme: Theme,
) -> go.Figure:
    """A median line a lane, over a band from the lowest seed to the highest."""
    colours, x = palette(theme), np.asarray(clock, dtype=np.float64)
    if values.shape != (x.size, len(names), 3):
        raise ValueError(f"the values must have shape {(x.size, len(names), 3)}. Got {values.shape}.")
    figure = go.Figure()
    for k, name in enumerate(names):
        colour = colours.lanes[k]
        for which, fill in ((0, "none"), (2, "tonexty")):
            figure.add_trace(
                go.Scatter(
                    x=x, y=values[:, k, which], mode="lines", line={"width": 0, "color": colour}, fill=fill,
                    fillcolor=see_through(colour, 0.16), hoverinfo="skip", showlegend=False, name=f"{name}, seeds",
                    meta=feed(x=("steps", "step"), y=("rows", f"{k}.{channel}", f"col:{columns[which]}")),
                )
            )  # fmt: skip
    for k, name in enumerate(names):
        figure.add_trace(
            go.Scatter(
                x=x, y=values[:, k, 1], mode="lines", name=name, showlegend=False,
                line={"width": 2.5, "color": colours.lanes[k], "dash": LANE_DASHES[k]},
                meta=feed(x=("steps", "step"), y=("rows", f"{k}.{channel}", f"col:{columns[1]}")),
                hovertemplate=f"{hover}<extra>{name}</extra>",
            )
        )  # fmt: skip
    figure.update_layout(hovermode="x", showlegend=False)
    return figure


def _clock_axis(budget: int, title: str) -> dict[str, Any]:
    return {
        "title": {"text": title}, "range": [0, budget], "showgrid": False, "nticks": 7, "exponentformat": "none",
        "separatethousands": True,
    }  # fmt: skip
