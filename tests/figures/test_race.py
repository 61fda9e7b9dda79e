"""The two summary pictures of a race, and what makes a single run's picture that of a lane."""

import numpy as np
import pytest

from rnnviz.figures import Line, of_lane, race_losses, race_reach, unit_heatmap
from rnnviz.figures.theme import LANE_DASHES, palette
from tests.figures.examples import feeds, named

NAMES = ["Elman RNN", "LSTM"]
VALUES = np.array([[[1.0, 2.0, 3.0], [0.1, 0.2, 0.4]], [[0.5, 0.6, 0.9], [0.001, 0.002, 0.003]]])
COMMON = {"budget": 300, "clock_title": "training step"}


def losses(**more):
    return race_losses(NAMES, [0, 100], VALUES, loss_name="squared error", **COMMON, **more)


def test_every_lane_has_its_colour_its_line_style_and_its_channel():
    figure = losses()
    for k, name in enumerate(NAMES):
        line = named(figure, name)
        assert list(line.y) == list(VALUES[:, k, 1])
        assert line.line.color == palette("light").lanes[k]
        assert line.line.dash == LANE_DASHES[k]
        assert feeds(figure)[name] == {"x": ["steps", "step"], "y": ["rows", f"{k}.loss", "col:1"]}


def test_the_band_goes_from_the_lowest_seed_to_the_highest():
    low, high = (trace for trace in losses().data if trace.name == "LSTM, seeds")
    assert list(low.y) == list(VALUES[:, 1, 0])
    assert list(high.y) == list(VALUES[:, 1, 2])
    assert (low.fill, high.fill) == ("none", "tonexty")
    assert [trace.meta["feed"]["y"][2] for trace in (low, high)] == ["col:0", "col:2"]


def test_the_loss_axis_holds_everything_and_grows_only_with_its_extent():
    low, high = losses(threshold=Line(0.01, "solved"), baseline=Line(1 / 6, "guess")).layout.yaxis.range
    assert low <= np.log10(0.001)
    assert high >= np.log10(3.0)
    assert list(losses(extent=(-9, 6)).layout.yaxis.range) == [-9, 6]


def test_reach_reads_the_three_numbers_of_its_fraction():
    figure = race_reach(NAMES, [0, 100], 10 * VALUES, fraction=0.01, column=6, steps=50, **COMMON)
    assert feeds(figure)["LSTM"]["y"] == ["rows", "1.reach", "col:7"]
    low, high = figure.layout.yaxis.range
    assert low < 0 < 50 < high
    assert "0.01" in figure.layout.meta["look_for"]


def test_values_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"must have shape \(2, 1, 3\). Got \(2, 2, 3\)"):
        race_losses(["one"], [0, 1], VALUES, loss_name="", **COMMON)


def test_a_picture_of_a_lane_is_fed_by_the_channels_of_that_lane():
    one = unit_heatmap(np.zeros((3, 5)), kind="gate", name="forget gate", symbol="f_t", channel="gates.forget")
    assert of_lane(one, 2).data[0].meta["feed"] == {"z": ["frame", "2.gates.forget"]}
