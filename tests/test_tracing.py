"""What a trace shows is what finite differences measure on the printed equations, in float64 throughout."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnviz import CELLS, TASKS, Checkpoint, Experiment, RnnvizError, Trace, advance, start, trace
from rnnviz.model import answer
from rnnviz.rollout import future
from rnnviz.scoring import best_path
from rnnviz.tasks import Batch
from rnnviz.tracing import LayerTrace, _norms, frame, reach
from tests.cells.latex import Equations
from tests.plain import CLOSE, KINDS, networks, random_parameters, run_plainly

STEPWISE = [name for (answers, loss), name in KINDS.items() if answers in ("once", "every")]
NUDGE = 1e-5


def trained(steps: int = 2, **fields: Any) -> Checkpoint:
    usual = {"hidden_size": 4, "length": 10, "batch_size": 4, "learning_rate": 0.05, "bidirectional": False}
    experiment = Experiment(**(usual | fields))
    return advance(start(experiment), steps, record_last=False).checkpoint


def measured_loss(
    checkpoint: Checkpoint, tr: Trace, b: int, layer: int, t: int, symbol: str, by: np.ndarray, last_only: bool = False
) -> float:
    """L_b by numpy alone, after moving one symbol of one layer at one step; every later equation feels it."""
    experiment, task = checkpoint.experiment, TASKS[checkpoint.experiment.task]
    weights = {name: value.astype(np.float64) for name, value in checkpoint.weights.items()}
    sequence = tr.inputs[: len(tr.inputs) if tr.lengths is None else tr.lengths[b], b]
    for k in range(experiment.layers):
        own = {name.removeprefix(f"{k}."): value for name, value in weights.items() if name.startswith(f"{k}.")}
        equations = Equations(CELLS[experiment.cell], own, experiment.activation)
        sequence = equations.run(sequence, at=t if k == layer else -1, nudged=symbol, by=by)["h"]
    said = sequence @ weights["readout.W"].T + weights["readout.b"]  # (T, O)
    if task.answers == "once":
        said, targets, counted = said[-1:], tr.targets[b : b + 1], [0]
    else:
        first = task.scored_from(experiment.setup)
        targets, counted = tr.targets[:, b], list(range(first, len(said)))
    if task.loss == "mse":
        each = [float(((said[k] - targets[k]) ** 2).mean()) for k in counted]
    else:
        each = [float(np.log(np.exp(said[k]).sum()) - said[k][targets[k]]) for k in counted]
    return each[-1] if last_only else float(np.mean(each))


def slope(checkpoint: Checkpoint, tr: Trace, b: int, layer: int, t: int, symbol: str, unit: int, **how: Any) -> float:
    by = np.zeros(checkpoint.experiment.hidden_size)
    by[unit] = NUDGE
    up, down = (measured_loss(checkpoint, tr, b, layer, t, symbol, sign * by, **how) for sign in (1, -1))
    return (up - down) / (2 * NUDGE)


def own_trace(checkpoint: Checkpoint) -> Trace:
    """On inputs of one's own, all of whose answers from the first scored one on count."""
    tr = trace(checkpoint)
    return trace(checkpoint, tr.inputs, tr.targets)


# Against finite differences


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("task", STEPWISE)
def test_state_gradients_are_total_derivatives(cell: str, task: str) -> None:
    checkpoint = trained(cell=cell, task=task, layers=2)
    tr = own_trace(checkpoint)
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


@pytest.mark.parametrize("cell", [name for name, cell in CELLS.items() if "b" in cell.shapes(2, 2)])
@pytest.mark.parametrize("task", STEPWISE)
def test_preactivation_gradients_add_up_to_the_biases_gradient(cell: str, task: str) -> None:
    checkpoint = trained(cell=cell, task=task, layers=2)
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
@pytest.mark.parametrize("task", STEPWISE)
def test_states_gates_outputs_and_losses_are_those_of_the_printed_equations(cell: str, task: str) -> None:
    checkpoint = trained(cell=cell, task=task)
    tr = own_trace(checkpoint)
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


def parts(layer: LayerTrace) -> list[dict[str, np.ndarray]]:
    return [layer.states, layer.gates, layer.state_grads, layer.gate_grads, layer.preactivation_grads]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("task", KINDS.values())
@pytest.mark.parametrize("bidirectional", [False, True])
def test_everything_is_time_major_and_double_in_every_layer_and_direction(
    cell: str, task: str, bidirectional: bool
) -> None:
    length = max(11, TASKS[task].shortest)
    tr = trace(
        start(Experiment(cell=cell, task=task, layers=2, hidden_size=5, length=length, bidirectional=bidirectional))
    )
    T, B, O = length, 16, len(TASKS[task].output_names)
    assert len(tr.layers) == 2
    assert tr.states is tr.layers[1].states
    sequence = TASKS[task].answers == "sequence"
    assert len(tr.decoder) == (2 if sequence else 0)
    N = len(tr.targets) if sequence else T
    for layer in tr.layers:
        assert (layer.reverse is not None) == bidirectional
        for half in filter(None, (layer, layer.reverse)):
            for values in (values for part in parts(half) for values in part.values()):
                assert values.shape == (T, B, 5)
                assert values.dtype == np.float64
    for layer in tr.decoder:
        assert layer.reverse is None
        assert {values.shape for part in parts(layer) for values in part.values()} <= {(N, B, 5)}
    for name in CELLS[cell].states:
        assert tr.last_answer_grads[name].shape == (T, B, 5)
    assert (tr.attention is None) == (not sequence)
    if tr.attention is not None:
        assert tr.attention.shape == (N, T, B)
    assert tr.outputs.dtype == tr.losses.dtype == tr.inputs.dtype == np.float64
    assert tr.losses.shape == (B,)
    assert (tr.right is None) == (TASKS[task].loss == "mse")
    assert tr.outputs.shape == ((B, O) if TASKS[task].answers == "once" else (N, B, O))


@settings(max_examples=40)
@given(networks(), st.integers(0, 20))
def test_a_trace_of_the_probe_is_the_plain_network_on_it(experiment: Experiment, seed: int) -> None:
    experiment = experiment.amend(length=TASKS[experiment.task].shortest, **_narrow(experiment.task))
    weights = random_parameters(experiment, seed, spread=0.4).float()  # so that no linear network explodes
    checkpoint = replace(start(experiment), parameters=weights.numpy())
    tr = trace(checkpoint)
    batch = Batch(tr.inputs, tr.targets, tr.lengths, None)
    if TASKS[experiment.task].answers == "every":
        ends = np.full(16, len(tr.inputs)) if tr.lengths is None else tr.lengths
        t = np.arange(len(tr.inputs))[:, None]
        batch = batch._replace(scored=(t >= TASKS[experiment.task].scored_from(experiment.setup)) & (t < ends))
        tr = trace(checkpoint, tr.inputs, tr.targets, tr.lengths)
    samples, leaf = run_plainly(experiment, torch.tensor(checkpoint.parameters).double(), batch)
    torch.stack([sample.loss for sample in samples[:3]]).sum().backward()
    assert leaf.grad is not None
    for b, sample in enumerate(samples[:3]):
        np.testing.assert_allclose(tr.losses[b], sample.loss.detach(), **CLOSE)
        for k, layer in enumerate(tr.layers):
            pairs = [(f"{k}", layer), *([(f"{k}_reverse", layer.reverse)] if layer.reverse else [])]
            _same_in_real_time(pairs, sample, b)
        _same_in_real_time([(f"decoder_{k}", layer) for k, layer in enumerate(tr.decoder)], sample, b)


def _narrow(task: str) -> dict[str, Any]:
    return {"gap": 2} if "gap" in TASKS[task].options else {}


def _same_in_real_time(pairs: list[tuple[str, LayerTrace]], sample: Any, b: int) -> None:
    for name, layer in pairs:
        steps = sample.steps[name]
        for t, step in enumerate(steps):
            for state, value in step.state.items():
                np.testing.assert_allclose(layer.states[state][t, b], value[0].detach(), **CLOSE)
                wanted = np.zeros(value.shape[1]) if value.grad is None else value.grad[0].numpy()
                largest = max(1.0, np.abs(layer.state_grads[state]).max())
                np.testing.assert_allclose(layer.state_grads[state][t, b], wanted, rtol=1e-10, atol=1e-10 * largest)
            for gate, value in step.gates.items():
                np.testing.assert_allclose(layer.gates[gate][t, b], value[0].detach(), **CLOSE)
        for grads in (layer.state_grads, layer.preactivation_grads, layer.gate_grads):
            assert all(not values[len(steps) :, b].any() for values in grads.values())


@pytest.mark.parametrize("task", [name for (answers, _), name in KINDS.items() if answers in ("every", "sequence")])
def test_the_last_answer_of_every_sample_is_its_own_last_scored_one(task: str) -> None:
    experiment = Experiment(task=task, length=max(8, TASKS[task].shortest), hidden_size=4, layers=2)
    checkpoint = replace(start(experiment), parameters=random_parameters(experiment).float().numpy())
    tr = trace(checkpoint)
    for b in range(16):
        grads = tr.last_answer_grads["h"][:, b]
        end = len(grads) if tr.lengths is None else tr.lengths[b]
        assert grads[end - 1].any()
        assert not grads[end:].any()
    assert not np.allclose(tr.last_answer_grads["h"], tr.state_grads["h"])


def test_tracing_leaves_the_first_gradients_as_they_were() -> None:
    """The second way back must not write into the arrays of the first."""
    checkpoint = trained(cell="lstm", task="forecast")
    tr = trace(checkpoint)
    assert not np.shares_memory(tr.state_grads["h"], tr.last_answer_grads["h"])
    assert np.abs(tr.state_grads["h"] - tr.last_answer_grads["h"]).max() > 1e-6
    again = trace(checkpoint)
    np.testing.assert_array_equal(tr.state_grads["c"], again.state_grads["c"])


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


def test_own_lengths_cut_each_sequence_at_its_true_end() -> None:
    for task in ("adding", "forecast", "reverse"):
        checkpoint = trained(task=task, bidirectional=True)
        rng, T, B = np.random.default_rng(0), 9, 3
        inputs = rng.normal(size=(T, B, len(TASKS[task].input_names)))
        targets = {"adding": np.ones((B, 1)), "forecast": np.ones((T, B, 1)), "reverse": np.ones((4, B), int)}[task]
        lengths = [5, 9, 2]
        tr = trace(checkpoint, inputs, targets, np.array(lengths))
        assert tr.lengths is not None
        assert tr.lengths.tolist() == lengths
        for b, n in enumerate(lengths):
            cut = targets[b : b + 1] if task == "adding" else targets[: n if task == "forecast" else 4, b : b + 1]
            alone = trace(checkpoint, inputs[:n, b : b + 1], cut)
            np.testing.assert_allclose(tr.losses[b], alone.losses[0], **CLOSE)
            np.testing.assert_allclose(tr.state_grads["h"][:n, b], alone.state_grads["h"][:, 0], **CLOSE)
            assert not tr.state_grads["h"][n:, b].any()


def test_targets_that_are_not_scored_may_be_anything() -> None:
    checkpoint = trained(task="anbn")
    inputs, targets = np.zeros((6, 2, 2)), np.ones((6, 2), int)
    lengths = np.array([6, 4])
    tr = trace(checkpoint, inputs, targets, lengths)
    odd = targets.copy()
    odd[4:, 1], odd[0] = 99, -7  # past the end, and before the first answer that counts
    np.testing.assert_array_equal(trace(checkpoint, inputs, odd, lengths).losses, tr.losses)


def test_own_labels_may_be_fewer_for_some() -> None:
    checkpoint = trained(task="speech_ctc", length=24, gap=2)
    inputs = np.random.default_rng(0).normal(size=(9, 2, 12))
    tr = trace(checkpoint, inputs, np.array([[1, 2], [3, -1]]))
    alone = trace(checkpoint, inputs[:, 1:], np.array([[2]]))
    np.testing.assert_allclose(tr.losses[1], alone.losses[0], **CLOSE)


X = {"adding": np.ones((5, 3, 2)), "forecast": np.ones((5, 3, 1)), "temporal_order": np.ones((5, 3, 6))}
X |= {"reverse": np.ones((5, 3, 8)), "speech_ctc": np.ones((5, 3, 12)), "anbn": np.ones((5, 3, 2))}
BAD_BATCHES: list[tuple[str, Any, Any, Any, str]] = [
    ("adding", X["adding"], None, None, "`inputs` and `targets` must be given together"),
    ("adding", None, np.ones((3, 1)), None, "`inputs` and `targets` must be given together"),
    ("adding", None, None, [3], "`inputs` and `targets` must be given together"),
    ("adding", np.ones((5, 3, 1)), np.ones((3, 1)), None, r"`inputs` must have shape \(T, B, 2\) .* Got \(5, 3, 1\)"),
    ("adding", np.ones((5, 2)), np.ones((3, 1)), None, r"`inputs` must have shape .* Got \(5, 2\)"),
    ("adding", np.ones((0, 3, 2)), np.ones((3, 1)), None, r"`inputs` must have shape .* Got \(0, 3, 2\)"),
    ("adding", X["adding"], np.ones(3), None, r"`targets` must have shape \(3, 1\) .* Got \(3,\)"),
    ("adding", np.full((5, 3, 2), "a"), np.ones((3, 1)), None, "`inputs` must be real numbers. Got <U1 values"),
    ("adding", X["adding"], np.full((3, 1), None), None, "`targets` must be real numbers. Got object values"),
    ("adding", X["adding"], np.ones((3, 1)), [5, 5], "`lengths` must be 3 whole numbers from 1 to 5"),
    ("adding", X["adding"], np.ones((3, 1)), [5, 5, 6], "`lengths` must be 3 whole numbers from 1 to 5"),
    ("adding", X["adding"], np.ones((3, 1)), [5, 0, 5], "`lengths` must be 3 whole numbers from 1 to 5"),
    ("adding", X["adding"], np.ones((3, 1)), [5.0, 5, 5], "`lengths` must be 3 whole numbers"),
    ("forecast", X["forecast"], np.ones((5, 3, 1)), [5, 1, 5], "`lengths` must be 3 whole numbers from 2 to 5"),
    ("forecast", X["forecast"], np.ones((4, 3, 1)), None, r"`targets` must have shape \(5, 3, 1\)"),
    ("forecast", np.ones((1, 3, 1)), np.ones((1, 3, 1)), None, "`inputs` must have at least 2 steps .* Got 1"),
    ("temporal_order", X["temporal_order"], np.array([0, 1, 4]), None, "whole class numbers from 0 to 3"),
    ("temporal_order", X["temporal_order"], np.array([0, 1, -1]), None, "whole class numbers from 0 to 3"),
    ("temporal_order", X["temporal_order"], np.zeros(3), None, "from 0 to 3. Got float64 values"),
    ("reverse", X["reverse"], np.zeros((0, 3), int), None, r"`targets` must have shape \(N, 3\)"),
    ("reverse", X["reverse"], np.zeros((2, 4), int), None, r"`targets` must have shape \(N, 3\) .* Got \(2, 4\)"),
    ("reverse", X["reverse"], np.full((2, 3), 8), None, "whole class numbers from 0 to 7"),
    ("anbn", X["anbn"], np.full((5, 3), 3), None, "whole class numbers from 0 to 2"),
    ("speech_ctc", X["speech_ctc"], np.zeros((2, 3), int), None, "whole class numbers from 1 to 5"),
    ("speech_ctc", X["speech_ctc"], np.full((2, 3), -1), None, "whole class numbers from 1 to 5"),
    ("speech_ctc", X["speech_ctc"], np.array([[1, 1, -1], [2, 2, -1]]), None, "label"),
    ("speech_ctc", X["speech_ctc"], np.array([[1, 1, -1], [2, 2, 3]]), None, "label"),
    (
        "speech_ctc",
        X["speech_ctc"],
        np.ones((4, 3), int),
        None,
        "label",
    ),  # three blanks between four ones need 7 frames
    ("speech_ctc", X["speech_ctc"], np.ones((2, 3), int), [5, 5, 2], "label"),
]


@pytest.mark.parametrize(("task", "inputs", "targets", "lengths", "sentence"), BAD_BATCHES)
def test_a_batch_that_does_not_fit_gets_a_sentence(
    task: str, inputs: Any, targets: Any, lengths: Any, sentence: str
) -> None:
    checkpoint = start(Experiment(task=task, hidden_size=2))
    with pytest.raises(RnnvizError, match=sentence):
        trace(checkpoint, inputs, targets, lengths)


# Frames


@pytest.mark.parametrize(
    ("norms", "steps"),
    [([0, 0, 0], 0), ([1, 1, 1], 3), ([1e-3, 1e-3, 1], 1), ([1, 1e-3, 1], 1), ([1e-3, 0.01, 0.5, 1], 3), ([1, 1, 1e-3], 3),
     ([np.nan, 1], 1), ([1, np.nan], 0), ([np.inf, 1], 2), ([2e-60, 1e-60], 2)],
)  # fmt: skip
def test_reach_counts_steps_back_that_keep_a_hundredth_of_the_largest_norm_met(norms: list[float], steps: int) -> None:
    assert reach(np.array(norms, float)) == steps


def softmax(outputs: np.ndarray) -> np.ndarray:
    p = np.exp(outputs - outputs.max(-1, keepdims=True))
    return p / p.sum(-1, keepdims=True)


def in_a_row(tr: Trace, kind: str, name: str) -> np.ndarray:
    """(T (+ N), B, H), NaN in the padding."""
    values = getattr(tr.layers[-1], kind)[name].copy()
    if tr.lengths is not None:
        values[np.arange(len(values))[:, None] >= tr.lengths] = np.nan
    return np.concatenate([values, getattr(tr.decoder[-1], kind)[name]]) if tr.decoder else values


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "lru"])
@pytest.mark.parametrize("task", TASKS)
def test_a_frame_holds_the_probes_first_example_and_quantiles_over_all(cell: str, task: str) -> None:
    checkpoint = trained(cell=cell, task=task, length=Experiment(task=task).length)
    tr, picture = trace(checkpoint), frame(checkpoint)
    assert picture.step == 2
    for kind, arrays in (("states", tr.states), ("gates", tr.gates)):
        for name in arrays:
            channel = picture.channels[f"{kind}.{name}"]
            assert channel.dtype == np.float16
            np.testing.assert_allclose(channel, in_a_row(tr, kind, name)[:, 0].T, rtol=1e-3, atol=1e-6)
    for name in tr.state_grads:
        norms = np.sqrt((in_a_row(tr, "state_grads", name) ** 2).sum(2))  # (T, B)
        for t in range(len(norms)):
            running = norms[t][np.isfinite(norms[t])]
            for quantile, share in (("low", 0.1), ("median", 0.5), ("high", 0.9)):
                found = picture.channels[f"grad.{name}.{quantile}"][t]
                if not len(running):
                    assert np.isnan(found)
                elif (expected := np.quantile(running, share)) > 0:
                    assert found == pytest.approx(np.log10(expected), rel=1e-5)
                else:
                    assert found == -np.inf
    inside = np.isfinite(in_a_row(tr, "states", "h")[: len(tr.inputs), :, 0])
    memory = CELLS[tr.experiment.cell].carried[0]  # the state an error travels back through
    norms = np.where(inside, np.sqrt((tr.last_answer_grads[memory] ** 2).sum(2)), np.nan)
    last = np.array([np.nanmedian(row) for row in norms if np.isfinite(row).any()])
    assert picture.scalars["probe_loss"] == pytest.approx(tr.losses.mean())
    assert picture.scalars["reach"] == reach(last)
    assert ("grad.last.median" in picture.channels) == (TASKS[task].answers in ("every", "sequence"))
    if "grad.last.median" in picture.channels and (last > 0).all():
        drawn = picture.channels["grad.last.median"]
        assert len(drawn) == len(picture.channels["grad.h.median"])
        np.testing.assert_allclose(drawn[: len(last)], np.log10(last), rtol=1e-5)
    assert ("probe_accuracy" in picture.scalars) == (tr.right is not None)
    if tr.right is not None:
        assert picture.scalars["probe_accuracy"] == pytest.approx(tr.right.mean())
    for gate in {"forget", "update"} & set(tr.gates):
        assert picture.scalars[f"{gate}_gate"] == pytest.approx(tr.gates[gate][inside].mean())


@pytest.mark.parametrize("name", TASKS)
def test_a_frame_holds_what_was_said_in_the_form_its_picture_needs(name: str) -> None:
    task = TASKS[name]
    experiment = Experiment(task=name, hidden_size=4)
    checkpoint = replace(start(experiment), parameters=random_parameters(experiment).float().numpy())
    tr, channels = trace(checkpoint), frame(checkpoint).channels
    end = len(tr.inputs) if tr.lengths is None else tr.lengths[0]
    if task.answers == "once":
        wanted = tr.outputs[:8] if task.loss == "mse" else softmax(tr.outputs[:8])
    elif task.loss == "mse":
        wanted = tr.outputs[:, 0]
    else:
        wanted = softmax(tr.outputs[:, 0]).T
        if task.answers != "sequence":
            assert np.isnan(channels["outputs"][:, end:]).all()
            wanted = np.where(np.arange(len(tr.outputs)) < end, wanted, np.nan)
    np.testing.assert_allclose(channels["outputs"], wanted, rtol=2e-3, atol=1e-6)
    assert ("attention" in channels) == (tr.attention is not None)
    if tr.attention is not None:
        np.testing.assert_allclose(channels["attention"], tr.attention[:, :, 0], rtol=2e-3, atol=1e-6)
    assert ("path" in channels) == (task.answers == "labels")
    if "path" in channels:
        path = best_path(tr.outputs[:, :1], np.array([end]))[:, 0]
        np.testing.assert_array_equal(np.nan_to_num(channels["path"], nan=-1), path)
    assert ("opinion" in channels) == (task.picture == "words")
    assert ("future" in channels) == (name == "forecast")
    if "future" in channels:
        np.testing.assert_allclose(channels["future"], future(checkpoint, tr.inputs[:, 0]), rtol=1e-5)


@pytest.mark.parametrize("fields", [{}, {"bidirectional": True, "layers": 2}, {"readout": "attention"}])
def test_an_opinion_is_the_answer_to_the_words_so_far(fields: dict[str, Any]) -> None:
    experiment = Experiment(task="sentiment", hidden_size=5, **fields)
    checkpoint = replace(start(experiment), parameters=random_parameters(experiment).float().numpy())
    tr, opinion = trace(checkpoint), frame(checkpoint).channels["opinion"]
    assert tr.lengths is not None
    assert opinion.shape == (2, len(tr.inputs))
    for t in range(tr.lengths[0]):
        alone = Batch(tr.inputs[: t + 1, :1].copy(), tr.targets[:1])
        said = answer(experiment, torch.tensor(checkpoint.parameters).double(), alone).outputs.numpy()
        np.testing.assert_allclose(opinion[:, t], softmax(said[0]), rtol=2e-3)
    assert np.isnan(opinion[:, tr.lengths[0] :]).all()
    np.testing.assert_allclose(opinion[:, tr.lengths[0] - 1], softmax(tr.outputs[0]), rtol=2e-3)


def test_a_forecast_goes_on_only_where_each_forecast_is_the_next_input() -> None:
    assert "future" in frame(trained(task="forecast")).channels
    assert "future" not in frame(trained(task="forecast", horizon=2)).channels
    assert "future" not in frame(trained(task="forecast", bidirectional=True)).channels


@pytest.mark.parametrize("name", [task.name for task in TASKS.values() if task.exam])
def test_an_exam_is_taken_with_every_frame(name: str) -> None:
    checkpoint = trained(task=name, length=24)
    exam = TASKS[name].exam
    assert exam is not None
    batch = exam.batch(checkpoint.experiment.setup)
    said = answer(checkpoint.experiment, torch.tensor(checkpoint.parameters), batch).outputs.numpy()
    assert frame(checkpoint).scalars["exam"] == exam.mark(said, batch)


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
