"""What a network says at every step."""

import itertools

import numpy as np
import pytest

from rnnviz.figures import (
    attention_map,
    prediction_future,
    prediction_labels,
    prediction_probability,
    prediction_sequence,
    prediction_symbols,
)
from tests.figures.examples import CLASSES, PATH, PULSES, P, T, feeds, named, t

NAMES = list("abcdXY")


def test_several_outputs_have_a_row_each_and_share_one_time_axis():
    figure = prediction_sequence(np.sign(PULSES), PULSES, names=["a", "b", "c"])
    rows = [trace for trace in figure.data if trace.name == "prediction"]
    assert [trace.meta["feed"]["y"] for trace in rows] == [["frame", "outputs", f"col:{k}"] for k in range(3)]
    assert [trace.yaxis for trace in rows] == ["y", "y2", "y3"]
    axes = [figure.layout[name] for name in ("yaxis", "yaxis2", "yaxis3")]
    assert [axis.title.text for axis in axes] == ["a", "b", "c"]
    assert all(upper.domain[0] > lower.domain[1] for upper, lower in itertools.pairwise(axes))


def test_a_yes_or_no_question_is_the_probability_of_yes():
    figure = prediction_probability(CLASSES % 2, P[1], names=("even", "odd"))
    np.testing.assert_allclose(named(figure, "prediction").y, P[1], rtol=1e-6)
    assert feeds(figure) == {"prediction": {"y": ["frame", "outputs", "row:1"]}}
    assert "odd" in figure.layout.yaxis.title.text


def test_only_answers_that_count_are_outlined():
    figure = prediction_symbols(CLASSES, P, names=NAMES, scored=CLASSES > 1)
    boxes = named(figure, "true class").x.reshape(-1, 6)
    np.testing.assert_allclose((boxes[:, 0] + boxes[:, 1]) / 2, t[CLASSES > 1])
    with pytest.raises(ValueError, match=r"6 classes\. Got 1"):
        prediction_symbols(CLASSES, P, names=["a"])


def test_what_a_decoder_should_say_stands_below_its_steps():
    figure = prediction_symbols(CLASSES[:4], P[:, :4], names=NAMES, wanted=list("badc"))
    assert figure.layout.xaxis.ticktext == tuple("badc")


def test_labels_stand_where_they_are_first_said():
    figure = prediction_labels(P, PATH, names=["blank", *"aeiou"], wanted=list("ae"))
    text = np.array(named(figure, "said").text)
    assert set(np.flatnonzero(text != "\u200b")) == set(np.flatnonzero(np.isfinite(PATH)))
    assert feeds(figure)["said"] == {"text": ["frame", "path", "names:blank|a|e|i|o|u"]}
    assert "a e" in figure.layout.annotations[0].text


def test_the_future_follows_the_past():
    figure = prediction_future(np.sin(t), np.zeros(24), shown=20)
    assert named(figure, "signal").x[-1] + 1 == named(figure, "what it expects").x[0] == T + 1
    assert len(named(figure, "signal").x) == 20


def test_attention_is_a_row_an_answer():
    figure = attention_map(np.eye(8), read=[*NAMES, "g", "h"], said=list("hgfedcba"))
    assert (figure.data[0].zmin, figure.data[0].zmax) == (0, 1)
    assert figure.layout.yaxis.ticktext == tuple("hgfedcba")
    assert attention_map(np.full((1, T), 1 / T)).data[0].zmax == pytest.approx(10 / T)
