"""Where does the state go? Trajectories seen from fixed axes, the field that carries them, and where it stands still."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from rnnviz.figures import theme as look
from rnnviz.figures.base import Array, finish, maths, numbers
from rnnviz.figures.theme import SIGNED, SPEED, TIME, Theme, palette, stops

HEIGHT = 470
ARROWS = 19  # along each side; more would touch
# A quarter turn from every axis, so that eight corners of a cube are eight places in the picture.
CAMERA = {"eye": {"x": 1.42, "y": 1.21, "z": 0.8}, "center": {"x": 0, "y": 0, "z": -0.17}}

# Kind -> plotly symbol, and what such a point does. Shapes survive grey-scale print, and these exist in 3-D too.
POINTS: dict[str, tuple[str, str]] = {
    "stable": ("circle", "pulls in from every side"),
    "saddle": ("diamond-open", "pulls in along some directions, pushes out along others"),
    "unstable": ("circle-open", "pushes out on every side"),
    "slow": ("cross", "no fixed point, but the state lingers"),
}


class Colouring(NamedTuple):
    """What the colour of each moment of a trajectory says.

    Attributes:
        name: of the quantity, as the legend has it.
        kind: "time" (1 … T, from pale to deep), "signed" (from -`limit` to `limit`) or "class" (0, 1, …; NaN for none).
        values: (T, S) for each moment of each trajectory.
        names: of the classes.
        limit: where the colours of a signed quantity end.
    """

    name: str
    kind: Literal["time", "signed", "class"]
    values: ArrayLike
    names: Sequence[str] = ()
    limit: float = 1.0


def trajectories_2d(
    scores: ArrayLike,
    colouring: Colouring,
    *,
    half: float,
    explained: Sequence[float] = (),
    principal: bool = True,
    theme: Theme = "light",
) -> go.Figure:
    """Paths of many examples in a plane of fixed axes.

    `scores` (T, S, 2 or more): S trajectories along the first two axes, NaN in the padding. `half`: both axes reach from
    -`half` to `half` at least, in the same unit, whatever the training step. `explained`: each axis' share of the variance.
    `principal`: whether they are principal components, or others that span the same.
    """
    path = numbers(scores, 3, "scores")
    x, y = path[..., 0], path[..., 1]
    figure = go.Figure()
    figure.add_trace(go.Scatter(x=_joined(x), y=_joined(y), mode="lines", **_thread(theme)))
    for style, shown in _moments(colouring, 5, theme):
        figure.add_trace(go.Scatter(x=x.T[shown], y=y.T[shown], mode="markers", **style))
    axes = [_axis(k, explained, principal) | {"range": [-half, half], "zeroline": True} for k in range(2)]
    zero = {"zerolinecolor": palette(theme).grid, "zerolinewidth": 1}
    figure.update_layout(
        xaxis=axes[0] | zero,
        yaxis=axes[1] | zero | {"scaleanchor": "x"},  # a length is a length in every direction
        hovermode="closest",
        margin={"r": look.RIGHT_MARGIN, "t": 34},
    )
    return finish(figure, theme=theme, question=_QUESTION, look_for=_look_for(colouring), height=HEIGHT)


def trajectories_3d(
    scores: ArrayLike,
    colouring: Colouring,
    *,
    half: float,
    explained: Sequence[float] = (),
    principal: bool = True,
    theme: Theme = "light",
) -> go.Figure:
    """Like `trajectories_2d`, along three axes and from one fixed camera, which a reader may turn."""
    path = numbers(scores, 3, "scores")
    x, y, z = path[..., 0], path[..., 1], path[..., 2]
    figure = go.Figure()
    figure.add_trace(go.Scatter3d(x=_joined(x), y=_joined(y), z=_joined(z), mode="lines", **_thread(theme, solid=True)))
    for style, shown in _moments(colouring, 3, theme):
        figure.add_trace(go.Scatter3d(x=x.T[shown], y=y.T[shown], z=z.T[shown], mode="markers", **style))
    colours = palette(theme)
    plain = {
        "range": [-half, half],
        "nticks": 4,
        "gridcolor": colours.grid,
        "zerolinecolor": colours.frame,
        "showbackground": False,
        "showspikes": False,
        "tickfont": {"size": look.FONT_SIZE - 2, "color": colours.muted},
    }
    figure.update_layout(
        scene={f"{name}axis": _axis(k, explained, principal, short=True) | plain for k, name in enumerate("xyz")}
        | {"aspectmode": "cube", "camera": CAMERA, "dragmode": "turntable"},
        hovermode="closest",
        margin={"l": 0, "r": 0, "t": 34, "b": 0},
    )
    return finish(
        figure, theme=theme, question=_QUESTION, look_for=_look_for(colouring) + " Drag to turn.", height=HEIGHT
    )


def phase_portrait(
    ends: Sequence[float],
    moves: ArrayLike,
    scores: ArrayLike,
    colouring: Colouring,
    *,
    names: Sequence[str] = ("h_1", "h_2"),
    held: str = "zero",
    theme: Theme = "light",
) -> go.Figure:
    """The field that carries a state of two numbers: how far and where to it goes in one step while the input stands still.

    `ends` (low, high) of both axes. `moves` (G, G, 2) is F(s) - s on an even grid over them, rows along the second number.
    `scores` (T, S, 2): trajectories with their own inputs, drawn over the field. `held` says in words which input is held.
    """
    field = numbers(moves, 3, "moves")
    path = numbers(scores, 3, "scores")
    grid = np.linspace(ends[0], ends[1], len(field))
    with np.errstate(divide="ignore"):
        speed = np.log10(np.hypot(field[..., 0], field[..., 1]))
    fast = float(np.nanmax(speed, initial=-3.0))
    colours = palette(theme)
    figure = go.Figure(
        go.Heatmap(
            x=grid,
            y=grid,
            z=np.maximum(speed, -12).astype(np.float32),
            zmin=fast - 2.5,
            zmax=fast,
            colorscale=stops(SPEED, theme),
            showscale=False,
            zsmooth=False,
            hoverongaps=False,
            name="speed",
            customdata=10.0**speed,
            hovertemplate="(%{x:.2f}, %{y:.2f})<br>moves %{customdata:.3g} in one step<extra></extra>",
        )
    )
    every = np.unique(np.linspace(0, len(grid) - 1, ARROWS).round().astype(int))
    at_x, at_y = (a.ravel() for a in np.meshgrid(grid[every], grid[every]))
    step = field[np.ix_(every, every)].reshape(-1, 2)
    # All arrows have one length: how fast is said by the shade, and the slow ones are the ones to be seen.
    long = np.hypot(step[:, 0], step[:, 1])
    unit = np.divide(step, long[:, None], out=np.zeros_like(step), where=long[:, None] > 0)
    reach = 0.62 * (ends[1] - ends[0]) / (len(every) - 1)
    head_x, head_y = at_x + unit[:, 0] * reach / 2, at_y + unit[:, 1] * reach / 2
    apart = np.full_like(at_x, np.nan)
    figure.add_trace(
        go.Scatter(
            x=np.stack([at_x - unit[:, 0] * reach / 2, head_x, apart], 1).ravel(),
            y=np.stack([at_y - unit[:, 1] * reach / 2, head_y, apart], 1).ravel(),
            mode="lines",
            line={"color": colours.muted, "width": 1},
            hoverinfo="skip",
            showlegend=False,
            name="direction",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=head_x,
            y=head_y,
            mode="markers",
            marker={
                "symbol": "arrow",
                "size": 6,
                "color": colours.muted,
                "angle": np.degrees(np.arctan2(unit[:, 0], unit[:, 1])),  # clockwise from up
                "line": {"width": 0},
            },
            hoverinfo="skip",
            showlegend=False,
            name="heads",
        )
    )
    figure.add_trace(go.Scatter(x=_joined(path[..., 0]), y=_joined(path[..., 1]), mode="lines", **_thread(theme)))
    for style, shown in _moments(colouring, 5, theme):
        figure.add_trace(go.Scatter(x=path[..., 0].T[shown], y=path[..., 1].T[shown], mode="markers", **style))
    axis = {"range": list(ends), "showgrid": False, "constrain": "domain"}
    figure.update_layout(
        xaxis=axis | {"title": {"text": maths(names[0])}},
        yaxis=axis | {"title": {"text": maths(names[1])}, "scaleanchor": "x"},
        hovermode="closest",
        margin={"r": look.RIGHT_MARGIN, "t": 34},
    )
    return finish(
        figure,
        theme=theme,
        question="Where would each state go, and how fast?",
        look_for=f"Arrows: the next step while the input is held at {held}. Shaded: slow. Dots: examples, moved "
        "by their own input as well.",
        height=HEIGHT,
    )


def mark_fixed_points(
    figure: go.Figure,
    points: ArrayLike,
    kinds: Sequence[str],
    *,
    q: ArrayLike = (),
    pushes: ArrayLike = (),
    theme: Theme = "light",
) -> go.Figure:
    """Draw K fixed and slow points over trajectories or a phase portrait; the legend counts them.

    `points` (K, 2 or 3) in the picture's axes, `kinds` names from `POINTS`. `q` (K,) and `pushes` (K,), the number of
    directions that push away, are shown on hover.
    """
    at = numbers(points, 2, "points")
    if unknown := set(kinds) - set(POINTS):
        raise ValueError(f"kinds must be names from {', '.join(POINTS)}. Got {', '.join(sorted(unknown))}.")
    solid = "scene" in figure.layout.to_plotly_json()
    colours = palette(theme)
    slow, away = np.broadcast_to(q, len(at)) if np.size(q) else np.zeros(len(at)), np.zeros(len(at))
    if np.size(pushes):
        away = np.asarray(pushes, float)
    for kind, (symbol, _) in POINTS.items():
        chosen = np.array([one == kind for one in kinds], bool)
        if not chosen.any():
            continue
        outlined = symbol.endswith("-open")
        style: dict[str, Any] = {
            "mode": "markers",
            "name": f"{int(chosen.sum())} {kind}",
            "meta": {"kind": kind},
            "customdata": np.stack([slow[chosen], away[chosen]], 1),
            "hovertemplate": f"{kind}, q = %{{customdata[0]:.1g}}<br>"
            "pushes out along %{customdata[1]:.0f} directions<extra></extra>",
            "marker": {
                "symbol": symbol,
                "size": (7 if solid else 13) - 2 * (kind == "slow"),
                "color": colours.muted if kind == "slow" else colours.ink,
                "line": {"width": 2 if outlined else 1.5, "color": colours.ink if outlined else colours.panel},
            },
        }
        axes = dict(zip("xyz", at[chosen].T, strict=False))
        if solid:
            figure.add_trace(go.Scatter3d(x=axes["x"], y=axes["y"], z=axes["z"], **style))
        else:
            figure.add_trace(go.Scatter(x=axes["x"], y=axes["y"], **style))
    top = 56  # room for a legend of two lines
    height = figure.layout.height + top - figure.layout.margin.t
    figure.update_layout(
        height=height, margin={"t": top}, meta=dict(figure.layout.meta) | {"height": height}, showlegend=True
    )
    return figure


_QUESTION = "Where does the state go?"


def _look_for(colouring: Colouring) -> str:
    return {
        "time": "Do the paths come to rest, go round, or drift? Deep colour is late.",
        "class": f"Do examples of one {colouring.name} end up together, apart from the others?",
        "signed": f"Does “{colouring.name}” decide where the state is? Blue is positive, orange negative.",
    }[colouring.kind]


def _axis(k: int, explained: Sequence[float], principal: bool, *, short: bool = False) -> dict[str, Any]:
    share = f" ({100 * explained[k]:.3g} %{'' if short else ' of the variance'})" if k < len(explained) else ""
    font = {"font": {"size": look.FONT_SIZE - 1}} if short else {}
    return {"title": {"text": f"{'PC' if principal else 'axis'} {k + 1}{share}"} | font}


def _joined(values: Array) -> Array:
    """(T, S) -> one line, with a gap after each trajectory."""
    gap = np.full((1, values.shape[1]), np.nan, values.dtype)
    joined: Array = np.concatenate([values, gap]).T.ravel()
    return joined


def _thread(theme: Theme, *, solid: bool = False) -> dict[str, Any]:
    colours = palette(theme)
    # In 3-D a see-through line is drawn white where nothing is behind it.
    colour = colours.frame if solid else look.see_through(colours.muted, 0.28)
    return {"line": {"color": colour, "width": 1}, "hoverinfo": "skip", "showlegend": False, "name": "path"}


def _moments(colouring: Colouring, size: float, theme: Theme) -> list[tuple[dict[str, Any], NDArray[np.bool_]]]:
    """For each trace of dots its style, and which moments (S, T) it has."""
    values = numbers(colouring.values, 2, "values")
    colours = palette(theme)
    T, S = values.shape
    when = np.stack([np.broadcast_to(np.arange(1, T + 1), (S, T)), values.T], 2)
    # In 3-D edges would cover dots as small as these.
    edge = {"width": 0.5 if size > 4 else 0, "color": look.see_through(colours.muted, 0.6)}
    if colouring.kind == "class":
        found: list[tuple[dict[str, Any], NDArray[np.bool_]]] = []
        most = len(colours.lanes)
        for k, name in enumerate(colouring.names[:most]):
            rest = k == most - 1 and len(colouring.names) > most  # a colour used twice would say they are the same
            shown = k <= values.T if rest else k == values.T
            label = "others" if rest else name
            style: dict[str, Any] = {
                "marker": {"size": size, "color": colours.lanes[k], "opacity": 0.8, "line": {"width": 0}},
                "name": label,
                "customdata": when[shown],
                "hovertemplate": f"t = %{{customdata[0]}}<br>{colouring.name} {label}<extra></extra>",
            }
            found.append((style, np.asarray(shown)))
        return found
    time = colouring.kind == "time"
    shown = np.asarray(np.isfinite(values.T))
    bar = {
        "title": {"text": colouring.name, "side": "right", "font": {"size": look.FONT_SIZE - 1}},
        "thickness": 9,
        "len": 0.6,
        "outlinewidth": 0,
        "nticks": 5,
        "tickfont": {"size": look.FONT_SIZE - 2, "color": colours.muted},
    }
    style = {
        "marker": {
            "size": size,
            "color": values.T[shown],
            "cmin": 1 if time else -colouring.limit,
            "cmax": T if time else colouring.limit,
            "colorscale": stops(TIME if time else SIGNED, theme),
            "colorbar": bar,
            "showscale": True,
            "line": edge,
        },
        "name": colouring.name,
        "showlegend": False,
        "customdata": when[shown],
        "hovertemplate": "t = %{customdata[0]}"
        + ("" if time else f"<br>{colouring.name} %{{customdata[1]:.3g}}")
        + "<extra></extra>",
    }
    return [(style, shown)]
