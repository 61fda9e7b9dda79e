"""Words along the time axis."""

import numpy as np

from rnnviz.figures import input_words, palette, prediction_words
from tests.figures.examples import P, T, named


def test_words_stand_at_their_steps_in_the_colour_of_their_opinion():
    figure = input_words(["not", "so", "good", "bad"], opinions=[0, 0, 1, -1], strong="not", steps=6)
    words, colours = named(figure, "words"), palette("light")
    np.testing.assert_array_equal(words.x, [1, 2, 3, 4])
    assert list(words.text) == ["<b>not</b>", "so", "good", "bad"]
    assert list(words.textfont.color) == [colours.ink, colours.muted, colours.positive, colours.negative]
    assert figure.layout.xaxis.range == (0.5, 6.5)


def test_letters_stand_upright():
    assert named(input_words(list("abc")), "words").textangle == 0
    assert named(input_words(["a", "bc"]), "words").textangle == -90


def test_the_opinion_so_far_is_behind_each_word_and_live():
    figure = prediction_words(P[:2], ["a"] * T, names=("negative", "positive"))
    heatmap = named(figure, "opinion")
    assert heatmap.meta["feed"] == {"z": ["frame", "opinion"]}
    shown = [y for y in heatmap.y if 0 <= y <= 1]
    assert shown == [0.5], "only the second class has a row in the picture"
    assert (heatmap.zmin + heatmap.zmax) / 2 == 0.5
