"""Everything the cell diagram shows, at every time step: a row a quantity, or a row a unit."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from rnnviz.figures.base import finish, framed, maths, note, numbers, powers_of_ten, time_axis, times
from rnnviz.figures.theme import GATE, SIGNED, SIZE, Theme, norm_scale, palette, stops

ROW, MOST_ROWS_TALL = 36, 9  # pixels a row, and from how many rows on they share a fixed height
DECADES = 12  # of gradient norms told apart by colour


class Row(NamedTuple):
    """One quantity over time.

    Attributes:
        label: as `maths` takes it.
        values: (T,), NaN in the padding.
        kind: "gate" for a value from 0 to 1, "positive" for one without an upper bound, "signed", "size" for a root mean
            square, "norm" for log10 of a gradient's size, -inf where it is exactly 0.
    """

    label: str
    values: ArrayLike
    kind: str


def time_strip(
    rows: Sequence[Row], *, question: str, look_for: str, first: int = 1, theme: Theme = "light"
) -> go.Figure:
    """Rows of colour over sequence time, the first on top; where there are many they are numbered from `first`.

    Gates are coloured from 0 to 1, what is signed symmetrically, each row up to its largest value, 1 at least; norms on one
    logarithmic scale for all rows.
    """
    palette(theme)  # refuses an unknown one
    T = np.size(rows[0].values)
    z = np.stack([numbers(row.values, 1, "a row") for row in rows]).astype(np.float64)  # (R, T)
    found = z[np.isfinite(z)]
    high = math.ceil(found.max()) if found.size else 0
    low = min(max(math.floor(found.min()) if found.size else -1, high - DECADES), high - 1)
    figure = go.Figure()
    notes = []
    norms = [k for k, row in enumerate(rows) if row.kind == "norm"]
    for places in ([norms] if norms else []) + [[k] for k in range(len(rows)) if k not in norms]:
        kind, part = rows[places[0]].kind, z[places]
        size = float(np.abs(part[np.isfinite(part)]).max(initial=0.0))
        top = 1.0 if kind == "gate" or size <= 1 else math.ceil(size)
        if kind == "size":
            top = float(f"{size:.1g}") or 1.0
        ends = {"signed": (-top, top), "norm": (low, high)}.get(kind, (0.0, top))
        scale = {"signed": SIGNED, "size": SIZE}.get(kind, GATE)
        shown = np.clip(np.nan_to_num(part, neginf=-400.0, nan=np.nan), -400.0, None) if kind == "norm" else part
        said = "10<sup>%{z:.3g}</sup>" if kind == "norm" else "%{z:.3g}"
        figure.add_trace(
            go.Heatmap(
                x=times(T),
                y=np.array(places, np.int32) + first,
                z=np.where(np.isfinite(shown), shown, np.nan).astype(np.float32),
                zmin=ends[0],
                zmax=ends[1],
                colorscale=[list(stop) for stop in norm_scale(theme, low, high)]
                if kind == "norm"
                else stops(scale, theme),
                showscale=False,
                zsmooth=False,
                hoverongaps=False,
                customdata=np.array([[maths(rows[k].label)] * T for k in places]),
                hovertemplate=f"t = %{{x}}<br>%{{customdata}}: {said}<extra></extra>",
                name=rows[places[0]].label,
            )
        )
        if kind != "norm":
            words = f"{f'−{top:.3g}' if kind == 'signed' else 0} … {top:.3g}"
            at = {"y": places[0] + first, "x": 1, "xref": "paper", "xanchor": "left", "xshift": 8}
            notes.append(note(words, theme=theme, **at))
    if norms:
        ticks = powers_of_ten([low, high])
        at = {"x": 1, "xref": "paper", "xanchor": "left", "xshift": 8, "y": 1, "yref": "paper", "yanchor": "top"}
        notes.append(note(f"≤ {ticks[0]}<br>… {ticks[1]}", theme=theme, align="left", **at))
    many = len(rows) > MOST_ROWS_TALL
    figure.update_layout(
        annotations=notes,
        xaxis=time_axis(T),
        yaxis=framed(theme)
        | {
            "title": {"text": "unit" if many else "quantity"},
            "range": [len(rows) + first - 0.5, first - 0.5],
            "automargin": False,
        }
        | (
            {"nticks": 6}
            if many
            else {"tickvals": np.arange(first, first + len(rows)), "ticktext": [maths(row.label) for row in rows]}
        ),
        hovermode="closest",
    )
    height = 60 + (ROW * MOST_ROWS_TALL if many else max(120, ROW * len(rows)))
    return finish(figure, theme=theme, question=question, look_for=look_for, height=height, over_time=True)
