"""Strips and comparisons over time: every number in its place, on an axis that tells it apart."""

import numpy as np
import pytest

from rnnviz.figures import Band, Row, before_and_after, mark_row, time_strip
from rnnviz.figures.theme import GATE, SIGNED, SIZE, stops

ASKS = {"question": "What?", "look_for": "That."}
T = 6


def test_a_row_a_quantity_each_on_a_scale_of_its_own():
    rows = [Row("c_t", np.linspace(-2.5, 1, T), "signed"), Row("f_t", np.full(T, 0.5), "gate")]
    rows.append(Row("h_t", np.full(T, 0.04), "size"))
    c, f, h = time_strip(rows, **ASKS).data
    assert [tuple(trace.y) for trace in (c, f, h)] == [(1,), (2,), (3,)]
    np.testing.assert_allclose(c.z[0], rows[0].values, rtol=1e-6)
    assert (c.zmin, c.zmax) == (-3, 3)
    assert (f.zmin, f.zmax) == (0, 1)
    assert (h.zmin, h.zmax) == (0, 0.04)
    for trace, scale in ((c, SIGNED), (f, GATE), (h, SIZE)):
        assert [list(stop) for stop in trace.colorscale] == stops(scale, "light")


def test_gradients_share_one_scale_and_a_zero_lies_below_it():
    rows = [Row("h_t", np.linspace(-40, -1, T), "norm"), Row("c_t", np.full(T, -np.inf), "norm")]
    (both,) = time_strip(rows, **ASKS).data
    assert (both.zmin, both.zmax) == (-13, -1)
    assert (both.z[1] < both.zmin).all()
    assert np.isfinite(both.z).all()


def test_many_units_are_numbered_and_one_pointed_out():
    figure = mark_row(time_strip([Row("a", np.arange(T), "norm")] * 12, first=65, **ASKS), 70)
    assert tuple(figure.data[0].y) == tuple(range(65, 77))
    low, high = sorted(figure.layout.yaxis.range)
    (arrow,) = (note for note in figure.layout.annotations if note.text == "▸")
    assert low < arrow.y == 70 < high


@pytest.mark.parametrize("after", [np.full(T, -20.0), np.full(T, -np.inf), np.full(T, -60.0)])
def test_before_and_after_share_an_axis_that_holds_both(after):
    before = np.linspace(-3, 0, T)
    figure = before_and_after(Band(before, before, before), Band(after, after, after), title="size", **ASKS)
    lines = {trace.name: trace for trace in figure.data}
    np.testing.assert_allclose(lines["before"].y, 10.0**before)
    np.testing.assert_allclose(lines["after"].y, 10.0**after)
    low, high = figure.layout.yaxis.range
    assert high > 0
    assert low < (max(after[0], -45.0) if np.isfinite(after[0]) else -3)
