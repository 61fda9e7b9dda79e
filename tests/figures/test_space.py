"""Pictures of the state space: axes that stand still, colours that say what they claim, points told apart by shape."""

import numpy as np
import pytest

from rnnviz.figures import Colouring, mark_fixed_points, phase_portrait, trajectories_2d, trajectories_3d
from rnnviz.figures.space import POINTS
from tests.figures.examples import KINDS, LATE, WALKS, named


def test_axes_and_camera_do_not_depend_on_the_data():
    for draw in (trajectories_2d, trajectories_3d):
        one, other = (draw(WALKS * scale, LATE, half=9.0).layout.to_plotly_json() for scale in (1, 0.1))
        assert one == other


def test_a_path_has_a_gap_between_examples_and_a_dot_at_each_moment():
    walks = WALKS.copy()
    walks[30:, 0] = np.nan
    values = np.where(np.isnan(walks[..., 0]), np.nan, np.asarray(LATE.values, float))
    figure = trajectories_2d(walks, LATE._replace(values=values), half=9.0)
    T, S = walks.shape[:2]
    assert len(named(figure, "path").x) == (T + 1) * S
    assert len(named(figure, "time step").x) == T * S - (T - 30)
    np.testing.assert_array_equal(named(figure, "time step").x[:30], walks[:30, 0, 0])


def test_each_class_has_its_own_colour_and_those_beyond_the_colours_share_one():
    names = [str(k) for k in range(9)]
    many = Colouring("class", "class", np.arange(45).reshape(9, 5) % 9, names)
    figure = trajectories_2d(WALKS[:9], many, half=9.0)
    dots = [trace for trace in figure.data if trace.mode == "markers"]
    assert len({trace.marker.color for trace in dots}) == len(dots) == 6
    assert [trace.name for trace in dots] == [*"01234", "others"]
    assert sum(len(trace.x) for trace in dots) == 45


@pytest.mark.parametrize("draw", [trajectories_2d, trajectories_3d])
def test_points_are_told_apart_by_shape_and_counted_in_words(draw):
    figure = draw(WALKS, KINDS, half=9.0)
    before, axes = len(figure.data), 3 if draw is trajectories_3d else 2
    mark_fixed_points(figure, np.zeros((4, axes)), ["stable", "stable", "saddle", "slow"], q=np.zeros(4))
    added = figure.data[before:]
    assert [trace.marker.symbol for trace in added] == [POINTS[kind][0] for kind in ("stable", "saddle", "slow")]
    assert added[0].name == "2 stable"
    assert len({symbol for symbol, _ in POINTS.values()}) == len(POINTS)
    assert figure.layout.height == figure.layout.meta["height"]


def test_an_unknown_kind_of_point_is_refused():
    with pytest.raises(ValueError, match="Got wobbly"):
        mark_fixed_points(trajectories_2d(WALKS, LATE, half=9.0), np.zeros((1, 2)), ["wobbly"])


def test_arrows_point_where_the_state_goes():
    right_and_up = np.broadcast_to([1.0, 0.0], (21, 21, 2))
    figure = phase_portrait((-1, 1), right_and_up, WALKS[..., :2], LATE)
    assert np.allclose(named(figure, "heads").marker.angle, 90), "clockwise from up"
    stretch = np.asarray(named(figure, "direction").x).reshape(-1, 3)
    assert (stretch[:, 1] > stretch[:, 0]).all()
    still = phase_portrait((-1, 1), np.zeros((21, 21, 2)), WALKS[..., :2], LATE)
    assert np.isfinite(np.asarray(named(still, "speed").z)).all()
