"""What does the network read? The input of the probe example, over sequence time."""

from collections.abc import Collection, Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from rnnviz.figures.base import finish, framed, note, numbers, stacked, time_axis, times
from rnnviz.figures.theme import SIGNED, Theme, palette, stops


def input_marked_values(inputs: ArrayLike, *, theme: Theme = "light") -> go.Figure:
    """Bars of a value at each time step, the marked steps highlighted with their value (the adding task).

    `inputs` (T, 2): the value, and a marker that is above .5 where the value counts.
    """
    colours = palette(theme)
    array = numbers(inputs, 2, "inputs")
    value, marked = array[:, 0], array[:, 1] > 0.5
    figure = go.Figure(
        go.Bar(
            x=times(value.size),
            y=value,
            marker={"color": np.where(marked, colours.positive, colours.faint), "line": {"width": 0}},
            customdata=np.where(marked, "marked", "not marked"),
            hovertemplate="t = %{x}, %{customdata}<br>value %{y:.3g}<extra></extra>",
            name="value",
        )
    )
    top = max(1.0, float(value.max(initial=0.0)))
    at = times(value.size)[marked]
    # The numbers stand above every bar; two that are close lean away from each other.
    close = at.size == 2 and at[1] - at[0] < value.size / 10
    figure.add_trace(
        go.Scatter(
            x=at,
            y=np.full(at.size, top),
            mode="text",
            text=[f"<b>{v:.2f}</b>" for v in value[marked]],
            textposition=["top left", "top right"] if close else "top center",
            textfont={"size": 13, "color": colours.ink},
            cliponaxis=False,
            hoverinfo="skip",
            name="marked value",
        )
    )
    figure.update_layout(
        xaxis=time_axis(value.size),
        yaxis={
            "title": {"text": "value <i>x<sub>t</sub></i>"},
            "range": [min(0.0, float(value.min(initial=0.0))), top * 1.35],
            "tickvals": [0, top],
        },
        bargap=0.2,
        showlegend=False,
        hovermode="closest",
    )
    return finish(
        figure,
        theme=theme,
        question="What does it read?",
        look_for="Only the two highlighted values count: their sum is the answer, wanted at the last step.",
        height=120,
        over_time=True,
    )


def input_symbols(
    inputs: ArrayLike, *, names: Sequence[str], highlight: Collection[str] = (), theme: Theme = "light"
) -> go.Figure:
    """A raster of one-hot symbols: a row a symbol, a filled cell where it is read (temporal order and its like).

    `inputs` (T, K) one-hot, `names` K symbol names, first at the top; those in `highlight` are the ones that matter.
    """
    colours = palette(theme)
    array = numbers(inputs, 2, "inputs")
    if array.shape[1] != len(names):
        raise ValueError(f"names must name the {array.shape[1]} symbols of inputs. Got {len(names)}.")
    matters = np.array([name in highlight for name in names])
    z = np.where(array > 0.5, np.where(matters, 2, 1), 0).T.astype(
        np.uint8
    )  # (K, T): 0 absent, 1 a distractor, 2 matters
    absent, present, important = colours.panel, colours.faint, colours.positive
    if not matters.any():
        present = colours.ink
    figure = go.Figure(
        go.Heatmap(
            x=times(array.shape[0]),
            y=times(len(names)),
            z=z,
            zmin=-0.5,
            zmax=2.5,
            colorscale=[
                [0, absent],
                [1 / 3, absent],
                [1 / 3, present],
                [2 / 3, present],
                [2 / 3, important],
                [1, important],
            ],
            showscale=False,
            zsmooth=False,
            hoverongaps=False,
            customdata=np.broadcast_to(np.array(names)[:, None], z.shape),
            hovertemplate="t = %{x}, symbol %{customdata}<extra></extra>",
            name="symbol",
        )
    )
    figure.update_layout(
        xaxis=time_axis(array.shape[0]) | framed(theme),
        yaxis=framed(theme)
        | {
            "title": {"text": "symbol <i>x<sub>t</sub></i>"},
            "range": [len(names) + 0.5, 0.5],
            "tickvals": times(len(names)),
            "ticktext": list(names),
        },
        hovermode="closest",
    )
    listed = " and ".join(name for name in names if name in highlight)
    return finish(
        figure,
        theme=theme,
        question="What does it read?",
        look_for=f"Only {listed} matter; every other symbol is a distraction."
        if listed
        else "One symbol at every time step.",
        height=70 + 16 * max(len(names), 3),
        over_time=True,
    )


def input_wave(inputs: ArrayLike, *, names: Sequence[str] = (), theme: Theme = "light") -> go.Figure:
    """The input over time, a row a feature: a line, or bars where it is nothing but pulses of one size.

    `inputs` (T, I), NaN in the padding; `names` label the rows if there are several.
    """
    colours = palette(theme)
    array = numbers(inputs, 2, "inputs")
    steps, features = array.shape
    size = float(np.nanmax(np.abs(array), initial=0.0)) or 1.0
    pulses = bool(np.isin(array[np.isfinite(array)], (-size, 0, size)).all()) and features > 1
    figure = go.Figure()
    for k, (axis, domain) in enumerate(stacked(features)):
        label = names[k] if k < len(names) else f"feature {k + 1}"
        y = array[:, k]
        common = {"x": times(steps), "y": y, "name": label, "yaxis": axis.replace("axis", "")}
        if pulses:
            colour = np.where(y > 0, colours.positive, colours.negative)
            hover = f"{label} %{{y:.3g}}<extra></extra>"
            figure.add_trace(go.Bar(marker={"color": colour, "line": {"width": 0}}, hovertemplate=hover, **common))
        else:
            line = {"color": colours.ink, "width": 2}
            figure.add_trace(
                go.Scatter(mode="lines", line=line, hovertemplate=f"{label} %{{y:.3g}}<extra></extra>", **common)
            )
        shown = {"title": {"text": label if features > 1 else "input <i>x<sub>t</sub></i>"}, "domain": domain}
        row = {"range": [-1.1 * size, 1.1 * size], "tickvals": [-size, 0, size], "zeroline": True} if pulses else {}
        figure.update_layout({axis: {"nticks": 4, "zerolinecolor": colours.frame} | shown | row})
    figure.update_layout(
        xaxis=time_axis(steps) | {"anchor": "y" if features == 1 else f"y{features}"},
        showlegend=False,
        bargap=0.2,
        hovermode="x",
    )
    return finish(
        figure,
        theme=theme,
        question="What does it read?",
        look_for="One value at every time step; what comes next depends on the steps before it."
        if features == 1
        else "A row for each channel.",
        height=130 if features == 1 else 70 + 50 * features,
        over_time=True,
    )


def input_heat(
    inputs: ArrayLike,
    *,
    names: Sequence[str],
    limit: float | None = None,
    low_first: bool = True,
    theme: Theme = "light",
) -> go.Figure:
    """Numbers as colours, a row a feature: bits, noise, the bands of a spectrum, the rows of an image.

    `inputs` (T, I), NaN in the padding, `names` I feature names, the first at the top or, with `low_first` false, at the
    bottom. Colours end at +-`limit`, by default the largest size there is.
    """
    array = numbers(inputs, 2, "inputs")
    steps, features = array.shape
    if features != len(names):
        raise ValueError(f"names must name the {features} features of inputs. Got {len(names)}.")
    end = limit or float(np.nanmax(np.abs(array), initial=0.0)) or 1.0
    figure = go.Figure(
        go.Heatmap(
            x=times(steps),
            y=times(features),
            z=array.T,
            zmin=-end,
            zmax=end,
            colorscale=stops(SIGNED, theme),
            showscale=False,
            zsmooth=False,
            hoverongaps=False,
            customdata=np.broadcast_to(np.array(names)[:, None], (features, steps)),
            hovertemplate="t = %{x}, %{customdata}<br>%{z:.3g}<extra></extra>",
            name="input",
        )
    )
    every = -(-features // 6)  # labels that find room
    rows = [features + 0.5, 0.5] if low_first else [0.5, features + 0.5]
    figure.update_layout(
        xaxis=time_axis(steps) | framed(theme),
        yaxis=framed(theme)
        | {
            "title": {"text": "input <i>x<sub>t</sub></i>" if features > 1 else ""},
            "range": rows,
            "tickvals": times(features)[::every],
            "ticktext": list(names)[::every],
        },
        hovermode="closest",
    )
    if features == 1:
        figure.update_layout(yaxis={"title": {"text": "<i>x<sub>t</sub></i>"}})
    figure.add_annotation(
        note(f"−{end:.2g} … {end:.2g}", theme=theme, x=1, xref="paper", xanchor="left", xshift=8)
        | {"y": 1, "yref": "paper", "yanchor": "top"}
    )
    return finish(
        figure,
        theme=theme,
        question="What does it read?",
        look_for="Blue is positive, orange negative, the panel's own colour 0.",
        height=90 if features == 1 else 70 + 12 * max(features, 6),
        over_time=True,
    )


def input_images(images: ArrayLike, *, titles: Sequence[str], columns: int = 4, theme: Theme = "light") -> go.Figure:
    """Images upright, side by side, as a reader sees them and the network never does.

    `images` (T, B, I): B images of T rows, the top one first, and I columns; `titles` what stands under each.
    """
    array = numbers(images, 3, "images")
    T, B, I = array.shape  # an image is square, whatever number of rows was read of it
    down = -(-B // columns)
    figure = go.Figure()
    every = [(k % columns, k // columns) for k in range(B)]
    for k, (i, j) in enumerate(every):
        figure.add_trace(
            go.Heatmap(
                x=i * 1.15 + (np.arange(I) + 0.5) / I,
                y=j * 1.35 + (np.arange(T) + 0.5) / T,
                z=array[:, k],
                zmin=-1.0,
                zmax=1.0,
                colorscale=stops(SIGNED, theme),
                showscale=False,
                zsmooth=False,
                hoverongaps=False,
                hovertemplate=f"{titles[k]}<extra></extra>",
                name=f"image {k + 1}",
            )
        )
        figure.add_annotation(
            note(titles[k], theme=theme, x=i * 1.15 + 0.5, xref="x", y=j * 1.35 + 1.02, yref="y", yanchor="top")
        )
    hidden = {"showticklabels": False, "showgrid": False, "title": {"text": " "}}
    figure.update_layout(
        xaxis=hidden | {"range": [-0.05, columns * 1.15 - 0.1], "constrain": "domain"},
        yaxis=hidden | {"range": [down * 1.35, -0.05], "scaleanchor": "x", "constrain": "domain"},
        margin={"l": 16, "b": 4},
        hovermode="closest",
    )
    return finish(
        figure,
        theme=theme,
        question="What would we see?",
        look_for="The examples upright. The network reads each from top to bottom, one row of pixels at a time.",
        height=270,
    )
