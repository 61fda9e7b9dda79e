import numpy as np
import pytest

from rnnviz.figures import Curve, decay_curves, eigenvalue_plane, lanes_html, singular_value_fan, step_share_bars
from rnnviz.figures.theme import FLOAT32_FLOOR, LANE_DASHES, palette
from tests.figures.examples import named

LAGS = np.arange(101)


def falling(per_step: float, place: int = 0, name: str = "line") -> Curve:
    line = per_step * LAGS
    return Curve(name, LAGS, line, line - 0.1, line + 0.1, [("a bound", "ρᵏ", line + 1)], place)


def test_a_lane_has_its_colour_and_style_and_theory_is_thin() -> None:
    figure = decay_curves([falling(-0.1, 2, "third")])
    line, theory = named(figure, "third"), named(figure, "third, a bound")
    assert (line.line.color, line.line.dash) == (palette("light").lanes[2], LANE_DASHES[2])
    assert theory.line.color == line.line.color
    assert theory.line.width < line.line.width
    np.testing.assert_allclose(np.log10(line.y), -0.1 * LAGS)


@pytest.mark.parametrize(
    ("per_step", "wanted"), [(-0.01, (-10, 2)), (-0.2, (-25, 2)), (-3.0, (-45, 2)), (0.05, (-10, 10))]
)
def test_the_axis_moves_in_steps_of_many_decades(per_step: float, wanted: tuple[int, int]) -> None:
    assert decay_curves([falling(per_step)]).layout.yaxis.range == wanted
    assert decay_curves([falling(per_step * 1.02)]).layout.yaxis.range == wanted


def test_the_float32_floor_is_drawn_where_it_lies_in_the_picture() -> None:
    floor = named(decay_curves([falling(-1.0)]), "float32 floor")
    assert set(floor.y) == {FLOAT32_FLOOR}
    shallow = decay_curves([falling(-0.01)])
    assert "float32 floor" not in [trace.name for trace in shallow.data]
    assert any("below this axis" in one.text for one in shallow.layout.annotations)


def test_every_direction_of_the_fan_ends_before_the_next_begins() -> None:
    fan = singular_value_fan(LAGS, -0.1 * LAGS[:, None] * np.arange(1, 4))
    lines = named(fan, "directions")
    assert np.isnan(lines.y[101::102]).all()
    assert len(lines.y) == 3 * 102


def test_the_plane_is_square_and_holds_everything() -> None:
    plane = eigenvalue_plane(np.array([[0.5, 1.9j]]), spectral_norm=2.2)
    assert plane.layout.xaxis.range == plane.layout.yaxis.range
    assert plane.layout.xaxis.range[1] > 2.2
    assert plane.layout.yaxis.scaleanchor == "x"


def test_bars_are_blue_or_orange_by_their_sign_and_cuts_are_marked() -> None:
    figure = step_share_bars([-0.2, 0.4, 0.8], window=1)
    colours = palette("light")
    assert list(named(figure, "share").marker.color) == [colours.negative, colours.positive, colours.positive]
    assert [shape.x0 for shape in figure.layout.shapes] == [1.5, 2.5]


def test_the_legend_of_lanes_shows_names_as_they_are() -> None:
    html = lanes_html(["<b>one</b>", "two"], "dark", chosen=1)
    assert "&lt;b&gt;one" in html
    assert html.count("font-weight:700") == 1
    assert all(colour in html for colour in palette("dark").lanes[:2])
