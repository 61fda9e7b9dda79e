"""A picture that no run feeds, placed like any other element of a page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import plotly.graph_objects as go

from rnnviz.ui import look
from rnnviz.ui.playground import theme
from rnnviz.ui.stage import Card, board


def picture(
    figure: go.Figure,
    *,
    key: str,
    question: str = "",
    look_for: str = "",
    legend: str = "",
    height: int | None = None,
    on_point: Callable[[Any], None] | None = None,
) -> None:
    """A figure under its question, with the one line that says what to look for below it.

    The words and the height are those in the figure's `layout.meta` where none are given; `legend` is HTML of ours. A
    changed figure is drawn in place: zoom and camera stay, until `layout.uirevision` changes. `on_point` is called with
    the `customdata` of a point that was clicked, before the script runs again.
    """
    card = Card(key, figure, 2, question, look_for, height, legend=legend)
    pointed = None if on_point is None else lambda _, about: on_point(about)
    board([card], theme=look.variables(theme()), key=key, on_point=pointed)
