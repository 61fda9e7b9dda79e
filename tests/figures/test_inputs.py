"""The inputs of the probe example."""

import numpy as np
import pytest

from rnnviz.figures import input_marked_values, input_symbols, input_wave, palette
from tests.figures.examples import MARKED, SYMBOLS, T, feeds, named, t


def test_marked_values_are_highlighted_and_labelled() -> None:
    figure = input_marked_values(MARKED)
    bars, labels = named(figure, "value"), named(figure, "marked value")
    np.testing.assert_allclose(bars.y, MARKED[:, 0], rtol=1e-6)
    highlighted = np.flatnonzero(np.asarray(bars.marker.color) == palette("light").positive) + 1
    np.testing.assert_array_equal(highlighted, [13, 38])
    np.testing.assert_array_equal(labels.x, [13, 38])
    assert list(labels.text) == [f"<b>{MARKED[k - 1, 0]:.2f}</b>" for k in (13, 38)]
    assert feeds(figure) == {}, "the probe example never changes"


def test_labels_of_marks_that_are_close_lean_apart() -> None:
    inputs = np.stack([np.full(T, 0.5), np.isin(t, (24, 26))], axis=1)
    assert named(input_marked_values(inputs), "marked value").textposition == ("top left", "top right")


def test_symbols_are_a_raster_in_which_those_that_matter_differ() -> None:
    (heatmap,) = input_symbols(SYMBOLS, names=list("abcdXY"), highlight="XY").data
    np.testing.assert_array_equal(heatmap.z > 0, SYMBOLS.T > 0)
    assert set(np.unique(heatmap.z[:4])) == {0, 1}
    assert set(np.unique(heatmap.z[4:])) == {0, 2}


def test_symbol_names_label_the_rows() -> None:
    axis = input_symbols(SYMBOLS, names=list("abcdXY")).layout.yaxis
    assert axis.ticktext == tuple("abcdXY")
    np.testing.assert_array_equal(axis.tickvals, [1, 2, 3, 4, 5, 6])
    with pytest.raises(ValueError, match=r"6 symbols of inputs\. Got 2"):
        input_symbols(SYMBOLS, names=["a", "b"])


def test_a_wave_is_a_row_a_feature() -> None:
    figure = input_wave(MARKED, names=["value", "marker"])
    for k, name in enumerate(("value", "marker")):
        np.testing.assert_allclose(named(figure, name).y, MARKED[:, k], rtol=1e-6)
        assert figure.layout[f"yaxis{k + 1 if k else ''}"].title.text == name
