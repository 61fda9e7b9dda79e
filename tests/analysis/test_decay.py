"""Facts that pages may state are measured here again: untrained networks, H = 64, T = 50, seeds 0 to 4."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rnnviz import CELLS, Experiment, RnnvizError, start, trace
from rnnviz.analysis import (
    Dynamics,
    bounds,
    decay_rate,
    direct_path,
    horizon,
    inside,
    jacobian_products,
    jacobians,
    log10_gradient_norms,
    log10_norms,
    spectral_radius,
)
from rnnviz.analysis.decay import STEEPEST
from rnnviz.cells import ACTIVATIONS
from rnnviz.tracing import reach
from tests.analysis.examples import random_checkpoint

SEEDS = range(5)


@pytest.mark.parametrize(
    ("fields", "low", "high"),
    [
        ({"cell": "rnn"}, 0.53, 0.65),
        ({"cell": "rnn", "initialisation": "orthogonal"}, 0.95, 0.99),
        ({"cell": "lstm", "forget_bias": 0}, 0.61, 0.67),
        ({"cell": "lstm", "forget_bias": 1}, 0.83, 0.89),
        ({"cell": "lstm", "forget_bias": 3}, 0.99, 1.04),
        ({"cell": "gru"}, 0.62, 0.67),
        ({"cell": "gru", "update_bias": 2}, 0.89, 0.92),
    ],
)
def test_the_gradient_of_an_untrained_network_falls_as_stated(fields: dict[str, Any], low: float, high: float) -> None:
    found = []
    for seed in SEEDS:
        tr = trace(start(Experiment(task="adding", hidden_size=64, length=50, seed=seed, **fields)))
        found.append(float(decay_rate(np.median(log10_gradient_norms(tr), 1))))
    assert low < min(found) <= max(found) < high, found


def test_the_misprinted_gru_loses_dozens_of_decades_where_the_right_one_keeps_a_trace() -> None:
    curves = {}
    for cell in ("gru", "gru_v3", "gru_leakless"):
        found = []
        for seed in SEEDS:
            tr = trace(start(Experiment(cell=cell, task="adding", hidden_size=64, length=50, seed=seed)))
            found.append(np.median(log10_norms(jacobian_products(jacobians(tr, samples=slice(4))))[0]))
        curves[cell] = found
    assert -11 < min(curves["gru"] + curves["gru_v3"]) < max(curves["gru"] + curves["gru_v3"]) < -8
    assert -60 < min(curves["gru_leakless"]) < max(curves["gru_leakless"]) < -50


# The direct path


@pytest.mark.parametrize(("bias", "kept"), [(0, 8.88e-16), (1, 1.576e-7), (2, 1.753e-3), (4, 0.4035)])
def test_fifty_steps_of_the_direct_path_without_weights(bias: float, kept: float) -> None:
    tr = trace(start(Experiment(cell="lstm", initialisation="zeros", forget_bias=bias, length=50, hidden_size=2)))
    path = direct_path(tr)
    assert path.shape == (51, 16, 2)
    np.testing.assert_allclose(path[0], kept, rtol=5e-4)
    np.testing.assert_array_equal(path[-1], 1)
    np.testing.assert_allclose(direct_path(tr, log10=True)[0], 50 * np.log10(1 / (1 + np.exp(-bias))), rtol=1e-12)


@pytest.mark.parametrize("cell", [name for name, cell in CELLS.items() if cell.keepers])
def test_the_direct_path_is_the_derivative_if_nothing_else_leads_back(cell: str) -> None:
    """With no weights only the gate that keeps is left of the Jacobian of the state that is kept."""
    options = {name: 1.5 for name in ("forget_bias", "update_bias") if name in CELLS[cell].options}
    tr = trace(start(Experiment(cell=cell, initialisation="zeros", hidden_size=2, length=8, **options)))
    P = jacobian_products(jacobians(tr))
    last = CELLS[cell].carried.index("c") if "c" in CELLS[cell].carried else 0
    whole = (P.matrices * 10.0 ** P.log10_scales[..., None, None])[1:, :, 2 * last, 2 * last]
    np.testing.assert_allclose(direct_path(tr)[1:, :, 0], whole, rtol=1e-9)


def test_each_sequence_counts_from_its_own_end() -> None:
    checkpoint = random_checkpoint(Experiment(cell="lstm", task="sentiment", hidden_size=3))
    tr = trace(checkpoint)
    assert tr.lengths is not None
    path = direct_path(tr)
    assert tr.lengths.min() < len(tr.inputs)
    for b, end in enumerate(tr.lengths):
        np.testing.assert_allclose(path[0, b], tr.gates["forget"][:end, b].prod(0))
        np.testing.assert_allclose(path[end - 1, b], tr.gates["forget"][end - 1, b])
        np.testing.assert_array_equal(path[end, b], 1)
    np.testing.assert_array_equal(np.isfinite(path[1:]).all(2), inside(tr))


def test_what_keeps_nothing_has_no_direct_path() -> None:
    for cell in ("rnn", "gru_leakless", "lru"):
        with pytest.raises(RnnvizError, match=f"keeps the old state. Got {cell}"):
            direct_path(trace(start(Experiment(cell=cell, length=4, hidden_size=2))))


# Curves and lines


def test_the_rate_of_an_exponential_is_its_factor() -> None:
    back = np.arange(29, -1, -1.0)
    curves = np.log10(np.array([0.5, 0.9, 1.1])) * back[:, None] + [0, -3, 8]
    np.testing.assert_allclose(decay_rate(curves), [0.5, 0.9, 1.1])
    np.testing.assert_allclose(decay_rate(1000 * curves[:, 0]), 0.5**1000)
    curves[:10, 0], curves[12, 1] = -np.inf, np.nan
    curves[-5:] = 0
    np.testing.assert_allclose(decay_rate(curves, skip=5), [0.5, 0.9, 1.1])
    assert np.isnan(decay_rate(np.full(5, -np.inf)))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_no_elman_network_leaves_its_ceiling(activation: str) -> None:
    rng = np.random.default_rng(0)
    W = rng.normal(size=(12, 12)) / 3
    weights = {"W_hh": W, "W_ih": rng.normal(size=(12, 1)), "b": np.zeros(12)}
    dynamics = Dynamics.of_cell("rnn", weights, activation)
    norms = log10_norms(jacobian_products(dynamics.jacobians(rng.normal(size=(200, 3, 1)))))[::-1]  # by lag
    lines = bounds(W, 200, activation)
    assert (norms <= lines.ceiling[:, None] + 1e-9).all()
    assert lines.ceiling[0] == lines.trend[0] == 0
    if activation == "linear":
        assert decay_rate(norms[::-1], skip=50)[0] == pytest.approx(spectral_radius(W), rel=0.01)
        assert lines.trend[1] == pytest.approx(np.log10(spectral_radius(W)))
    assert set(STEEPEST) == set(ACTIVATIONS)


def test_lines_need_one_square_block_and_a_known_activation() -> None:
    with pytest.raises(RnnvizError, match=re.escape("one square block. Got shape (8, 2)")):
        bounds(np.zeros((8, 2)), 5)
    with pytest.raises(RnnvizError, match="Got 'tan'"):
        bounds(np.eye(2), 5, "tan")
    np.testing.assert_array_equal(bounds(np.zeros((2, 2)), 2).trend, [0, -np.inf, -np.inf])


NORMS = arrays(np.float64, st.integers(0, 12), elements=st.sampled_from([0, 1e-9, 0.004, 0.011, 0.3, 1, 80, np.nan]))


@given(NORMS)
def test_the_horizon_at_one_percent_is_the_reach(norms: np.ndarray) -> None:
    assert horizon(norms) == reach(norms)
    with np.errstate(divide="ignore"):
        assert horizon(np.log10(norms), log10=True) == reach(norms)


def test_a_lower_demand_is_met_for_longer() -> None:
    norms = 0.5 ** np.arange(19, -1, -1.0)
    assert [horizon(norms, fraction) for fraction in (1, 0.5, 0.1, 1e-3, 1e-9)] == [1, 2, 4, 10, 20]
    assert horizon(np.arange(1000) - 999.0, 1e-300, log10=True) == 301
    with pytest.raises(RnnvizError, match=r"at most 1. Got 0"):
        horizon(norms, 0)
