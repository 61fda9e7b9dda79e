"""The cell diagram: every box and wire once, arrows the right way, and nothing on top of anything."""

import numpy as np
import pytest

from rnnviz.figures import Link, Part, cell_diagram, palette, short
from rnnviz.figures.diagram import LAYOUTS
from rnnviz.figures.theme import GATE, SIGNED, SIZE, legible_on, sample

CHAIN = [Part(name, f"{name}_t", "", "signed", k / 4) for k, name in enumerate("abcde")]
LINKS = [Link(*ends, 0.5) for ends in ("ab", "bc", "cd", "de", "ae", "be")]


def wires(figure):
    return {trace.name: trace for trace in figure.data if "→" in trace.name}


def arrows(figure):
    """x of tail and tip of every arrow."""
    (trace,) = (trace for trace in figure.data if trace.name == "arrows")
    return np.array(trace.x).reshape(-1, 3)[:, :2]


def places(figure):
    (boxes,) = (trace for trace in figure.data if trace.name == "symbols")
    return dict(zip((data[0] for data in boxes.customdata), zip(boxes.x, boxes.y, strict=True), strict=True))


def test_every_wire_ends_at_its_boxes_and_none_crosses_another_box():
    figure = cell_diagram(CHAIN, LINKS)
    at = places(figure)
    for name, trace in wires(figure).items():
        source, target = name.split(" → ")
        np.testing.assert_allclose((trace.x[0], trace.y[0]), at[source], atol=1e-6)
        np.testing.assert_allclose((trace.x[-1], trace.y[-1]), at[target], atol=1e-6)
        for other in set(at) - {source, target}:
            assert np.hypot(*(np.array([trace.x, trace.y]) - np.array(at[other])[:, None])).min() > 0.05


def test_a_box_stands_right_of_all_it_needs():
    at = places(cell_diagram(CHAIN, LINKS))
    assert all(at[link.source][0] < at[link.target][0] for link in LINKS)


@pytest.mark.parametrize("backward", [False, True])
def test_arrows_point_where_the_numbers_run(backward):
    figure = cell_diagram(CHAIN, LINKS, backward=backward)
    found = arrows(figure)
    assert len(found) == len(LINKS)
    assert ((found[:, 1] < found[:, 0]) == backward).all()


@pytest.mark.parametrize("backward", [False, True])
def test_a_layer_that_reads_from_the_end_has_its_past_at_the_right(backward):
    plain, mirrored = (cell_diagram(CHAIN, LINKS, backward=backward, mirrored=turned) for turned in (False, True))
    for name, (x, y) in places(plain).items():
        np.testing.assert_allclose(places(mirrored)[name], (1 - x, y), atol=1e-6)
    found = arrows(mirrored)
    assert ((found[:, 1] < found[:, 0]) != backward).all()
    assert "t + 1" in mirrored.layout.xaxis.title.text


def test_sizes_have_no_sign_and_so_no_colour_of_one():
    figure = cell_diagram(CHAIN[:3], [Link("a", "b", 2.0), Link("b", "c", 1.0)], sizes=True)
    assert wires(figure)["a → b"].line.color == sample(SIZE, "light", 1.0)


def test_a_wire_is_as_thick_as_its_number_and_coloured_by_its_sign():
    figure = cell_diagram(CHAIN[:3], [Link("a", "b", 2.0), Link("b", "c", -1.0), Link("a", "c", 0.0)])
    thick, thin, nothing = (wires(figure)[name].line for name in ("a → b", "b → c", "a → c"))
    assert thick.width > thin.width > nothing.width
    assert thick.color == sample(SIGNED, "light", 1.0)
    assert thin.color == sample(SIGNED, "light", 0.25)
    assert nothing.color == palette("light").frame


def test_layouts_made_by_hand_keep_boxes_apart():
    for places_by_name in LAYOUTS.values():
        points = np.array(list(places_by_name.values()))
        apart = np.abs(points[:, None] - points[None]) / (0.055, 0.13)
        np.fill_diagonal(apart[..., 0], 9)
        assert (apart.max(2) > 1).all()


def test_a_wire_to_nowhere_is_refused():
    with pytest.raises(ValueError, match="nowhere"):
        cell_diagram(CHAIN, [Link("a", "nowhere", 1.0)])


@pytest.mark.parametrize(
    ("value", "said"),
    [(0.12345, "0.123"), (-2.0, "−2"), (0.0, "0"), (1.5e-12, "1.5·10<sup>−12</sup>"), (-np.inf, "−∞")],
)
def test_short_numbers(value, said):
    assert short(value) == said


def test_text_can_be_read_on_every_shade():
    for scale in (GATE, SIGNED, SIZE):
        for theme in ("light", "dark"):
            for at in np.linspace(0, 1, 11):
                assert legible_on(sample(scale, theme, float(at))) in (palette("light").ink, palette("dark").ink)
    assert legible_on("#ffffff") == palette("light").ink
    assert legible_on("#000000") == palette("dark").ink
