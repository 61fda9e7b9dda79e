"""What does every unit hold at every time step? Hidden states, cell states and gates of one example."""

from typing import Literal

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from rnnviz.figures.base import feed, finish, framed, maths, note, numbers, time_axis, times
from rnnviz.figures.theme import GATE, SIGNED, Theme, palette

# By the last part of the channel name; the update gate follows PyTorch's convention, z = keep.
_WORDS: dict[str, tuple[str, str]] = {
    "h": (
        "What does each unit say?",
        "A change of colour: the unit took something in. A stripe: it keeps its value. A regular flicker: its own rhythm.",
    ),
    "c": (
        "What does each cell remember?",
        "A stripe that changes at one step and stays is a memory. Colours end at the limits beside the picture.",
    ),
    "input": (
        "When does it write?",
        "Deep teal: the candidate is written into the cell. Pale: the cell ignores this step.",
    ),
    "forget": (
        "What does it keep?",
        "Deep teal: the cell keeps its value. A pale column wipes the memory at that step.",
    ),
    "output": ("When does it speak?", "Deep teal: the cell shows its content. Pale: it remembers silently."),
    "candidate": ("What would it write?", "The value offered at each step: it counts only where the gate lets it in."),
    "reset": (
        "Does the candidate see the past?",
        "Deep teal: the candidate uses the old state. Pale: it looks at the input alone.",
    ),
    "update": ("What does it keep?", "Deep teal: the old state is kept. Pale: the candidate replaces it."),
    "re": (
        "What goes round in each unit? (real part)",
        "A ripple that decays: an echo of what was read.",
    ),
    "im": ("What goes round in each unit? (imaginary part)", "The same a quarter turn later."),
    "n": ("How much has each cell been told?", "The weights of all that was written: c is divided by it."),
    "m": (
        "How loud was the loudest input?",
        "The logarithm that both gates are scaled by: no exponential can overflow.",
    ),
}
_OVERWRITES = ("When does it write?", "Deep teal: the candidate replaces the old state. Pale: the old state is kept.")


def unit_heatmap(
    values: ArrayLike,
    *,
    kind: Literal["signed", "gate", "positive"],
    limit: float = 1.0,
    name: str,
    symbol: str,
    channel: str,
    keeps: int = 0,
    theme: Theme = "light",
) -> go.Figure:
    """One quantity of one example, unit × time step.

    `values` (U, T), dimensionless, NaN in the padding. `kind` "signed" is coloured symmetrically from -`limit` to `limit`;
    "gate" from 0 to 1, where `limit` does not apply; "positive", a gate without an upper bound, from 0 to `limit`. `name`
    ("forget gate") and `symbol` ("f_t") label it, `channel` ("gates.forget") feeds it. `keeps` says of an update gate
    whether an open one keeps the old state (1) or overwrites it (-1): papers differ.
    """
    if kind not in ("signed", "gate", "positive"):
        raise ValueError(f"kind must be 'signed', 'gate' or 'positive'. Got {kind!r}.")
    if not limit > 0:
        raise ValueError(f"limit must be above 0. Got {limit}.")
    colours = palette(theme)
    z = numbers(values, 2, "values")  # (U, T)
    units, steps = z.shape
    signed = kind == "signed"
    top = 1.0 if kind == "gate" else limit
    figure = go.Figure(
        go.Heatmap(
            x=times(steps),
            y=times(units),
            z=np.where(np.isfinite(z), z, np.float32("nan")),
            zmin=-top if signed else 0.0,
            zmax=top,
            colorscale=[list(stop) for stop in (SIGNED if signed else GATE)[theme]],
            showscale=False,
            zsmooth=False,
            hoverongaps=False,
            name=name,
            meta=feed(z=("frame", channel)),
            hovertemplate=f"{name}, unit %{{y}}, t = %{{x}}<br>{maths(symbol)} = %{{z:.3g}}<extra></extra>",
        )
    )
    accent = colours.gates.get(channel.rpartition(".")[2], colours.ink)
    place = {"x": 1, "xref": "paper", "xanchor": "left", "xshift": 8, "yref": "paper"}
    figure.add_annotation(
        note(maths(symbol), theme=theme, y=1, yanchor="top", font={"size": 17, "color": accent}, **place)
    )
    figure.add_annotation(
        note(f"{f'−{top:.3g}' if signed else 0} … {top:.3g}", theme=theme, y=1, yanchor="top", yshift=-28, **place)
    )
    figure.update_layout(
        xaxis=time_axis(steps) | framed(theme),
        yaxis=framed(theme) | {"title": {"text": "unit"}, "range": [units + 0.5, 0.5], "nticks": 5},
        hovermode="closest",
    )
    question, look_for = _WORDS.get(
        channel.rpartition(".")[2], (f"What is the {name} of each unit?", "Rows are units, columns are time steps.")
    )
    if channel == "gates.update" and keeps < 0:
        question, look_for = _OVERWRITES
    return finish(figure, theme=theme, question=question, look_for=look_for, height=190, over_time=True)
