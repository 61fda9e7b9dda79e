"""Legible in both themes, safe for colour-blind eyes, and one meaning for every scale."""

from itertools import combinations
from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from rnnviz.figures.legend import legend_html
from rnnviz.figures.theme import (
    FLOAT32_FLOOR,
    GATE,
    LANE_DASHES,
    LOG10_FLOAT32_FLOOR,
    NORM,
    PROBABILITY,
    RELIEF,
    SIGNED,
    SIZE,
    Theme,
    norm_scale,
    palette,
    see_through,
    template,
)

both_themes = pytest.mark.parametrize("theme", get_args(Theme))

Array = NDArray[np.floating]

# Viénot, Brettel & Mollon 1999: linear RGB as a dichromat sees it.
PROTANOPIA = np.array([[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]])
DEUTERANOPIA = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])


def linear(colour: str) -> Array:
    srgb = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    return float(linear(colour) @ (0.2126, 0.7152, 0.0722))


def contrast(a: str, b: str) -> float:
    """The WCAG contrast ratio."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def lab(rgb: Array) -> Array:
    """CIE L*a*b* of linear RGB, D65."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = np.clip(to_xyz @ np.clip(rgb, 0, 1) / (0.95047, 1, 1.08883), 1e-9, None)
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def seen_distance(a: str, b: str, eyes: Array) -> float:
    return float(np.linalg.norm(lab(eyes @ linear(a)) - lab(eyes @ linear(b))))


def test_contrast_of_black_on_white_is_21() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@both_themes
def test_text_reaches_4_5_to_1(theme: Theme) -> None:
    colours = palette(theme)
    text = [colours.ink, colours.muted, colours.baseline, colours.threshold, *colours.gates.values()]
    for background in (colours.panel, colours.page):
        for colour in text:
            assert contrast(colour, background) >= 4.5, (colour, background)


@both_themes
def test_lines_reach_3_to_1(theme: Theme) -> None:
    colours = palette(theme)
    lines = [
        colours.target, colours.prediction, colours.positive, colours.negative, colours.gradient_h,
        colours.gradient_c, colours.floor_line, *colours.lanes, *colours.cells.values(),
    ]  # fmt: skip
    for colour in lines:
        assert contrast(colour, colours.panel) >= 3, colour


@both_themes
@pytest.mark.parametrize("eyes", [np.eye(3), PROTANOPIA, DEUTERANOPIA], ids=["all", "protanopia", "deuteranopia"])
def test_colours_that_meet_stay_apart(theme: Theme, eyes: Array) -> None:
    """Just noticeable is about 2; lanes have a line style besides, and gates a label."""
    colours = palette(theme)
    lstm = [colours.gates[name] for name in ("input", "forget", "output", "candidate")]
    gru = [colours.gates[name] for name in ("reset", "update", "candidate")]
    groups = [colours.lanes, lstm, gru, (colours.gradient_h, colours.gradient_c), (colours.positive, colours.negative)]
    for group in groups:
        for a, b in combinations(group, 2):
            assert seen_distance(a, b, eyes) > 10, (a, b)
    assert seen_distance(colours.positive, colours.negative, eyes) > 50


@both_themes
def test_lanes_are_distinct_with_a_style_each(theme: Theme) -> None:
    colours = palette(theme)
    assert len(set(colours.lanes)) == len(colours.lanes) == len(set(LANE_DASHES))
    assert set(colours.cells) == {"rnn", "lstm", "gru"}


@both_themes
def test_signed_scale_is_neutral_at_zero_and_of_equal_weight_at_both_ends(theme: Theme) -> None:
    scale = dict(SIGNED[theme])
    assert scale[0.5] == palette(theme).panel
    orange, blue = linear(scale[0.0]), linear(scale[1.0])
    assert orange[0] > orange[2]
    assert blue[2] > blue[0]
    distances = [contrast(colour, scale[0.5]) for _, colour in SIGNED[theme]]
    assert distances[:5] == sorted(distances[:5], reverse=True), "farther from 0, farther from the panel"
    assert distances[4:] == sorted(distances[4:])
    assert 0.7 < distances[0] / distances[-1] < 1.4


@both_themes
def test_sequential_scales_are_monotonic(theme: Theme) -> None:
    gate = [luminance(colour) for _, colour in GATE[theme]]
    norm = [luminance(colour) for _, colour in NORM[theme]]
    assert gate == sorted(gate, reverse=True), "pale = closed, deep = open"
    assert norm == sorted(norm), "dark = vanished, bright = alive"
    assert PROBABILITY[theme][0][1] == palette(theme).panel


@both_themes
def test_scales_run_from_0_to_1(theme: Theme) -> None:
    for scale in (
        SIGNED[theme],
        GATE[theme],
        NORM[theme],
        PROBABILITY[theme],
        RELIEF[theme],
        norm_scale(theme, -45, 2),
    ):
        positions = [at for at, _ in scale]
        assert positions == sorted(positions)
        np.testing.assert_allclose((positions[0], positions[-1]), (0, 1))


@both_themes
def test_below_the_float32_floor_is_flat_grey(theme: Theme) -> None:
    assert np.finfo(np.float32).tiny == FLOAT32_FLOOR
    assert norm_scale(theme, -20, 2) == NORM[theme]
    scale = norm_scale(theme, -45, 2)
    grey = palette(theme).below_floor
    assert [colour for _, colour in scale[:3]] == [grey, grey, NORM[theme][0][1]]
    assert scale[1][0] == scale[2][0] == pytest.approx((LOG10_FLOAT32_FLOOR + 45) / 47)
    red, green, blue = linear(grey)
    assert max(red, green, blue) - min(red, green, blue) < 0.1, "grey"


@both_themes
def test_template_is_calm(theme: Theme) -> None:
    layout = template(theme).layout
    assert layout.paper_bgcolor == layout.plot_bgcolor == "rgba(0,0,0,0)"
    assert layout.font.size == 13
    assert layout.margin.autoexpand is False


def test_see_through() -> None:
    assert see_through("#ff8000", 0.2) == "rgba(255,128,0,0.2)"


@both_themes
def test_legend_shows_the_very_same_scales(theme: Theme) -> None:
    html = legend_html(theme)
    for scale in (SIGNED[theme], GATE[theme], NORM[theme]):
        assert all(colour in html for _, colour in scale)
    assert palette(theme).below_floor in html
    assert html.count("linear-gradient") == 3
    assert legend_html(theme, only=["gate"]).count("linear-gradient") == 1
    assert all(colour in legend_html(theme, only=["size"]) for _, colour in SIZE[theme])
    with pytest.raises(ValueError, match="signed, gate, norm"):
        legend_html(theme, only=["loss"])
