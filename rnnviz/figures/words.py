"""Words and letters along the time axis: what is read, and what the network thinks of it so far."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike

from rnnviz.figures.base import feed, finish, framed, numbers, time_axis, times
from rnnviz.figures.theme import SIGNED, Theme, palette, stops

PLOT_WIDTH = 440  # pixels, about what a picture has on a laptop; only the size of the letters depends on it


def input_words(
    words: Sequence[str],
    *,
    opinions: ArrayLike | None = None,
    strong: str = "",
    steps: int | None = None,
    theme: Theme = "light",
) -> go.Figure:
    """The words or letters of one example, each at its time step.

    `words` (W,); `opinions` (W,) above 0 for praise, below 0 for blame, 0 for neither, colours them, and `strong` is a word
    that stands out. `steps` is T where the example is shorter than that.
    """
    colours = palette(theme)
    length = steps or len(words)
    by_opinion = np.zeros(len(words)) if opinions is None else np.asarray(opinions)
    neutral = colours.ink if opinions is None else colours.muted
    colour = np.where(by_opinion > 0, colours.positive, np.where(by_opinion < 0, colours.negative, neutral))
    colour = np.where(np.array(words) == strong, colours.ink, colour)
    letters = max(map(len, words), default=1) <= 1
    figure = go.Figure(
        _written([f"<b>{word}</b>" if word == strong else word for word in words], length, colour, upright=letters)
    )
    figure.update_layout(
        xaxis=time_axis(length) | framed(theme),
        yaxis=framed(theme) | {"title": {"text": " "}, "range": [0, 1], "showticklabels": False},
        bargap=0,
        showlegend=False,
        hovermode="closest",
    )
    return finish(
        figure,
        theme=theme,
        question="What does it read?",
        look_for="Blue praises, orange blames. “not” turns the next of them round."
        if opinions is not None
        else "One letter at every time step; ␣ is a space, ↵ a new line.",
        height=90 if letters else 140,
        over_time=True,
    )


def prediction_words(
    opinion: ArrayLike, words: Sequence[str], *, names: tuple[str, str], theme: Theme = "light"
) -> go.Figure:
    """Each word on the colour of what the network would answer if the text ended with it.

    `opinion` (2, T) probabilities of the two classes `names`, NaN in the padding; `words` at most T.
    """
    z = numbers(opinion, 2, "opinion")
    if z.shape[0] != 2:
        raise ValueError(f"opinion must have a row for each of 2 classes. Got {z.shape[0]}.")
    steps = z.shape[1]
    figure = go.Figure(
        go.Heatmap(
            x=times(steps),
            y=np.array([-0.5, 0.5]),  # of the two rows, which tell the same, the axis shows the second
            z=z,
            zmin=-0.3,  # the ends of the scale are left out: words must stay legible on it
            zmax=1.3,
            colorscale=stops(SIGNED, theme),
            showscale=False,
            zsmooth=False,
            hoverongaps=False,
            name="opinion",
            meta=feed(z=("frame", "opinion")),
            hovertemplate=f"t = %{{x}}<br><i>p</i>({names[1]}) = %{{z:.3g}}<extra></extra>",
        )
    )
    colours = palette(theme)
    figure.add_trace(_written(words, steps, np.full(len(words), colours.ink), hover=False))
    figure.update_layout(
        xaxis=time_axis(steps) | framed(theme),
        yaxis=framed(theme) | {"title": {"text": " "}, "range": [0, 1], "showticklabels": False},
        bargap=0,
        showlegend=False,
        hovermode="closest",
    )
    return finish(
        figure,
        theme=theme,
        question="What does it think so far?",
        look_for=f"Blue: it would say {names[1]} if the text ended here; orange: {names[0]}; no colour: undecided. "
        "Watch for the word that changes its mind.",
        height=140,
        over_time=True,
    )


def _written(
    words: Sequence[str], steps: int, colour: ArrayLike, *, upright: bool = False, hover: bool = True
) -> go.Bar:
    """Text at t = 1, 2, ...: invisible bars, whose labels, unlike those of points, can stand upright."""
    size = int(np.clip((1.15 if upright else 0.7) * PLOT_WIDTH / steps, 6, 15 if upright else 13))
    return go.Bar(
        x=times(len(words)),
        y=np.ones(len(words), np.float32),
        text=list(words),
        textangle=0 if upright else -90,
        textposition="inside",
        insidetextanchor="middle",
        textfont={"size": size, "color": colour},
        constraintext="none",
        marker={"opacity": 0, "line": {"width": 0}},
        hovertemplate="t = %{x}, %{text}<extra></extra>" if hover else None,
        hoverinfo=None if hover else "skip",
        name="words",
    )
