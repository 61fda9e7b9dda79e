"""Target beside prediction."""

import numpy as np
import pytest

from rnnviz.figures import prediction_classes, prediction_sequence, prediction_values
from tests.figures.examples import T, feeds, named, t

TARGETS = np.linspace(0.3, 1.7, 8)
OUTPUTS = np.full(8, 0.9)
NAMES = ["XX", "XY", "YX", "YY"]


def test_stems_join_target_and_prediction() -> None:
    figure = prediction_values(TARGETS, OUTPUTS)
    stem = named(figure, "error")
    np.testing.assert_allclose(stem.open, TARGETS, rtol=1e-6)
    np.testing.assert_allclose(stem.close, OUTPUTS, rtol=1e-6)
    np.testing.assert_allclose(named(figure, "target").y, TARGETS, rtol=1e-6)
    np.testing.assert_allclose(named(figure, "prediction").y, OUTPUTS, rtol=1e-6)
    assert feeds(figure) == {
        "error": {name: ["frame", "outputs", "col:0"] for name in ("high", "close")},
        "prediction": {"y": ["frame", "outputs", "col:0"]},
    }


def test_the_constant_guess_is_drawn_when_given() -> None:
    figure = prediction_values(TARGETS, OUTPUTS, baseline_prediction=1.0)
    np.testing.assert_array_equal(named(figure, "guess").y, [1, 1])
    assert len(prediction_values(TARGETS, OUTPUTS).data) == len(figure.data) - 1


def test_the_output_axis_does_not_depend_on_the_outputs() -> None:
    ranges = [prediction_values(TARGETS, outputs).layout.yaxis.range for outputs in (OUTPUTS, OUTPUTS * 40)]
    assert ranges[0] == ranges[1]
    low, high = ranges[0]
    assert low < 0 < 1.7 < high


def test_probabilities_are_examples_by_classes_with_the_true_class_outlined() -> None:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(4), 8)
    targets = np.array([0, 1, 2, 3, 3, 2, 1, 0])
    figure = prediction_classes(targets, probabilities, NAMES)
    heatmap, outline = named(figure, "probability"), named(figure, "true class")
    np.testing.assert_allclose(heatmap.z, probabilities, rtol=1e-6)
    assert (heatmap.zmin, heatmap.zmax) == (0, 1)
    assert heatmap.meta["feed"] == {"z": ["frame", "outputs"]}
    boxes_x, boxes_y = outline.x.reshape(8, 6), outline.y.reshape(8, 6)
    np.testing.assert_allclose((boxes_x[:, 0] + boxes_x[:, 1]) / 2, targets + 1)
    np.testing.assert_allclose((boxes_y[:, 0] + boxes_y[:, 2]) / 2, np.arange(1, 9))
    assert figure.layout.xaxis.ticktext == tuple(NAMES)
    with pytest.raises(ValueError, match=r"4 classes\. Got 1"):
        prediction_classes(targets, probabilities, ["XX"])


def test_sequences_are_drawn_over_time_and_the_output_is_live() -> None:
    target = np.sin(t / 3)
    figure = prediction_sequence(target, np.zeros(T))
    np.testing.assert_allclose(named(figure, "target").y, target, rtol=1e-6)
    np.testing.assert_array_equal(named(figure, "prediction").x, t)
    assert feeds(figure) == {"prediction": {"y": ["frame", "outputs", "col:0"]}}


def test_what_is_not_scored_is_shaded() -> None:
    figure = prediction_sequence(np.sin(t), np.zeros(T), scored=(6, 45))
    veils = [trace for trace in figure.data if trace.name == "not scored"]
    assert [(min(veil.x), max(veil.x)) for veil in veils] == [(0.5, 5.5), (45.5, 50.5)]
    assert len(prediction_sequence(np.sin(t), np.zeros(T), scored=(1, T)).data) == 2
