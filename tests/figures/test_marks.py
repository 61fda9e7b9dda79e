"""What a picture over time is marked with."""

import numpy as np

from rnnviz.figures import mark_phases, mark_windows, unit_heatmap
from rnnviz.figures.marks import MOST_LINES


def picture(steps):
    values = np.zeros((4, steps), np.float32)
    return unit_heatmap(values, kind="gate", name="forget gate", symbol="f_t", channel="gates.forget")


def test_reading_and_speaking_are_divided():
    figure = mark_phases(picture(12), 8, 4)
    (line,) = figure.layout.shapes
    assert line.x0 == line.x1 == 8.5
    assert figure.layout.xaxis.range == (0.5, 12.5)
    assert {note.text for note in figure.layout.annotations} >= {"reads", "says"}
    assert figure.layout.meta["height"] == figure.layout.height > picture(12).layout.height, "room for the names"


def test_windows_end_between_steps_and_too_many_are_left_out():
    assert [line.x0 for line in mark_windows(picture(30), 30, 10).layout.shapes] == [10.5, 20.5]
    assert mark_windows(picture(30), 1000, 1000 // (MOST_LINES + 2)).layout.shapes == ()
