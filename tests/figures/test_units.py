"""Unit × time: symmetric signed colours, gates from 0 to 1, float16 in and nothing lost."""

from typing import Any

import numpy as np
import pytest

from rnnviz.figures import palette, unit_heatmap
from rnnviz.figures.theme import GATE, SIGNED, Theme
from tests.figures.examples import HIDDEN, T, U, t

SIGNED_STATE: dict[str, Any] = {"kind": "signed", "name": "cell state", "symbol": "c_t", "channel": "states.c"}
FORGET: dict[str, Any] = {"kind": "gate", "name": "forget gate", "symbol": "f_t", "channel": "gates.forget"}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_signed_values_are_symmetric_about_zero(theme: Theme) -> None:
    (heatmap,) = unit_heatmap(HIDDEN, **SIGNED_STATE, limit=2.5, theme=theme).data
    assert (heatmap.zmin, heatmap.zmax) == (-2.5, 2.5)
    assert heatmap.colorscale == SIGNED[theme]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_gates_run_from_0_to_1(theme: Theme) -> None:
    (heatmap,) = unit_heatmap(HIDDEN, **FORGET, theme=theme).data
    assert (heatmap.zmin, heatmap.zmax) == (0, 1)
    assert heatmap.colorscale == GATE[theme]


def test_values_lie_at_their_unit_and_time_and_are_fed() -> None:
    (heatmap,) = unit_heatmap(HIDDEN, **SIGNED_STATE).data
    np.testing.assert_array_equal(heatmap.z, HIDDEN.astype(np.float32))
    np.testing.assert_array_equal(heatmap.x, t)
    np.testing.assert_array_equal(heatmap.y, np.arange(1, U + 1))
    assert heatmap.meta["feed"] == {"z": ["frame", "states.c"]}
    assert heatmap.z.dtype == np.float32, "plotly cannot encode float16"


def test_hover_says_unit_time_and_three_digits() -> None:
    (heatmap,) = unit_heatmap(HIDDEN, **FORGET).data
    for part in ("forget gate", "unit %{y}", "t = %{x}", "%{z:.3g}", "f<sub>t</sub>"):
        assert part in heatmap.hovertemplate


def test_the_symbol_wears_the_accent_of_its_gate() -> None:
    symbol, limits = unit_heatmap(HIDDEN, **FORGET).layout.annotations
    assert symbol.font.color == palette("light").gates["forget"]
    assert limits.text == "0 … 1"
    assert unit_heatmap(HIDDEN, **SIGNED_STATE, limit=3).layout.annotations[1].text == "−3 … 3"


def test_units_count_downwards_from_the_top() -> None:
    assert unit_heatmap(HIDDEN, **FORGET).layout.yaxis.range == (U + 0.5, 0.5)


def test_values_that_are_not_numbers_are_holes() -> None:
    values = np.zeros((2, T))
    values[0, 0], values[1, 1] = -np.inf, np.nan
    (heatmap,) = unit_heatmap(values, **SIGNED_STATE).data
    assert np.isnan(heatmap.z).sum() == 2


def test_an_unknown_quantity_still_has_words() -> None:
    meta = unit_heatmap(HIDDEN, kind="gate", name="leak", symbol="l_t", channel="gates.leak").layout.meta
    assert meta["question"] == "What is the leak of each unit?"


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match=r"kind must be 'signed', 'gate' or 'positive'\. Got 'log'"):
        unit_heatmap(HIDDEN, **FORGET | {"kind": "log"})
    with pytest.raises(ValueError, match=r"limit must be above 0\. Got 0"):
        unit_heatmap(HIDDEN, **SIGNED_STATE, limit=0)
    with pytest.raises(ValueError, match=r"values must have 2 axes\. Got the shape \(50,\)"):
        unit_heatmap(HIDDEN[0], **FORGET)
