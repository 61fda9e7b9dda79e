"""What does the network say, step by step? Tracks and probabilities of one example, over time."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from rnnviz.figures.base import Array, feed, finish, framed, note, numbers, outlines, stacked, time_axis, times
from rnnviz.figures.theme import FONT_SIZE, PROBABILITY, Theme, palette, see_through, stops

MOST_OUTLINES = 80  # steps; of more, squares would be narrower than their lines


def prediction_sequence(
    target: ArrayLike,
    output: ArrayLike,
    *,
    names: Sequence[str] = (),
    scored: tuple[int, int] | None = None,
    theme: Theme = "light",
) -> go.Figure:
    """Target and prediction of one example at every time step, a row an output.

    `target` and `output` (T,) or (T, O) in the units of the target, NaN in the padding; `names` label the rows if there
    are several. `scored` gives the first and the last time step (from 1) that count in the loss; the others are shaded.
    """
    true, said = (np.reshape(numbers(a, np.ndim(a), "a sequence"), (len(np.asarray(a)), -1)) for a in (target, output))
    steps, rows = true.shape
    finite = true[np.isfinite(true)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (-1.0, 1.0)
    pad = 0.25 * (high - low) or 1.0
    figure = go.Figure()
    for k, (axis, domain) in enumerate(stacked(rows)):
        _tracks(
            figure,
            true[:, k],
            said[:, k],
            ("frame", "outputs", f"col:{k}"),
            theme=theme,
            axis=axis,
            span=(low - pad, high + pad),
            scored=scored,
            first=k == 0,
        )
        title = names[k] if rows > 1 else "output <i>y<sub>t</sub></i>"
        span = [low - pad, high + pad]
        figure.update_layout(
            {axis: {"title": {"text": title}, "range": span, "nticks": 5 if rows == 1 else 3, "domain": domain}}
        )
    figure.update_layout(
        xaxis=time_axis(steps) | {"anchor": "y" if rows == 1 else f"y{rows}"},
        showlegend=True,
        margin={"t": 30},
        hovermode="x",
    )
    return finish(
        figure,
        theme=theme,
        question="What does it say?",
        look_for="The prediction should lie on the target; noise that nobody can foresee remains as a gap."
        if rows == 1
        else "The prediction should lie on the target, in every row.",
        height=200 if rows == 1 else 80 + 60 * rows,
        over_time=True,
    )


def prediction_probability(
    target: ArrayLike,
    probability: ArrayLike,
    *,
    names: tuple[str, str],
    scored: tuple[int, int] | None = None,
    theme: Theme = "light",
) -> go.Figure:
    """Where every step asks a yes-or-no question: the probability of yes beside the answer, 0 or 1.

    `target` and `probability` (T,), NaN in the padding; `names` what 0 and 1 are called.
    """
    true, said = numbers(target, 1, "target"), numbers(probability, 1, "probability")
    figure = go.Figure()
    span = (-0.08, 1.08)
    _tracks(figure, true, said, ("frame", "outputs", "row:1"), theme=theme, span=span, scored=scored)
    figure.update_layout(
        xaxis=time_axis(true.size),
        yaxis={
            "title": {"text": f"<i>p</i>({names[1]})"},
            "range": list(span),
            "tickvals": [0, 0.5, 1],
        },
        showlegend=True,
        margin={"t": 30},
        hovermode="x",
    )
    return finish(
        figure,
        theme=theme,
        question="What does it say?",
        look_for=f"1 is {names[1]}, 0 is {names[0]}; a level line at .5 is a guess.",
        height=200,
        over_time=True,
    )


def prediction_symbols(
    targets: ArrayLike,
    probabilities: ArrayLike,
    *,
    names: Sequence[str],
    scored: ArrayLike | None = None,
    wanted: Sequence[str] = (),
    theme: Theme = "light",
) -> go.Figure:
    """Class probabilities of one example at every step, the true class outlined.

    `targets` (S,) class indices from 0, `probabilities` (C, S) from 0 to 1, NaN in the padding, `names` C class names.
    Only steps where `scored` (S,) is true have an outline. With `wanted`, the S symbols a decoder has to say, they stand
    below their steps and the picture is over those steps rather than over sequence time.
    """
    colours = palette(theme)
    true = np.asarray(targets).astype(int)
    z = numbers(probabilities, 2, "probabilities")  # (C, S)
    classes, steps = z.shape
    if len(names) != classes:
        raise ValueError(f"names must name the {classes} classes. Got {len(names)}.")
    at = np.flatnonzero(np.ones(steps, bool) if scored is None else np.asarray(scored))
    figure = go.Figure(_probabilities(z, times(classes), names, "outputs", theme))
    if steps <= MOST_OUTLINES:
        figure.add_trace(outlines(at + 1, true[at] + 1, theme=theme))
    else:
        figure.add_trace(
            go.Scatter(
                x=at + 1,
                y=true[at] + 1,
                mode="markers",
                marker={"symbol": "line-ew-open", "size": 5, "color": colours.target},
                name="true class",
                hoverinfo="skip",
                showlegend=False,
            )
        )
    figure.update_layout(yaxis=_rows(names, theme), hovermode="closest")
    if wanted:
        title = "what it should say, step by step"
        ticks = {"tickvals": times(steps), "ticktext": list(wanted), "range": [0.5, steps + 0.5]}
        figure.update_layout(xaxis=framed(theme) | ticks | {"title": {"text": title}})
    else:
        figure.update_layout(xaxis=time_axis(steps) | framed(theme))
    return finish(
        figure,
        theme=theme,
        question="What does it say?",
        look_for="Full colour is probability 1, no colour 0; the true answer is outlined. It is right where the full cell "
        "is the outlined one.",
        height=_height(classes),
        over_time=not wanted,
    )


def prediction_labels(
    probabilities: ArrayLike,
    path: ArrayLike,
    *,
    names: Sequence[str],
    wanted: Sequence[str],
    theme: Theme = "light",
) -> go.Figure:
    """Label probabilities at every frame, the blank first, and what is left of the likeliest path (CTC).

    `probabilities` (O, T) from 0 to 1, NaN in the padding; `path` (T,) the number of the label that is said at a frame,
    repeats and blanks removed where they stand, NaN elsewhere; `names` of the O outputs; `wanted` the true labels in order.
    """
    colours = palette(theme)
    z = numbers(probabilities, 2, "probabilities")  # (O, T)
    outputs, steps = z.shape
    if len(names) != outputs:
        raise ValueError(f"names must name the {outputs} outputs. Got {len(names)}.")
    labels = numbers(path, 1, "path")
    said = [
        names[int(k)] if np.isfinite(k) else "\u200b" for k in labels
    ]  # Plotly loses count of points without a text
    figure = go.Figure(_probabilities(z, times(outputs), names, "outputs", theme))
    figure.add_trace(
        go.Scatter(
            x=times(steps),
            y=np.zeros(steps, np.float32),
            mode="text",
            text=said,
            textfont={"size": FONT_SIZE + 1, "color": colours.prediction, "weight": 600},
            meta=feed(text=("frame", "path", f"names:{'|'.join(names)}")),
            hoverinfo="skip",
            name="said",
        )
    )
    rows = _rows(names, theme)
    rows |= {"range": [outputs + 0.5, -0.7], "tickvals": np.arange(outputs + 1), "ticktext": ["<b>says</b>", *names]}
    figure.update_layout(
        xaxis=time_axis(steps) | framed(theme), yaxis=rows, hovermode="closest", margin={"t": 30}, showlegend=False
    )
    figure.add_annotation(
        note(f"should say <b>{' '.join(wanted)}</b>", theme=theme, x=0, xref="paper", xanchor="left")
        | {"y": 1, "yref": "paper", "yanchor": "bottom", "yshift": 4, "font": {"color": colours.ink}}
    )
    return finish(
        figure,
        theme=theme,
        question="What does it say?",
        look_for="Top row: the letters that are left when repeats and blanks are dropped. When each is said does not "
        "matter, only that they are the right ones in the right order.",
        height=_height(outputs) + 30,
        over_time=True,
    )


def prediction_future(past: ArrayLike, future: ArrayLike, *, shown: int = 48, theme: Theme = "light") -> go.Figure:
    """The last `shown` values of a signal, and how a network goes on that reads its own forecasts as if they were true.

    `past` (T,) and `future` (N,), in the units of the signal.
    """
    colours = palette(theme)
    was, comes = numbers(past, 1, "past"), numbers(future, 1, "future")
    T, N = was.size, comes.size
    first = max(0, T - shown)
    low, high = float(was.min()), float(was.max())
    pad = 0.3 * (high - low) or 1.0
    figure = go.Figure(
        go.Scatter(
            x=times(T)[first:],
            y=was[first:],
            mode="lines",
            line={"color": colours.target, "width": 1.75},
            name="signal",
            hovertemplate="signal %{y:.3g}<extra></extra>",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=T + times(N),
            y=comes,
            mode="lines",
            line={"color": colours.prediction, "width": 2.5, "dash": "dash"},
            name="what it expects",
            meta=feed(y=("frame", "future", "col:0")),
            hovertemplate="expects %{y:.3g}<extra></extra>",
        )
    )
    figure.add_shape(
        type="line", x0=T + 0.5, x1=T + 0.5, y0=0, y1=1, yref="paper", name="divider",
        line={"color": colours.frame, "width": 1.5},
    )  # fmt: skip
    figure.update_layout(
        xaxis={"title": {"text": "time step <i>t</i>"}, "range": [first + 0.5, T + N + 0.5], "showgrid": False},
        yaxis={"title": {"text": "signal <i>x<sub>t</sub></i>"}, "range": [low - pad, high + pad], "nticks": 4},
        showlegend=True,
        margin={"t": 30},
        hovermode="x",
    )
    return finish(
        figure,
        theme=theme,
        question="How does it think this goes on?",
        look_for="Right of the line it hears only itself. One who knows no more than the last value goes flat at once; "
        "a rhythm it has learned goes on for a while.",
        height=200,
    )


def attention_map(
    weights: ArrayLike, *, read: Sequence[str] = (), said: Sequence[str] = (), theme: Theme = "light"
) -> go.Figure:
    """How much each answer looks at each step of the input: a row an answer, every row sums to 1.

    `weights` (S, T), NaN in the padding. `read` names the T inputs and `said` the S answers; without `read` the picture is
    over sequence time. Where there is one answer, colours end at ten times the even weight 1/T.
    """
    z = numbers(weights, 2, "weights")
    answers, steps = z.shape
    end = 1.0 if answers > 1 else min(1.0, 10 / steps)
    figure = go.Figure(
        go.Heatmap(
            x=times(steps),
            y=times(answers),
            z=z,
            zmin=0.0,
            zmax=end,
            colorscale=stops(PROBABILITY, theme),
            showscale=False,
            zsmooth=False,
            hoverongaps=False,
            meta=feed(z=("frame", "attention")),
            hovertemplate="input step %{x}, answer %{y}<br>weight %{z:.3g}<extra></extra>",
            name="attention",
        )
    )
    rows = {"range": [answers + 0.5, 0.5], "tickvals": times(answers), "ticktext": list(said) or None}
    figure.update_layout(
        xaxis=(framed(theme) | {"title": {"text": "letter read"}, "range": [0.5, steps + 0.5]} if read else {}),
        yaxis=framed(theme) | rows | {"title": {"text": "letter to say" if said else "answer"}},
        hovermode="closest",
    )
    if read:
        figure.update_layout(xaxis={"tickvals": times(steps), "ticktext": list(read)})
    else:
        figure.update_layout(xaxis=time_axis(steps) | framed(theme))
    figure.add_annotation(
        note(f"0 … {end:.2g}", theme=theme, x=1, xref="paper", xanchor="left", xshift=8)
        | {"y": 1, "yref": "paper", "yanchor": "top"}
    )
    figure.update_layout(margin={"r": 76})
    return finish(
        figure,
        theme=theme,
        question="Where does it look?",
        look_for="One full cell in each row: it looks at one letter. A falling diagonal reads forwards, a rising "
        "one backwards."
        if said
        else f"A full column: the answer gives that step a weight of {end:.2g} or more, however long ago it was.",
        height=240 if answers > 1 else 110,
        over_time=not read,
    )


def _tracks(
    figure: go.Figure,
    true: Array,
    said: Array,
    live: tuple[str, ...],
    *,
    theme: Theme,
    span: tuple[float, float],
    axis: str = "yaxis",
    scored: tuple[int, int] | None = None,
    first: bool = True,
) -> None:
    """Target and prediction as two lines, and a veil over the steps that are not scored."""
    colours = palette(theme)
    steps = true.size
    two_levels = np.unique(true[np.isfinite(true)]).size <= 2
    shape = "hvh" if two_levels else "linear"
    y_axis = axis.replace("axis", "")
    common = {"x": times(steps), "mode": "lines", "yaxis": y_axis, "showlegend": first}
    figure.add_trace(
        go.Scatter(
            y=true,
            line={"color": colours.target, "width": 1.75, "shape": shape},
            name="target",
            legendgroup="target",
            hovertemplate="target %{y:.3g}<extra></extra>",
            **common,
        )
    )
    figure.add_trace(
        go.Scatter(
            y=said,
            line={"color": colours.prediction, "width": 2.5, "dash": "dash", "shape": shape},
            name="prediction",
            legendgroup="prediction",
            meta=feed(y=live),
            hovertemplate="prediction %{y:.3g}<extra></extra>",
            **common,
        )
    )
    if scored is None:
        return
    low, high = span
    ends = ((0.5, scored[0] - 0.5), (scored[1] + 0.5, steps + 0.5))
    outside = [(x0, x1) for x0, x1 in ends if x1 > x0]
    for k, (x0, x1) in enumerate(outside):
        figure.add_trace(
            go.Scatter(
                x=[x0, x1, x1, x0],
                y=[low, low, high, high],
                yaxis=y_axis,
                mode="lines",
                line={"width": 0, "color": colours.muted},
                fill="toself",
                fillcolor=see_through(colours.muted, 0.18),
                hoverinfo="skip",
                name="not scored",
                legendgroup="not scored",
                showlegend=first and k == 0,
            )
        )


def _probabilities(z: Array, rows: ArrayLike, names: Sequence[str], channel: str, theme: Theme) -> go.Heatmap:
    return go.Heatmap(
        x=times(z.shape[1]),
        y=rows,
        z=z,
        zmin=0.0,
        zmax=1.0,
        colorscale=stops(PROBABILITY, theme),
        zsmooth=False,
        hoverongaps=False,
        showscale=False,
        name="probability",
        customdata=np.broadcast_to(np.array(names)[:, None], z.shape),
        meta=feed(z=("frame", channel)),
        hovertemplate="step %{x}, %{customdata}<br>probability %{z:.3g}<extra></extra>",
    )


def _rows(names: Sequence[str], theme: Theme) -> dict[str, object]:
    classes = len(names)
    small = {"tickfont": {"size": 10}} if classes > 16 else {}
    return (
        framed(theme)
        | {
            "title": {"text": "answer"},
            "range": [classes + 0.5, 0.5],
            "tickvals": times(classes),
            "ticktext": list(names),
        }
        | small
    )


def _height(classes: int) -> int:
    return max(200, 64 + 11 * classes)
