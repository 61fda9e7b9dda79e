"""Correlation of units with quantities."""

import numpy as np
import pytest

from rnnviz.analysis import tracking
from rnnviz.errors import RnnvizError


def test_it_is_pearsons_correlation_without_the_padding():
    rng = np.random.default_rng(0)
    states, quantities = rng.normal(size=(20, 4, 3)), rng.normal(size=(20, 4, 2))
    states[15:, 1] = np.nan
    quantities[:3, :, 1] = np.nan
    read = np.isfinite(states[..., 0]) & np.isfinite(quantities[..., 1])
    expected = np.corrcoef(states[read][:, 2], quantities[read][:, 1])[0, 1]
    assert tracking(states, quantities)[2, 1] == pytest.approx(expected, abs=1e-12)


def test_what_follows_exactly_has_one_and_what_never_moves_has_zero():
    ramp = np.arange(12.0).reshape(6, 2, 1)
    states = np.concatenate([2 * ramp + 1, -ramp, np.full_like(ramp, 0.3)], 2)
    np.testing.assert_allclose(tracking(states, ramp)[:, 0], [1, -1, 0], atol=1e-12)
    assert not tracking(states, np.full_like(ramp, np.nan)).any()


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(RnnvizError, match="must share T and B"):
        tracking(np.zeros((3, 2, 1)), np.zeros((2, 2, 1)))
