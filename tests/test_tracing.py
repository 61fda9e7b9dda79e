"""What a trace shows is what finite differences measure on the printed equations, in float64 throughout."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from rnnviz import CELLS, TASKS, Checkpoint, Experiment, RnnvizError, Trace, advance, start, trace
from rnnviz.tasks import SIGNALS
from rnnviz.torch_twin import TorchTwin
from rnnviz.tracing import _norms, frame, reach
from tests.cells.latex import Equations

VARIANTS = [(task, signal) for task in TASKS for signal in (SIGNALS if "signal" in TASKS[task].options else ("ar2",))]
NUDGE = 1e-5


def trained(steps: int = 2, **fields: Any) -> Checkpoint:
    experiment = Experiment(**({"hidden_size": 4, "length": 10, "batch_size": 4, "learning_rate": 0.05} | fields))
    return advance(start(experiment), steps, record_last=False).checkpoint


def measured_loss(
    checkpoint: Checkpoint, tr: Trace, b: int, layer: int, t: int, symbol: str, by: np.ndarray, last_only: bool = False
) -> float:
    """L_b by numpy alone, after moving one symbol of one layer at one step; every later equation feels it."""
    experiment, task = checkpoint.experiment, TASKS[checkpoint.experiment.task]
    weights = {name: value.astype(np.float64) for name, value in checkpoint.weights.items()}
    sequence = tr.inputs[:, b]
    for k in range(experiment.layers):
        own = {name.removeprefix(f"{k}."): value for name, value in weights.items() if name.startswith(f"{k}.")}
        equations = Equations(CELLS[experiment.cell], own, experiment.activation)
        sequence = equations.run(sequence, at=t if k == layer else -1, nudged=symbol, by=by)["h"]
    said = sequence @ weights["readout.W"].T + weights["readout.b"]  # (T, O)
    if task.loss == "cross_entropy":
        return float(np.log(np.exp(said[-1]).sum()) - said[-1][tr.targets[b]])
    if task.readout == "last":
        return float(((said[-1] - tr.targets[b]) ** 2).mean())
    errors = ((said - tr.targets[:, b]) ** 2).mean(1)[task.scored_from(len(said), experiment.signal) :]
    return float(errors[-1]) if last_only else float(errors.mean())


def slope(checkpoint: Checkpoint, tr: Trace, b: int, layer: int, t: int, symbol: str, unit: int, **how: Any) -> float:
    by = np.zeros(checkpoint.experiment.hidden_size)
    by[unit] = NUDGE
    up, down = (measured_loss(checkpoint, tr, b, layer, t, symbol, sign * by, **how) for sign in (1, -1))
    return (up - down) / (2 * NUDGE)


# Against finite differences


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("task", "signal"), VARIANTS)
def test_state_gradients_are_total_derivatives(cell: str, task: str, signal: str) -> None:
    checkpoint = trained(cell=cell, task=task, signal=signal, layers=2)
    tr = trace(checkpoint)
    T = len(tr.inputs)
    for layer, b, t, unit in [
        (1, 0, 0, 1),
        (1, 3, T // 2, 0),
        (1, 1, T - 2, 3),
        (1, 2, T - 1, 2),
        (0, 2, 1, 0),
        (0, 5, T - 1, 3),
    ]:
        for state in CELLS[cell].states:
            found = tr.layers[layer].state_grads[state][t, b, unit]
            assert found == pytest.approx(slope(checkpoint, tr, b, layer, t, state, unit), rel=1e-5, abs=1e-9)
    assert np.abs(tr.state_grads["h"]).max() > 1e-3, "not all of it is zero"


@pytest.mark.parametrize("cell", CELLS)
def test_the_last_answers_gradient_is_what_reaches_back_from_the_last_answer_alone(cell: str) -> None:
    checkpoint = trained(cell=cell, task="forecast")
    tr = trace(checkpoint)
    for b, t, unit in [(0, 9, 1), (3, 8, 0), (1, 4, 2), (7, 0, 3)]:
        for state in CELLS[cell].states:
            found = tr.last_answer_grads[state][t, b, unit]
            assert found == pytest.approx(
                slope(checkpoint, tr, b, 0, t, state, unit, last_only=True), rel=1e-5, abs=1e-9
            )
    assert np.abs(tr.last_answer_grads["h"] - tr.state_grads["h"])[:-1].max() > 1e-3
    once = trace(trained(cell=cell, task="adding"))
    for state in CELLS[cell].states:
        np.testing.assert_array_equal(once.last_answer_grads[state], once.state_grads[state])


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("task", "signal"), VARIANTS)
def test_preactivation_gradients_add_up_to_the_biases_gradient(cell: str, task: str, signal: str) -> None:
    checkpoint = trained(cell=cell, task=task, signal=signal, layers=2)
    tr, H = trace(checkpoint), 4
    B = tr.inputs.shape[1]
    for layer in (0, 1):
        for k, block in enumerate(CELLS[cell].blocks):
            unit = k * H + 2
            measured = []
            for sign in (1, -1):
                moved = {name: value.astype(np.float64) for name, value in checkpoint.weights.items()}
                moved[f"{layer}.b"][unit] += sign * NUDGE
                flat = np.concatenate([value.ravel() for value in moved.values()])
                measured.append(trace(replace(checkpoint, parameters=flat)).losses.mean())
            total = tr.layers[layer].preactivation_grads[block][:, :, 2].sum() / B
            assert total == pytest.approx((measured[0] - measured[1]) / (2 * NUDGE), rel=1e-5, abs=1e-9)
        for gate in CELLS[cell].gates:
            np.testing.assert_array_equal(tr.layers[layer].gate_grads[gate], tr.layers[layer].preactivation_grads[gate])


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("task", "signal"), VARIANTS)
def test_states_gates_outputs_and_losses_are_those_of_the_printed_equations(cell: str, task: str, signal: str) -> None:
    checkpoint = trained(cell=cell, task=task, signal=signal)
    tr = trace(checkpoint)
    weights = {name.removeprefix("0."): value.astype(np.float64) for name, value in checkpoint.weights.items()}
    for b in (0, 7, 15):
        run = Equations(CELLS[cell], weights).run(tr.inputs[:, b])
        for name, values in (tr.states | tr.gates).items():
            np.testing.assert_allclose(values[:, b], run[name], rtol=1e-10, atol=1e-12)
        assert tr.losses[b] == pytest.approx(measured_loss(checkpoint, tr, b, 0, -1, "", np.zeros(4)), rel=1e-10)


# Per sample, and in float64


def test_a_sample_has_the_same_gradient_alone_as_in_company() -> None:
    checkpoint = trained(cell="lstm")
    tr = trace(checkpoint)
    for b in (0, 9):
        alone = trace(checkpoint, tr.inputs[:, b : b + 1], tr.targets[b : b + 1])
        for name in ("h", "c"):
            np.testing.assert_allclose(tr.state_grads[name][:, b], alone.state_grads[name][:, 0], rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(
            _norms(tr.state_grads["h"])[:, b], np.linalg.norm(alone.state_grads["h"][:, 0], axis=1)
        )
        assert alone.losses[0] == pytest.approx(tr.losses[b], rel=1e-10)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("task", TASKS)
def test_everything_is_time_major_and_double(cell: str, task: str) -> None:
    tr = trace(trained(cell=cell, task=task, layers=2, hidden_size=5, length=11, batch_size=3))
    assert tr.step == 2
    assert len(tr.layers) == 2
    assert tr.states is tr.layers[1].states
    groups = [
        *(
            (layer.states, layer.gates, layer.state_grads, layer.gate_grads, layer.preactivation_grads)
            for layer in tr.layers
        )
    ]
    for arrays in (tr.last_answer_grads, *(group for layer in groups for group in layer)):
        for values in arrays.values():
            assert values.shape == (11, 16, 5)
            assert values.dtype == np.float64
    assert tr.outputs.dtype == tr.losses.dtype == tr.inputs.dtype == np.float64
    assert tr.losses.shape == (16,)
    assert tr.outputs.shape == ((16, len(TASKS[task].output_names)) if TASKS[task].readout == "last" else (11, 16, 1))


def test_gradients_far_below_float32_are_seen() -> None:
    checkpoint = start(
        Experiment(cell="rnn", length=200, hidden_size=8, initialisation="spectral", spectral_radius=0.4)
    )
    norms = _norms(trace(checkpoint).state_grads["h"])  # (T, B)
    assert 0 < norms[0].max() < 1e-50
    assert (norms > 0).all()
    log10 = frame(checkpoint).channels["grad.h.median"]
    assert np.isfinite(log10).all()
    np.testing.assert_allclose(log10, np.log10(np.median(norms, axis=1)), rtol=1e-6)
    assert log10[0] < -50 < -38 < log10[-1]


@pytest.mark.parametrize("size", [1e-300, 1e-200, 1.0, 1e200, 1e300])
def test_a_norm_neither_underflows_nor_overflows(size: float) -> None:
    np.testing.assert_allclose(_norms(np.array([[[3.0, -4.0], [0.0, 0.0]]]) * size), [[5 * size, 0]], rtol=1e-12)


# Own batches


def test_own_inputs_may_have_another_length_and_be_any_kind_of_array() -> None:
    checkpoint = trained(cell="gru")
    inputs, targets = np.random.default_rng(0).random((23, 3, 2)), np.ones((3, 1))
    tr = trace(checkpoint, inputs, targets)
    assert tr.states["h"].shape == (23, 3, 4)
    frozen = np.broadcast_to(inputs, inputs.shape)
    for same in (inputs.tolist(), frozen, inputs[::-1].copy()[::-1], np.asfortranarray(inputs)):
        np.testing.assert_array_equal(trace(checkpoint, same, targets.astype(int)).losses, tr.losses)
    assert not np.allclose(trace(checkpoint, inputs[::-1], targets).losses, tr.losses)


@pytest.mark.parametrize(
    ("task", "inputs", "targets", "sentence"),
    [
        ("adding", np.ones((5, 3, 2)), None, "`inputs` and `targets` must be given together"),
        ("adding", None, np.ones((3, 1)), "`inputs` and `targets` must be given together"),
        ("adding", np.ones((5, 3, 1)), np.ones((3, 1)), r"`inputs` must have shape \(T, B, 2\) .* Got \(5, 3, 1\)"),
        ("adding", np.ones((5, 2)), np.ones((3, 1)), r"`inputs` must have shape .* Got \(5, 2\)"),
        ("adding", np.ones((0, 3, 2)), np.ones((3, 1)), r"`inputs` must have shape .* Got \(0, 3, 2\)"),
        ("adding", np.ones((5, 3, 2)), np.ones(3), r"`targets` must have shape \(3, 1\) .* Got \(3,\)"),
        ("adding", np.full((5, 3, 2), "a"), np.ones((3, 1)), "`inputs` must be real numbers. Got <U1 values"),
        ("adding", np.ones((5, 3, 2)), np.full((3, 1), None), "`targets` must be real numbers. Got object values"),
        ("forecast", np.ones((5, 3, 1)), np.ones((4, 3, 1)), r"`targets` must have shape \(5, 3, 1\)"),
        ("forecast", np.ones((1, 3, 1)), np.ones((1, 3, 1)), "`inputs` must have at least 2 steps .* Got 1"),
        ("temporal_order", np.ones((5, 3, 6)), np.array([0, 1, 4]), "whole class numbers from 0 to 3"),
        ("temporal_order", np.ones((5, 3, 6)), np.array([0, 1, -1]), "whole class numbers from 0 to 3"),
        ("temporal_order", np.ones((5, 3, 6)), np.zeros(3), "whole class numbers from 0 to 3. Got float64 values"),
    ],
)
def test_a_batch_that_does_not_fit_gets_a_sentence(task: str, inputs: Any, targets: Any, sentence: str) -> None:
    with pytest.raises(RnnvizError, match=sentence):
        trace(start(Experiment(task=task, hidden_size=2, length=10)), inputs, targets)


# The same network in PyTorch


@pytest.mark.parametrize(("cell", "activation"), [("rnn", "tanh"), ("rnn", "relu"), ("lstm", "tanh"), ("gru", "tanh")])
@pytest.mark.parametrize("task", TASKS)
def test_to_torch_says_the_same(cell: str, activation: str, task: str) -> None:
    checkpoint = trained(cell=cell, activation=activation, task=task, layers=3)
    tr = trace(checkpoint)
    with torch.no_grad():
        exact = TorchTwin(checkpoint, torch.float64)(torch.from_numpy(tr.inputs)).numpy()
        single = checkpoint.to_torch()(torch.from_numpy(tr.inputs).float()).numpy()
    np.testing.assert_allclose(exact, tr.outputs, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(single, tr.outputs, rtol=1e-3, atol=1e-5)


def test_to_torch_refuses_what_torch_does_not_have() -> None:
    with pytest.raises(RnnvizError, match=r"torch\.nn has\. Got Elman RNN with activation sigmoid"):
        start(Experiment(cell="rnn", activation="sigmoid")).to_torch()


# Frames


@pytest.mark.parametrize(
    ("norms", "steps"),
    [([0, 0, 0], 0), ([1, 1, 1], 3), ([1e-3, 1e-3, 1], 1), ([1, 1e-3, 1], 1), ([1e-3, 0.01, 0.5, 1], 3), ([1, 1, 1e-3], 3),
     ([np.nan, 1], 1), ([1, np.nan], 0), ([np.inf, 1], 2), ([2e-60, 1e-60], 2)],
)  # fmt: skip
def test_reach_counts_steps_back_that_keep_a_hundredth_of_the_largest_norm_met(norms: list[float], steps: int) -> None:
    assert reach(np.array(norms, float)) == steps


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize(("task", "signal"), VARIANTS)
def test_a_frame_holds_the_probes_first_example_and_quantiles_over_all(cell: str, task: str, signal: str) -> None:
    checkpoint = trained(cell=cell, task=task, signal=signal)
    tr, picture = trace(checkpoint), frame(checkpoint)
    assert picture.step == 2
    for kind, arrays in (("states", tr.states), ("gates", tr.gates)):
        for name, values in arrays.items():
            channel = picture.channels[f"{kind}.{name}"]
            assert channel.dtype == np.float16
            np.testing.assert_allclose(channel, values[:, 0].T, rtol=1e-3, atol=1e-6)
    for name, grads in tr.state_grads.items():
        norms = np.sqrt((grads**2).sum(2))  # (T, B)
        for quantile, share in (("low", 0.1), ("median", 0.5), ("high", 0.9)):
            expected = np.log10(np.quantile(norms, share, axis=1))
            np.testing.assert_allclose(picture.channels[f"grad.{name}.{quantile}"], expected, rtol=1e-5)
    last = np.median(np.sqrt((tr.last_answer_grads["h"] ** 2).sum(2)), axis=1)
    assert picture.scalars["probe_loss"] == pytest.approx(tr.losses.mean())
    assert picture.scalars["reach"] == reach(last)
    if TASKS[task].readout == "every":
        np.testing.assert_allclose(picture.channels["grad.last.median"], np.log10(last), rtol=1e-5)
        np.testing.assert_allclose(picture.channels["outputs"], tr.outputs[:, 0], rtol=1e-6)
    elif TASKS[task].loss == "cross_entropy":
        p = np.exp(tr.outputs[:8])
        np.testing.assert_allclose(picture.channels["outputs"], p / p.sum(1, keepdims=True), rtol=1e-6)
    else:
        np.testing.assert_allclose(picture.channels["outputs"], tr.outputs[:8], rtol=1e-6)
    for gate in {"forget", "update"} & set(tr.gates):
        assert picture.scalars[f"{gate}_gate"] == pytest.approx(tr.gates[gate].mean())


def test_a_frame_shows_no_gradient_as_minus_infinity() -> None:
    channels = frame(start(Experiment(initialisation="zeros", length=8))).channels
    assert (channels["grad.h.median"] == -np.inf).all()


def test_a_frame_of_a_huge_state_stays_a_number() -> None:
    checkpoint = start(
        Experiment(cell="rnn", activation="linear", initialisation="spectral", spectral_radius=3, length=100)
    )
    channels = frame(checkpoint).channels
    assert np.abs(trace(checkpoint).states["h"]).max() > 1e20
    assert np.abs(channels["states.h"]).max() == 65504
    assert all(np.isfinite(values).all() for values in channels.values())


def test_a_frame_shows_at_most_sixty_four_units_and_keeps_no_larger_array_alive() -> None:
    channels = frame(start(Experiment(cell="lstm", hidden_size=100, length=9))).channels
    assert channels["states.h"].shape == channels["gates.forget"].shape == (64, 9)
    for name, values in channels.items():
        held = values if values.base is None else values.base
        assert held.nbytes == values.nbytes, name
