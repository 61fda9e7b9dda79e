import time
from dataclasses import replace

import numpy as np
import pytest

from rnnviz import CELLS, Experiment, RnnvizError, start, trace
from rnnviz.analysis import (
    Dynamics,
    direct_path,
    jacobian_products,
    jacobians,
    log10_norms,
    singular_values,
    spectral_norm,
    spectral_radius,
    step_gradients,
)
from rnnviz.analysis.lab import (
    Lane,
    chosen_lags,
    decay,
    lane_decay,
    lane_payment,
    noise_inputs,
    payment,
    recurrent_blocks,
    sample_count,
)
from rnnviz.model import probe_batch
from tests.analysis.examples import EXACT, random_checkpoint
from tests.cells.steps import noise, random_weights

ORTHOGONAL = Lane(initialisation="orthogonal", activation="linear")


@pytest.mark.parametrize("cell", CELLS)
def test_a_lane_is_the_products_of_jacobians_of_its_network(cell: str) -> None:
    dynamics = Dynamics.of_cell(cell, random_weights(CELLS[cell], 4, 2, scale=0.7))
    x = noise(70, 3, 2).numpy()
    found, products = decay(dynamics, x), jacobian_products(dynamics.jacobians(x))
    at = 70 - found.lags
    np.testing.assert_allclose(found.log10_norms, log10_norms(products)[at], rtol=1e-9, atol=1e-9)
    kept = np.isfinite(found.log10_singular)
    assert kept[:, 0].all()
    wanted = singular_values(products)[at, 0]
    sure = kept & (wanted > wanted[:, :1] - 9)  # of the others rounding decides the last digits
    np.testing.assert_allclose(found.log10_singular[sure], wanted[sure], rtol=1e-6, atol=1e-6)
    last = dynamics.jacobians(x)[-1]
    np.testing.assert_allclose(np.abs(found.eigenvalues).max(1), [spectral_radius(J) for J in last], **EXACT)
    assert found.step_sigma == pytest.approx(np.median([spectral_norm(J) for J in last]))


def test_a_trained_network_on_its_own_examples_too() -> None:
    checkpoint = random_checkpoint(Experiment(cell="gru", hidden_size=4, length=12))
    found = decay(checkpoint, probe_batch(checkpoint.experiment).inputs)
    wanted = log10_norms(jacobian_products(jacobians(trace(checkpoint))))
    np.testing.assert_allclose(found.log10_norms, wanted[12 - found.lags], rtol=1e-9, atol=1e-9)


def test_an_orthogonal_linear_network_neither_forgets_nor_grows() -> None:
    found = lane_decay(ORTHOGONAL, 32, 1000, 0.3, 0)
    np.testing.assert_allclose(found.log10_norms, 0, atol=1e-4)  # its weights are float32
    np.testing.assert_allclose(found.log10_singular, 0, atol=1e-4)
    assert found.per_step == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("bias", [0.0, 1.0, 2.0, 4.0])
def test_without_weights_an_lstm_keeps_the_sigmoid_of_its_bias_each_step(bias: float) -> None:
    found = lane_decay(Lane("lstm", "zeros", bias=bias), 8, 50, 1.0, 0)
    f = 1 / (1 + np.exp(-bias))
    # c alone carries on; h only reads it out, which does not matter from the second step on.
    np.testing.assert_allclose(found.median[1:] - found.median[1], (found.lags[1:] - 1) * np.log10(f), atol=1e-9)
    assert 10 ** found.theory[0].log10[-1] == pytest.approx(f**50)
    assert found.per_step == pytest.approx(f)
    assert found.kept is not None
    np.testing.assert_allclose(found.kept, f)


def test_the_gates_own_path_is_that_of_the_trace() -> None:
    checkpoint = start(Experiment(cell="lstm", hidden_size=5, length=40))
    found = decay(checkpoint, probe_batch(checkpoint.experiment).inputs)
    wanted = np.median(direct_path(trace(checkpoint), log10=True).max(2), 1)
    np.testing.assert_allclose(found.theory[0].log10, wanted[40 - found.lags], **EXACT)


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid", "linear"])
def test_no_product_lies_above_its_ceiling(activation: str) -> None:
    found = lane_decay(Lane(initialisation="spectral", activation=activation, rho=0.9), 16, 80, 0.5, 1)
    ceiling, _ = (line.log10 for line in found.theory)
    assert (found.log10_norms <= ceiling[:, None] + 1e-9).all()


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("rho", [0.0, 0.5, 1.3])
def test_rho_is_what_every_recurrent_block_is_rescaled_to(cell: str, rho: float) -> None:
    found = lane_decay(Lane(cell, rho=rho), 8, 10, 0.3, 0)
    np.testing.assert_allclose(found.rho, rho, atol=1e-6)
    drawn = recurrent_blocks(Lane(cell).checkpoint(8, 10, 0).weights["0.W_hh"])
    assert len(drawn) == len(found.rho)
    np.testing.assert_allclose(found.sigma, [rho * spectral_norm(W) / spectral_radius(W) for W in drawn], atol=1e-6)


def test_lags_and_samples() -> None:
    for T in (4, 12, 13, 50, 1000):
        lags = chosen_lags(T)
        assert (lags[0], lags[-1]) == (0, T)
        assert (np.diff(lags) > 0).all()
        assert min(T, 50) in lags
        assert len(lags) <= 50
    assert sample_count(100, 32) == 5
    assert sample_count(1000, 128) == 1
    np.testing.assert_array_equal(noise_inputs(20, 3, 2, 0.5, 1), 0.5 * noise_inputs(20, 8, 2, 1.0, 1)[:, :3])


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(RnnvizError, match=r"`rho` must be between 0 and 3\. Got 4"):
        lane_decay(Lane(rho=4.0), 8, 10, 0.3, 0)
    with pytest.raises(RnnvizError, match="`initialisation` must be one of"):
        lane_decay(Lane("lru", "orthogonal"), 8, 10, 0.3, 0)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "indrnn"])
def test_who_pays_adds_up_to_the_gradient_with_and_without_truncation(cell: str) -> None:
    checkpoint = Lane(cell).checkpoint(6, 20, 0)
    found = payment(checkpoint, 5)
    for window, shares in ((0, found.full), (5, found.cut)):
        amended = replace(checkpoint, experiment=checkpoint.experiment.amend(bptt_window=window))
        steps = step_gradients(trace(amended), found.of)  # type: ignore[arg-type]
        np.testing.assert_allclose(steps.sum(0), shares.total, **EXACT)
        assert shares.shares.sum() == pytest.approx(1)
    assert not found.cut.shares[:15].any(), "one answer at the end: nothing crosses the last cut"
    assert found.size > 0
    assert -1 <= found.alignment <= 1
    whole = lane_payment(Lane(cell), 6, 20, 0, 0)
    assert (whole.size, whole.alignment) == (pytest.approx(1), pytest.approx(1))


def test_four_lanes_answer_at_once() -> None:
    """A third of a second is wanted, one lane when a slider moves; a shared machine gets ten times as much."""
    lanes = [Lane(), Lane("lstm"), Lane("lstm", bias=1.0), Lane("gru")]
    lane_decay(Lane(), 4, 10, 0.3, 0)  # imports and first calls
    for H, T in ((32, 300), (64, 100)):
        began = time.perf_counter()
        for lane in lanes:
            lane_decay(lane, H, T, 0.123, 7)
        assert time.perf_counter() - began < 3
