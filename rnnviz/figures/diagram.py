"""One step of a cell as a diagram: symbols and operations as boxes, what runs between them as wires with numbers.

The place of a box means nothing; its number and colour, and the number, colour and thickness of a wire, are measured. Three
cells are laid out by hand; any other in columns, each box right of all it needs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
import plotly.graph_objects as go

from rnnviz.figures.base import Array, finish, maths, note
from rnnviz.figures.theme import FONT_SIZE, GATE, SIGNED, SIZE, Theme, legible_on, palette, sample, see_through

BOX, DOT = 58, 30  # pixels
THINNEST, THICKEST = 1.2, 9.0
Place = tuple[float, float]

LAYOUTS: Final[Mapping[str, Mapping[str, Place]]] = MappingProxyType(
    {
        "rnn": {"past h": (0, 0.85), "x": (0, 0.15), "h": (1, 0.5)},
        "lstm": {
            "past c": (0, 1), "past h": (0, 0.62), "x": (0, 0.22), "forget": (0.3, 0.78), "input": (0.3, 0.54),
            "candidate": (0.3, 0.3), "output": (0.3, 0.04), "c 1": (0.52, 0.95), "c 2": (0.52, 0.43), "c": (0.7, 0.78),
            "h 1": (0.84, 0.42), "h": (1, 0.1),
        },
        "gru": {
            "past h": (0, 0.92), "x": (0, 0.1), "update": (0.28, 0.64), "reset": (0.28, 0.34), "candidate 1": (0.46, 0.3),
            "candidate": (0.63, 0.12), "h 2": (0.5, 0.56), "h 1": (0.79, 0.38), "h 3": (0.79, 0.92), "h": (1, 0.66),
        },
    }
)  # fmt: skip


class Part(NamedTuple):
    """A box of the diagram.

    Attributes:
        name: what wires call it.
        symbol: as `maths` takes it; "" for an operation.
        rule: what is done here, such as "σ" or "+".
        kind: "gate" for a value from 0 to 1, "operation", "size" for one without a sign, or "signed" for any other.
        number: its value or gradient.
        words: what it is, for the pointer.
        text: what stands there in place of the number, where one number would not do.
        gate: name of the gate, for its accent.
    """

    name: str
    symbol: str
    rule: str
    kind: str
    number: float
    words: str = ""
    text: str = ""
    gate: str = ""


class _Arrow(NamedTuple):
    """x, y (2,): from the first point to the second."""

    x: Array
    y: Array
    size: float
    colour: str


class _Pieces(NamedTuple):
    """What a figure is made of, collected first: adding to a plotly figure piece by piece takes several times as long."""

    traces: list[go.Scatter]
    arrows: list[_Arrow]
    notes: list[dict[str, Any]]


class Link(NamedTuple):
    """A wire and what runs along it."""

    source: str
    target: str
    number: float


def short(value: float) -> str:
    """At most 3 significant digits, powers of ten written out."""
    if not np.isfinite(value):
        return "no number" if np.isnan(value) else "∞" if value > 0 else "−∞"
    mantissa, _, power = f"{value:.3g}".replace("-", "−").partition("e")
    if mantissa in ("0", "−0"):
        return "0"
    exponent = power.replace("−0", "−").lstrip("+0")
    return f"{mantissa}·10<sup>{exponent}</sup>" if power else mantissa


def cell_diagram(
    parts: Sequence[Part],
    links: Sequence[Link],
    *,
    cell: str = "",
    backward: bool = False,
    mirrored: bool = False,
    sizes: bool = False,
    theme: Theme = "light",
) -> go.Figure:
    """One step of a unit, or of all: every symbol once with its number, every wire with what runs along it.

    `cell` names a layout made by hand, if there is one. With `backward` the numbers are gradients and the arrows point back.
    `mirrored`: the layer reads from the end, so its past stands at the right. `sizes`: what runs along the wires has no
    sign, such as a root mean square. Thickness and colour are relative to the largest number in the picture, forward to 1
    at least.
    """
    known = {part.name: part for part in parts}
    if unknown := {end for link in links for end in link[:2]} - set(known):
        raise ValueError(f"links must run between the parts. Got {', '.join(sorted(unknown))}.")
    drawn = [part.number for part in parts if not part.text] + [link.number for link in links]
    found = np.abs([number for number in drawn if np.isfinite(number)])
    limit = float(found.max(initial=0.0)) or 1.0
    if not backward:
        limit = max(limit, 1.0)
    by_hand = LAYOUTS.get(cell, {})
    if set(by_hand) == set(known):
        at, routes = dict(by_hand), [[by_hand[a], by_hand[b]] for a, b, _ in links]
        rows = 2 if len(parts) == 3 else 4
    else:
        at, routes, rows = _columns([part.name for part in parts], links)
    if mirrored:
        at = {name: (1 - x, y) for name, (x, y) in at.items()}
        routes = [[(1 - x, y) for x, y in route] for route in routes]
    pieces = _Pieces([], [], [])
    height = max(260, 40 + 105 * rows)
    labels = _label_places(routes, list(at.values()), height)
    for link, route, label in zip(links, routes, labels, strict=True):
        _wire(pieces, link, known[link.source], route, label, limit, backward, sizes, theme)
    pieces.traces.append(_heads(pieces.arrows))
    for operations in (True, False):
        shown = [part for part in parts if (part.kind == "operation") == operations]
        if shown:
            _boxes(pieces, shown, at, limit, backward, operations, theme)
    words = "the gradient runs" if backward else "it reads from the end" if mirrored else "time runs"
    words = f"{words} →" if backward == mirrored else f"← {words}"
    pieces.notes.append(
        note(words, theme=theme, x=0 if mirrored else 1, xref="paper", xanchor="left" if mirrored else "right")
        | {"y": 1, "yref": "paper", "yanchor": "top"}
    )
    hidden = {"visible": False, "fixedrange": True}
    figure = go.Figure(
        pieces.traces,
        {
            "annotations": pieces.notes,
            "xaxis": hidden
            | {"title": {"text": f"from step t {'+' if mirrored else '−'} 1 to step t"}, "range": [-0.045, 1.045]},
            "yaxis": hidden | {"title": {"text": "parts of the cell"}, "range": [-0.11, 1.15]},
            "margin": {"l": 8, "r": 8, "t": 4, "b": 4},
            "showlegend": False,
            "hovermode": "closest",
            "dragmode": False,
        },
    )
    return finish(
        figure,
        theme=theme,
        question="Which way back does the error take at this step?"
        if backward
        else "What does the cell do at this step?",
        look_for="Each number is a gradient of this example’s loss; thickness is relative to the largest here. Little of "
        "the error takes the way of a thin wire."
        if backward
        else f"A thick wire carries a large value: {'grey' if sizes else 'blue positive, orange negative'}, teal a gate "
        "from 0 to 1. A gate near 0 makes the wire behind its ⊙ thin, whatever came in.",
        height=height,
    )


def _shade(number: float, kind: str, limit: float, theme: Theme, *, faintest: float = 0.0) -> str:
    """A gate's teal, grey for a size, or blue and orange around 0; `faintest` keeps a thin line visible."""
    if kind == "gate":
        return sample(GATE, theme, max(faintest, min(max(number, 0.0), 1.0)))
    share = min(abs(number) / limit, 1.0) if np.isfinite(number) else 1.0
    share = max(faintest, share)
    if kind == "size":
        return sample(SIZE, theme, share)
    return sample(SIGNED, theme, 0.5 + 0.5 * share * (1 if number >= 0 else -1))


def _wire(
    pieces: _Pieces,
    link: Link,
    source: Part,
    route: list[Place],
    label: int,
    limit: float,
    backward: bool,
    sizes: bool,
    theme: Theme,
) -> None:
    colours = palette(theme)
    x, y = _curve(route)
    share = min(abs(link.number) / limit, 1.0) if np.isfinite(link.number) else 0.0
    kind = "gate" if source.kind == "gate" and not backward else "size" if sizes else "signed"
    colour = _shade(link.number, kind, limit, theme, faintest=0.45) if share else colours.frame
    pieces.traces.append(
        go.Scatter(
            x=x,
            y=y,
            mode="lines",
            line={
                "color": colour,
                "width": THINNEST + (THICKEST - THINNEST) * share,
                "dash": "solid" if share else "dot",
            },
            name=f"{link.source} → {link.target}",
            hoverinfo="skip",
        )
    )
    head = np.array([0.27, 0.24] if backward else [0.73, 0.76]) * (len(x) - 1)
    k = head.astype(int)
    pieces.arrows.append(_Arrow(x[k], y[k], 10 + 13 * share, colour))
    pieces.notes.append(
        note(short(link.number), theme=theme, x=float(x[label]), y=float(y[label]), name="wire")
        | {"font": {"size": 11, "color": colours.ink}, "bgcolor": see_through(colours.page, 0.85)}
    )


def _heads(arrows: Sequence[_Arrow]) -> go.Scatter:
    """All arrow heads as one trace, which is drawn much faster than one each: a point without size, the head, a gap."""
    gap = [np.nan]
    return go.Scatter(
        x=np.concatenate([part for arrow in arrows for part in (arrow.x, gap)]),
        y=np.concatenate([part for arrow in arrows for part in (arrow.y, gap)]),
        mode="markers",
        marker={
            "symbol": "arrow",
            "angleref": "previous",
            "size": np.array([size for arrow in arrows for size in (0.0, arrow.size, 0.0)]),
            "color": [arrow.colour for arrow in arrows for _ in range(3)],
            "line": {"width": 0},
        },
        name="arrows",
        hoverinfo="skip",
    )


def _boxes(
    pieces: _Pieces,
    parts: Sequence[Part],
    at: Mapping[str, Place],
    limit: float,
    backward: bool,
    operations: bool,
    theme: Theme,
) -> None:
    colours = palette(theme)
    fills = [
        colours.panel
        if operations or part.text
        else _shade(part.number, "signed" if backward and part.kind == "gate" else part.kind, limit, theme)
        for part in parts
    ]
    pieces.traces.append(
        go.Scatter(
            x=np.array([at[part.name][0] for part in parts], np.float32),
            y=np.array([at[part.name][1] for part in parts], np.float32),
            mode="markers",
            marker={
                "symbol": "circle" if operations else "square",
                "size": DOT if operations else BOX,
                "color": fills,
                "opacity": 1,
                "line": {
                    "color": [colours.gates.get(part.gate, colours.muted) for part in parts],
                    "width": [2.5 if part.gate in colours.gates else 1.25 for part in parts],
                },
            },
            customdata=[[part.name, part.words or part.rule, part.text or short(part.number)] for part in parts],
            hovertemplate="%{customdata[1]}<br>%{customdata[2]}<extra></extra>",
            name="operations" if operations else "symbols",
        )
    )
    for part, fill in zip(parts, fills, strict=True):
        place = {"x": at[part.name][0], "y": at[part.name][1], "showarrow": False, "captureevents": False}
        ink = legible_on(fill)
        if operations:
            pieces.notes.append(
                {"text": part.rule, "font": {"size": FONT_SIZE, "color": ink}, "name": "operation"} | place
            )
            continue
        said = part.text or short(part.number)
        small = 10 if len(said) > 7 else 12
        text = f"<b>{maths(part.symbol)}</b><br><span style='font-size:{small}px'>{said}</span>"
        pieces.notes.append({"text": text, "font": {"size": 16, "color": ink}, "name": "symbol"} | place)
        if part.rule:
            above = {"yshift": BOX / 2 + 9, "font": {"size": 12, "color": colours.muted}}
            pieces.notes.append({"text": part.rule, "name": "rule"} | above | place)


def _curve(route: Sequence[Place]) -> tuple[Array, Array]:
    """A smooth way through the points, level at both ends (cubic Hermite)."""
    points = np.array(route)
    slopes = np.zeros(len(points))
    if len(points) > 2:
        slopes[1:-1] = (points[2:, 1] - points[:-2, 1]) / 2
    s = np.linspace(0, 1, 25)
    x = [a + (c - a) * s for (a, _), (c, _) in pairwise(route)]
    y = [
        b * (2 * s**3 - 3 * s**2 + 1) + d * (3 * s**2 - 2 * s**3) + m * (s**3 - 2 * s**2 + s) + n * (s**3 - s**2)
        for ((_, b), (_, d)), (m, n) in zip(pairwise(route), pairwise(slopes.tolist()), strict=True)
    ]
    return np.concatenate(x), np.concatenate(y)


def _label_places(routes: Sequence[Sequence[Place]], boxes: Sequence[Place], height: int) -> list[int]:
    """Which point of each wire its number stands at: near the middle, but not on another number or a box."""
    apart = np.array([0.055, 20 / height])
    taken = [np.array(box) for box in boxes]
    found = []
    for route in routes:
        points = np.stack(_curve(route), 1)
        shares = (0.5, 0.42, 0.58, 0.35, 0.65, 0.3, 0.7)
        tried = [int(share * (len(points) - 1)) for share in shares]
        free = [min((np.abs(points[k] - other) / apart).max() for other in taken) for k in tried]
        best = next((k for k, room in zip(tried, free, strict=True) if room > 1), tried[int(np.argmax(free))])
        taken.append(points[best])
        found.append(best)
    return found


def _columns(names: Sequence[str], links: Sequence[Link]) -> tuple[dict[str, Place], list[list[Place]], int]:
    """Sugiyama, Tagawa & Toda 1981, in short: a column a depth, a way through every column in between, few crossings.

    Returns each box's place, each wire's way, and the number of rows.
    """
    depth = dict.fromkeys(names, 0)
    for _ in names:  # as often as the longest chain could need
        for source, target, _ in links:
            depth[target] = max(depth[target], depth[source] + 1)
    last = max(depth.values()) or 1
    columns: dict[int, list[str]] = defaultdict(list)
    for name in names:
        columns[depth[name]].append(name)
    ways: list[list[str]] = []
    for k, (source, target, _) in enumerate(links):
        through = [f"way {k} {between}" for between in range(depth[source] + 1, depth[target])]
        for between, stop in enumerate(through, depth[source] + 1):
            columns[between].append(stop)
        ways.append([source, *through, target])
    beside: dict[str, list[str]] = defaultdict(list)
    for way in ways:
        for one, other in pairwise(way):
            beside[one].append(other)
            beside[other].append(one)
    row = {name: k / max(1, len(column) - 1) for column in columns.values() for k, name in enumerate(column)}
    for sweep in range(8):
        order = range(last + 1) if sweep % 2 == 0 else range(last, -1, -1)
        for depth_now in order:
            column = columns[depth_now]
            wish = {
                name: np.mean([row[other] for other in beside[name]]) if beside[name] else row[name] for name in column
            }
            column.sort(key=wish.__getitem__)
            # A way needs less room than a box.
            room = np.array([0.55 if name.startswith("way ") else 1.0 for name in column])
            middles = np.cumsum(room) - room / 2
            row |= dict(zip(column, (middles / room.sum()).tolist(), strict=True))
    at = {name: (k / last, 1 - row[name]) for k, column in columns.items() for name in column}
    rows = max(sum(0.55 if name.startswith("way ") else 1.0 for name in column) for column in columns.values())
    low, high = min(y for _, y in at.values()), max(y for _, y in at.values())
    at = {name: (x, (y - low) / (high - low) if high > low else 0.5) for name, (x, y) in at.items()}
    return {name: at[name] for name in names}, [[at[name] for name in way] for way in ways], int(np.ceil(rows))
