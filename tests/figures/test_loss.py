"""The loss picture: the right lines at the right heights, and axes that never jump."""

import itertools

import numpy as np
import pytest

from rnnviz.figures import Exam, loss_curve
from tests.figures.examples import LOSS, feeds, named


def test_without_means_only_the_raw_losses_are_drawn() -> None:
    assert set(feeds(loss_curve({"loss": [3.0, 2.0]}, **LOSS))) == {"loss"}


def test_an_extent_widens_the_axis_and_never_narrows_it() -> None:
    low, high = loss_curve({"loss": []}, **LOSS).layout.yaxis.range
    assert loss_curve({"loss": []}, extent=(low + 1, high - 1), **LOSS).layout.yaxis.range == (low, high)
    assert loss_curve({"loss": []}, extent=(low - 3, high + 9), **LOSS).layout.yaxis.range == (low - 3, high + 9)


def test_raw_and_mean_are_drawn_from_step_1_and_fed_as_series() -> None:
    figure = loss_curve({"loss": [3.0, 2.0, 1.0], "loss_mean": [3.0, 2.5, 2.0]}, **LOSS)
    np.testing.assert_array_equal(named(figure, "loss").x, [1, 2, 3])
    np.testing.assert_array_equal(named(figure, "loss").y, [3, 2, 1])
    np.testing.assert_array_equal(named(figure, "loss_mean").y, [3, 2.5, 2])
    assert feeds(figure) == {
        name: {"x": ["series_steps", name], "y": ["series", name]} for name in ("loss", "loss_mean")
    }
    assert named(figure, "loss_mean").line.width > named(figure, "loss").line.width


def test_baseline_and_threshold_are_drawn_with_their_names() -> None:
    figure = loss_curve({"loss": []}, **LOSS)
    baseline, threshold = named(figure, "guessing the mean: 0.167"), named(figure, "solved: 0.01")
    np.testing.assert_allclose(baseline.y, 1 / 6)
    np.testing.assert_allclose(threshold.y, 0.01)
    assert (baseline.line.dash, threshold.line.dash) == ("dash", "dot")
    for line in (baseline, threshold):
        np.testing.assert_array_equal(line.x, [0, LOSS["budget"]])
    texts = {note.text: note for note in figure.layout.annotations}
    assert texts["guessing the mean: 0.167"].y == pytest.approx(np.log10(1 / 6)), "a log axis places notes by exponent"
    assert (texts["guessing the mean: 0.167"].xanchor, texts["solved: 0.01"].xanchor) == ("right", "left")


def test_axes_are_log_and_stay_while_the_run_grows() -> None:
    before = loss_curve({"loss": []}, **LOSS).layout
    after = loss_curve({"loss": np.geomspace(1.2, 1e-3, 3000)}, **LOSS).layout
    assert before.yaxis.type == "log"
    assert before.yaxis.range == after.yaxis.range
    assert before.xaxis.range == after.xaxis.range == (0, 3000)
    low, high = 10.0 ** np.array(before.yaxis.range)
    assert low <= 0.01 / 5
    assert high >= 5 / 6


def test_a_loss_that_starts_very_high_is_still_in_the_picture() -> None:
    top = loss_curve({"loss": [50.0, 1.0]}, **LOSS).layout.yaxis.range[1]
    assert top >= np.log10(50)


def test_a_loss_that_is_not_positive_gets_a_linear_axis() -> None:
    layout = loss_curve({"loss": [1.0, 0.0]}, **LOSS).layout
    assert layout.yaxis.type != "log"
    assert layout.yaxis.range[0] <= 0


def test_a_diverged_run_is_drawn_as_far_as_it_went() -> None:
    figure = loss_curve({"loss": [1.0, np.inf, np.nan]}, **LOSS)
    assert np.isfinite(figure.layout.yaxis.range).all()


def test_accuracy_gets_its_own_row_with_chance_and_threshold() -> None:
    options = LOSS | {"threshold": None, "accuracy_chance": 0.25, "accuracy_threshold": 0.99}
    figure = loss_curve({"loss": [1.4, 1.3], "accuracy": [0.25, 0.5], "accuracy_mean": [0.25, 0.375]}, **options)
    for name in ("accuracy", "accuracy_mean"):
        assert named(figure, name).yaxis == "y2"
        assert feeds(figure)[name] == {"x": ["series_steps", name], "y": ["series", name]}
    np.testing.assert_allclose(named(figure, "chance: 0.25").y, 0.25)
    np.testing.assert_allclose(named(figure, "solved: 0.99").y, 0.99)
    assert figure.layout.yaxis.domain[0] > figure.layout.yaxis2.domain[1]
    assert not [trace for trace in figure.data if trace.name.startswith("solved: 0.01")]


def test_fresh_examples_and_an_exam_are_drawn_at_the_recorded_frames():
    exam = Exam(np.arange(3), "exam", 20.0, 11.0, "beyond n = 10")
    series = {"loss": [0.7] * 5, "accuracy": [0.5] * 5}
    figure = loss_curve(series, **LOSS, held_out=np.array([[0.7, 0.5]]), exam=exam)
    fed = feeds(figure)
    assert fed["fresh loss"] == {"x": ["steps", "step"], "y": ["rows", "held_out", "col:0"]}
    assert fed["fresh accuracy"]["y"] == ["rows", "held_out", "col:1"]
    assert fed["exam"]["y"] == ["rows", "exam", "col:0"]
    domains = [figure.layout[axis].domain for axis in ("yaxis", "yaxis2", "yaxis3")]
    assert all(upper[0] > lower[1] for upper, lower in itertools.pairwise(domains)), "loss on top"
    assert figure.layout.xaxis.anchor == "y3"


def test_without_a_baseline_the_axis_holds_what_an_untrained_network_scores():
    low, high = loss_curve(
        {"loss": []}, **LOSS | {"baseline": None, "threshold": None}, untrained=9.0
    ).layout.yaxis.range
    assert 10**low < 0.01
    assert 10**high > 9
