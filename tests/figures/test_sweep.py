import numpy as np
import pytest

from rnnviz.figures import Reference, SweepLine, point_name, sweep_lines, sweep_map
from rnnviz.figures.theme import NORM, RESULT, stops
from tests.figures.examples import named

WORDS = {"x_title": "x", "question": "How?", "look_for": "This."}
VALUES = np.array([[0.0, 0.5, np.nan], [1.0, np.nan, 0.25]])
MAP = WORDS | {"told": [["a"] * 3] * 2, "y_title": "y", "value_title": "v"}


def line(name: str, middle: list[float], place: int = 0) -> SweepLine:
    values = np.array(middle)
    return SweepLine(name, values, values - 0.1, values + 0.2, ["told"] * len(middle), place)


def test_a_line_carries_its_values_and_their_bars() -> None:
    figure = sweep_lines([1, 2, 4], [line("one", [1, np.nan, 3])], y_title="y", **WORDS)
    drawn = named(figure, "one")
    np.testing.assert_allclose(drawn.x, [1, 2, 4])
    np.testing.assert_allclose(drawn.y, [1, np.nan, 3])
    np.testing.assert_allclose(np.array(drawn.error_y.array)[[0, 2]], 0.2, rtol=1e-6)
    np.testing.assert_allclose(np.array(drawn.error_y.arrayminus)[[0, 2]], 0.1, rtol=1e-6)
    assert list(drawn.customdata) == [point_name(0, k) for k in range(3)]


def test_bars_of_several_lines_stand_beside_one_another() -> None:
    figure = sweep_lines([1, 2], [line("a", [1, 1]), line("b", [1, 1], 1)], y_title="y", **WORDS)
    a, b = named(figure, "a"), named(figure, "b")
    assert 0 < b.x[0] - a.x[0] < 0.05
    assert (a.line.dash, a.marker.symbol) != (b.line.dash, b.marker.symbol), "told apart in grey print too"


def test_values_over_decades_get_a_log_axis_with_their_own_names() -> None:
    figure = sweep_lines([0.001, 0.01, 0.1], [line("a", [1, 2, 3])], y_title="y", **WORDS)
    np.testing.assert_allclose(figure.layout.xaxis.tickvals, [-3, -2, -1])
    assert list(figure.layout.xaxis.ticktext) == ["0.001", "0.01", "0.1"]


def test_a_reference_has_its_kind_and_its_name() -> None:
    figure = sweep_lines([1, 2], [line("a", [1, 2])], y_title="y", references=[Reference("guessing", [3, 4])], **WORDS)
    assert named(figure, "guessing").line.dash == "dash"
    assert [one.text for one in figure.layout.annotations] == ["guessing"]


@pytest.mark.parametrize("gradient", [False, True])
def test_a_map_says_every_value_and_what_is_not_there_yet(gradient: bool) -> None:
    absent = np.array([[0, 0, 1], [0, 0, 0]])
    figure = sweep_map([1, 2, 4], ["p", "q"], VALUES, most=1.0, gradient=gradient, absent=absent, **MAP)
    heat, words = figure.data
    np.testing.assert_array_equal(heat.z, VALUES)
    assert (heat.zmin, heat.zmax) == (0, 1)
    assert [list(stop) for stop in heat.colorscale] == stops(NORM if gradient else RESULT, "light")
    assert list(words.text) == ["0", "0.5", "–", "1", "…", "0.25"]
    assert heat.customdata[1][2] == point_name(1, 2)


def test_an_empty_picture_says_what_will_appear() -> None:
    nothing = [np.nan, np.nan]
    lines = sweep_lines([1, 2], [line("a", nothing)], y_title="y", **WORDS)
    cells = sweep_map([1, 2], ["p"], [nothing], **(MAP | {"told": [["", ""]]}))
    for figure in (lines, cells):
        assert any("No run has ended yet" in one.text for one in figure.layout.annotations)


def test_a_cell_may_say_how_many_instead_of_its_rate() -> None:
    figure = sweep_map(
        [1, 2, 4], ["p", "q"], VALUES, written=[["0 of 2", "1 of 2", ""], ["2 of 2", "", "1 of 4"]], **MAP
    )
    assert list(figure.data[1].text) == ["0 of 2", "1 of 2", "…", "2 of 2", "…", "1 of 4"]
