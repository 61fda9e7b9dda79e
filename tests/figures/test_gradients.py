"""Gradients in pictures: real values on log axes, the float32 floor, and -inf as exactly zero."""

import numpy as np
import pytest

from rnnviz.figures import FLOAT32_FLOOR, gradient_norm_plot, gradient_training_heatmap, palette
from rnnviz.figures.gradients import decades
from tests.figures.examples import GRADIENT_BAND, ROWS, T, decay, feeds, named, t

FEW = np.full(T, -30.0)


def test_median_and_band_are_powers_of_the_logarithms() -> None:
    figure = gradient_norm_plot(*GRADIENT_BAND)
    band = [named(figure, "low h"), named(figure, "high h")]
    median = figure.data[2]
    for trace, log10 in zip((median, *band), (decay, decay - 0.5, decay + 0.5), strict=True):
        np.testing.assert_array_equal(trace.x, t)
        np.testing.assert_allclose(np.log10(trace.y), log10, rtol=1e-6)
    assert [trace.fill for trace in band] == ["none", "tonexty"], "the upper quantile is filled down to the lower"


def test_norms_far_below_float32_are_not_flushed_to_zero() -> None:
    log10 = np.full(T, -50, dtype=np.float32)
    np.testing.assert_allclose(gradient_norm_plot(t, log10, log10, log10).data[0].y, 1e-50)


def test_both_states_are_fed_and_told_apart() -> None:
    figure = gradient_norm_plot(*GRADIENT_BAND, median_c=decay / 2, low_c=decay / 2 - 1, high_c=decay / 2 + 1)
    fed = [trace.meta["feed"] for trace in figure.data if trace.meta]
    assert sorted(feed["y"] for feed in fed) == sorted(
        ["frame", f"grad.{state}.{part}", "pow10"] for state in "hc" for part in ("low", "high", "median")
    )
    h, c = (trace for trace in figure.data if trace.meta and trace.meta["feed"]["y"][1].endswith("median"))
    assert "<i>h" in h.name
    assert "<i>c" in c.name
    assert h.line.color != c.line.color
    assert h.line.dash != c.line.dash
    assert [trace.name for trace in figure.data if trace.showlegend is not False] == [h.name, c.name]


def test_the_floor_is_drawn_where_the_axis_reaches_it() -> None:
    figure = gradient_norm_plot(t, FEW - 15, FEW - 16, FEW)
    np.testing.assert_allclose(named(figure, "float32 floor").y, FLOAT32_FLOOR)
    assert figure.layout.yaxis.range[0] < np.log10(FLOAT32_FLOOR)
    assert any("float32 floor" in note.text for note in figure.layout.annotations)


def test_the_floor_is_told_of_where_the_axis_ends_above_it() -> None:
    figure = gradient_norm_plot(*GRADIENT_BAND)
    assert "float32 floor" not in {trace.name for trace in figure.data}
    assert any("is below this axis" in note.text for note in figure.layout.annotations)


def test_exact_zeros_neither_warn_nor_move_the_axis() -> None:
    zeros = decay.copy()
    zeros[:5] = -np.inf
    figure = gradient_norm_plot(t, zeros, np.full(T, -np.inf), zeros)
    assert (figure.data[2].y[:5] == 0).all()
    assert figure.layout.yaxis.range == gradient_norm_plot(t, decay[5:], decay[5:], decay[5:]).layout.yaxis.range


@pytest.mark.parametrize(
    ("log10", "expected"),
    [
        ([-1, -2], (-10, 2)),
        ([-11.2, -1], (-20, 2)),
        ([-25, 0.5], (-45, 2)),
        ([-34.5, 0], (-45, 2)),
        ([-500, 0], (-45, 2)),
        ([-1, 7.5], (-10, 9)),
        ([-np.inf, -np.inf], (-10, 2)),
        ([], (-10, 2)),
    ],
)
def test_decades_are_generous_and_whole(log10: list[float], expected: tuple[int, int]) -> None:
    assert decades(log10) == expected


def test_rows_lie_at_their_training_step_and_time() -> None:
    steps = np.array([0, 1, 2, 4, 8, 16, 30])
    figure = gradient_training_heatmap(ROWS, steps)
    (heatmap,) = figure.data
    np.testing.assert_array_equal(heatmap.x, t)
    np.testing.assert_array_equal(heatmap.y, steps)
    np.testing.assert_array_equal(heatmap.z, ROWS)
    assert heatmap.meta["feed"] == {"z": ["rows", "grad.h.median"], "y": ["steps", "step"]}
    assert (heatmap.zmin, heatmap.zmax) == decades(ROWS)
    assert feeds(figure).keys() == {"gradient norm"}


def test_a_gradient_that_is_exactly_zero_everywhere_still_has_its_training_axis() -> None:
    _, axis = gradient_training_heatmap(np.full((3, T), -np.inf), [0, 1, 2]).data
    np.testing.assert_array_equal(axis.y, [0, 1, 2])
    assert axis.meta["feed"] == {"y": ["steps", "step"]}


def test_exact_zeros_are_holes_on_a_grey_ground() -> None:
    rows = ROWS.copy()
    rows[0, :3] = -np.inf
    figure = gradient_training_heatmap(rows, np.arange(len(rows)), theme="dark")
    z = figure.data[0].z
    assert np.isnan(z[0, :3]).all()
    assert np.isfinite(z).sum() == z.size - 3
    assert figure.layout.plot_bgcolor == palette("dark").below_floor


def test_below_the_floor_is_grey_in_the_colour_scale() -> None:
    heatmap = gradient_training_heatmap(np.linspace(-60, 0, T)[None], [0]).data[0]
    grey = palette("light").below_floor
    floor = heatmap.colorscale[1][0]
    assert heatmap.colorscale[0][1] == heatmap.colorscale[1][1] == grey
    assert heatmap.zmin + floor * (heatmap.zmax - heatmap.zmin) == pytest.approx(np.log10(FLOAT32_FLOOR))


@pytest.mark.parametrize("bottom", [-3, -12, -22, -60])
def test_the_colour_bar_names_powers_of_ten(bottom: float) -> None:
    bar = gradient_training_heatmap(np.linspace(bottom, 0, T)[None], [0]).data[0].colorbar
    assert "1" in bar.ticktext
    for exponent, text in zip(bar.tickvals, bar.ticktext, strict=True):
        assert text == ("1" if exponent == 0 else f"10<sup>{exponent:.0f}</sup>".replace("-", "−"))
    assert bar.thickness + bar.xpad < 30, "with its labels inside the shared right margin"


def test_a_single_row_has_no_labels_between_whole_steps() -> None:
    alias = gradient_training_heatmap(ROWS[:1], [0]).layout.yaxis.labelalias
    assert alias["0.2"] == alias["−0.4"] == ""


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="log10_rows must have 2 axes"):
        gradient_training_heatmap(decay, [0])


def test_other_states_than_h_and_c_have_their_own_channels_and_symbols():
    names, symbols = ("re", "im"), (r"\Re z", r"\Im z")
    more = {"median_c": decay, "low_c": decay, "high_c": decay}
    figure = gradient_norm_plot(*GRADIENT_BAND, **more, names=names, symbols=symbols)
    fed = {trace.meta["feed"]["y"][1] for trace in figure.data if trace.meta}
    assert fed == {f"grad.{name}.{quantile}" for name in names for quantile in ("low", "median", "high")}
    assert "Re\xa0z" in figure.layout.yaxis.title.text
    (heatmap,) = gradient_training_heatmap(ROWS, np.arange(len(ROWS)), name="re", symbol=symbols[0]).data
    assert heatmap.meta["feed"]["z"] == ["rows", "grad.re.median"]


def test_what_no_sample_reaches_is_covered_and_an_exact_zero_is_not():
    rows = ROWS.copy()
    rows[:, 40:], rows[:, 0] = np.nan, -np.inf
    (cover,) = gradient_training_heatmap(rows, np.arange(len(rows))).layout.shapes
    assert (cover.name, cover.x0, cover.x1) == ("cover", 40.5, T + 0.5)
    assert gradient_training_heatmap(ROWS, np.arange(len(ROWS))).layout.shapes == ()
