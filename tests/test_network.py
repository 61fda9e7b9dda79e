"""The network around the recurrent layers: against one written out sample by sample, and against its promises."""

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rnnviz import CELLS, TASKS, Experiment, start, trace
from rnnviz.cells import ACTIVATIONS
from rnnviz.experiment import READOUTS
from rnnviz.model import answer, decoder_layers, encoder_layers, layout, run_pass, views
from rnnviz.tasks import Batch
from tests.plain import (
    CLOSE,
    KINDS,
    Sample,
    assert_agrees,
    assert_same,
    networks,
    random_batch,
    random_parameters,
    recorded,
    run_plainly,
)

ONCE = KINDS["once", "cross_entropy"]
SEQUENCE = KINDS["sequence", "cross_entropy"]
CELL = pytest.mark.parametrize("cell", CELLS)
STRUCTURES: list[dict[str, Any]] = [
    {"layers": 3, "bptt_window": 2},
    {"layers": 2, "bidirectional": True, "bptt_window": 3},
    {"layers": 2, "residual": True, "bptt_window": 3},
    {"layers": 2, "residual": True, "layer_norm": True, "bidirectional": True},
    {"readout": "attention", "bidirectional": True},
    {"readout": "mean", "attention": False, "bptt_window": 1},
]


# Against the same network written out plainly


def agrees(experiment: Experiment, T: int, B: int, seed: int, *, padded: bool, reference: bool) -> None:
    parameters, batch = random_parameters(experiment, seed), random_batch(experiment.task, T, B, seed, padded=padded)
    done = run_pass(experiment, parameters, batch, reference=reference, keep_graph=True)
    assert_same(recorded(run_pass(experiment, parameters, batch, reference=reference)), recorded(done))
    assert_agrees(done, *run_plainly(experiment, parameters, batch), last=True)


@CELL
@pytest.mark.parametrize("task", KINDS.values())
def test_every_state_gate_loss_and_gradient_is_that_of_the_plain_network(cell: str, task: str) -> None:
    k = list(CELLS).index(cell) + list(KINDS.values()).index(task)  # every cell meets every structure in some task
    for seed, fields in enumerate((STRUCTURES[k % 6], STRUCTURES[(k + 3) % 6])):
        experiment = Experiment(cell=cell, task=task, hidden_size=3, **fields)
        agrees(experiment, T=5, B=2, seed=seed, padded=seed == 1, reference=False)


@settings(max_examples=100)
@given(
    experiment=networks(),
    T=st.integers(1, 6),
    B=st.integers(1, 3),
    seed=st.integers(0, 99),
    padded=st.booleans(),
    reference=st.booleans(),
)
def test_no_combination_is_special(
    experiment: Experiment, T: int, B: int, seed: int, padded: bool, reference: bool
) -> None:
    agrees(experiment, T, B, seed, padded=padded, reference=reference)


@settings(max_examples=30)
@given(experiment=networks(), seed=st.integers(0, 99), padded=st.booleans())
def test_an_answer_without_a_way_back_is_the_same(experiment: Experiment, seed: int, padded: bool) -> None:
    parameters, batch = random_parameters(experiment, seed), random_batch(experiment.task, 4, 3, seed, padded=padded)
    done, said = run_pass(experiment, parameters, batch), answer(experiment, parameters, batch)
    torch.testing.assert_close(said.outputs, done.outputs, **CLOSE)
    torch.testing.assert_close(said.score.losses, done.losses, **CLOSE)
    assert not said.outputs.requires_grad


@settings(max_examples=30)
@given(experiment=networks(), batch_size=st.integers(2, 4), seed=st.integers(0, 99), padded=st.booleans())
def test_samples_do_not_see_one_another(experiment: Experiment, batch_size: int, seed: int, padded: bool) -> None:
    task, parameters = TASKS[experiment.task], random_parameters(experiment, seed)
    batch = random_batch(task.name, 4, batch_size, seed, padded=padded)
    together = run_pass(experiment, parameters, batch)
    for b in range(batch_size):
        alone = Batch(
            batch.inputs[:, b : b + 1],
            batch.targets[b : b + 1] if task.answers == "once" else batch.targets[:, b : b + 1],
            None if batch.lengths is None else batch.lengths[b : b + 1],
            None if batch.scored is None else batch.scored[:, b : b + 1],
        )
        done = run_pass(experiment, parameters, alone)
        torch.testing.assert_close(done.losses, together.losses[b : b + 1], **CLOSE)
        for one, all_ in zip(done.layers, together.layers, strict=True):
            for name, value in one.gradients.states.items():
                torch.testing.assert_close(value[..., 0], all_.gradients.states[name][..., b], **CLOSE)


# Padding


@CELL
@pytest.mark.parametrize("bidirectional", [False, True])
def test_what_stands_in_the_padding_changes_nothing(cell: str, bidirectional: bool) -> None:
    for task, readout in [(ONCE, readout) for readout in READOUTS] + [(t, "last") for t in KINDS.values()]:
        experiment = Experiment(
            cell=cell, task=task, readout=readout, bidirectional=bidirectional, layers=2, hidden_size=3, layer_norm=True
        )
        parameters, batch = random_parameters(experiment), random_batch(task, 6, 4, 3, padded=True)
        assert batch.lengths is not None
        beyond = np.arange(6)[:, None] >= batch.lengths  # (T, B)
        assert beyond.any()
        other = batch._replace(inputs=np.where(beyond[..., None], 1000 * batch.inputs + 1, batch.inputs))
        if task in (KINDS["every", "mse"], KINDS["every", "cross_entropy"]):
            beyond_too = beyond[..., None] if batch.targets.ndim == 3 else beyond
            other = other._replace(targets=np.where(beyond_too, 0, batch.targets))
        one, two = run_pass(experiment, parameters, batch), run_pass(experiment, parameters, other)
        torch.testing.assert_close(one.losses, two.losses, **CLOSE)
        torch.testing.assert_close(one.parameter_gradient, two.parameter_gradient, **CLOSE)
        if TASKS[task].answers in ("once", "sequence"):
            torch.testing.assert_close(one.outputs, two.outputs, **CLOSE)
        else:
            inside = torch.from_numpy(~beyond)
            torch.testing.assert_close(one.outputs[inside], two.outputs[inside], **CLOSE)
        for first, second in zip(one.layers, two.layers, strict=True):
            if first.name.startswith("decoder"):
                continue
            for kind in ("states", "preactivations"):
                for name, value in getattr(second.gradients, kind).items():
                    torch.testing.assert_close(getattr(first.gradients, kind)[name], value, **CLOSE)
                    assert not value.transpose(1, 2)[torch.from_numpy(beyond)].any()


def test_a_reader_of_the_padding_would_be_caught() -> None:
    experiment = Experiment(task=ONCE, hidden_size=3)
    batch = random_batch(ONCE, 6, 4, 3, padded=True)
    parameters = random_parameters(experiment)
    blind = run_pass(experiment, parameters, batch._replace(lengths=None))
    assert not torch.allclose(run_pass(experiment, parameters, batch).losses, blind.losses)


# Truncated backpropagation


@CELL
@pytest.mark.parametrize("window", [1, 3, 4])
@pytest.mark.parametrize("reference", [False, True])
def test_under_a_last_step_loss_no_gradient_reaches_an_earlier_window(cell: str, window: int, reference: bool) -> None:
    T = 8
    experiment = Experiment(cell=cell, bptt_window=window, hidden_size=4, layers=2)
    parameters, batch = random_parameters(experiment), random_batch("adding", T, 3)
    done = run_pass(experiment, parameters, batch, reference=reference)
    whole = run_pass(experiment.amend(bptt_window=0), parameters, batch, reference=reference)
    begin = (T - 1) // window * window  # of the last window
    for layer, free in zip(done.layers, whole.layers, strict=True):
        for name in layer.cell.states:
            found, untruncated = layer.gradients.states[name], free.gradients.states[name]
            assert not found[:begin].any(), "exactly 0"
            assert torch.equal(layer.tape.states[name], free.tape.states[name]), "states go on"
            if name in layer.cell.carried and untruncated.any():
                assert untruncated[0].any(), "which truncation alone took away"
        for value in layer.gradients.preactivations.values():
            assert not value[:begin].any()
    assert done.layers[-1].gradients.states["h"][T - 1].any()


def test_a_window_as_long_as_the_sequence_cuts_nothing() -> None:
    for cell in CELLS:
        experiment = Experiment(cell=cell, bptt_window=6, hidden_size=3)
        batch, parameters = random_batch("adding", 6, 2), random_parameters(experiment)
        whole = run_pass(experiment.amend(bptt_window=0), parameters, batch)
        assert torch.equal(run_pass(experiment, parameters, batch).parameter_gradient, whole.parameter_gradient)


# Attention


def test_attention_can_look_anywhere_and_its_weights_are_shares() -> None:
    for task, fields in ((ONCE, {"readout": "attention"}), (SEQUENCE, {"attention": True})):
        experiment = Experiment(task=task, hidden_size=4, **fields)
        batch = random_batch(task, 7, 5, 1, padded=True)
        done = run_pass(experiment, random_parameters(experiment, spread=1.5), batch)
        assert done.attention is not None
        assert done.attention.shape == ((1 if task == ONCE else len(batch.targets)), 7, 5)
        torch.testing.assert_close(done.attention.sum(1), torch.ones_like(done.attention[:, 0]), **CLOSE)
        assert done.attention.std() > 0.05


def test_without_attention_there_is_none() -> None:
    for task, fields in ((ONCE, {"readout": "mean"}), (SEQUENCE, {"attention": False})):
        experiment = Experiment(task=task, hidden_size=4, **fields)
        assert "attention.W" not in layout(experiment)
        assert run_pass(experiment, random_parameters(experiment), random_batch(task, 4, 2)).attention is None


# Dropout


def transparent(p: float, **fields: Any) -> tuple[Experiment, Tensor]:
    """Two linear layers of which the upper one only repeats what it is passed."""
    experiment = Experiment(
        cell="rnn", activation="linear", layers=2, hidden_size=20, dropout=p, task="forecast", **fields
    )
    parameters = random_parameters(experiment, spread=0.1)
    weights = views(experiment, parameters)
    weights["1.W_ih"].copy_(torch.eye(20))
    weights["1.W_hh"].zero_()
    weights["1.b"].zero_()
    return experiment, parameters


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_dropout_zeroes_that_share_between_layers_and_scales_up_the_rest(p: float) -> None:
    experiment, parameters = transparent(p)
    batch = random_batch("forecast", 40, 16)
    done = run_pass(experiment, parameters, batch, noise=np.random.default_rng(0))
    below, above = (layer.tape.states["h"][1:] for layer in done.layers)
    assert torch.equal(below, run_pass(experiment, parameters, batch).layers[0].tape.states["h"][1:]), "not within one"
    passed = (above / below).numpy()  # (T, H, B)
    kept = passed > 0.5
    np.testing.assert_allclose(passed[kept], 1 / (1 - p), rtol=1e-12)
    assert not passed[~kept].any()
    spread = np.sqrt(p * (1 - p) / kept.size)
    assert abs(kept.mean() - (1 - p)) < 5 * spread
    for axis in range(3):  # no mask shared along time, units or samples
        others = tuple(k for k in range(3) if k != axis)
        assert abs(kept.mean(others) - (1 - p)).max() < 6 * spread * np.sqrt(kept.shape[axis])
    W, b = (views(experiment, parameters)[f"readout.{name}"] for name in "Wb")
    torch.testing.assert_close(done.outputs, above.transpose(1, 2) @ W.T + b, **CLOSE)  # nothing dropped at the top


def test_dropout_leaves_the_expectation_alone() -> None:
    experiment, parameters = transparent(0.3)
    batch, rng = random_batch("forecast", 6, 3), np.random.default_rng(1)
    many = torch.stack([run_pass(experiment, parameters, batch, noise=rng).outputs for _ in range(400)])
    plain = run_pass(experiment, parameters, batch).outputs
    error = (many.mean(0) - plain).abs() / (many.std(0) / 20)
    assert error.max() < 5


@pytest.mark.parametrize("cell", ["gru", "mgu"])  # whose pass leaves rows, or whole weight gradients
@pytest.mark.parametrize("task", ["forecast", SEQUENCE])
def test_the_gradient_is_that_of_the_dropped_network(cell: str, task: str) -> None:
    experiment = Experiment(cell=cell, layers=3, hidden_size=3, dropout=0.4, task=task, residual=True, layer_norm=True)
    batch, parameters = random_batch(task, 4, 3), random_parameters(experiment)

    def run(parameters: Tensor) -> Any:
        return run_pass(experiment, parameters, batch, noise=np.random.default_rng(5))

    gradient = run(parameters).parameter_gradient
    direction = random_parameters(experiment, 9)
    up, down = (run(parameters + sign * 1e-6 * direction).losses.mean() for sign in (1, -1))
    assert float(gradient @ direction) == pytest.approx(float(up - down) / 2e-6, rel=1e-6)
    assert not torch.equal(run(parameters).losses, run_pass(experiment, parameters, batch).losses)


def test_dropout_has_nothing_to_drop_in_one_layer_and_never_shows_in_a_trace() -> None:
    for task in ("adding", SEQUENCE):
        one = Experiment(task=task, hidden_size=4, dropout=0.9, length=6)
        batch, parameters = random_batch(task, 5, 3), random_parameters(one)
        noisy = run_pass(one.amend(teacher_forcing=0), parameters, batch, noise=np.random.default_rng(0))
        assert torch.equal(noisy.outputs, run_pass(one, parameters, batch).outputs)
        deep = start(one.amend(layers=3))
        clean = start(one.amend(layers=3, dropout=0))
        np.testing.assert_array_equal(trace(deep).outputs, trace(clean).outputs)


# The decoder


def patterns_of_forcing(
    experiment: Experiment, parameters: Tensor, batch: Batch, b: int
) -> dict[tuple[bool, ...], float]:
    """What was told -> the loss of one sample, over all ways to tell it the right symbols."""
    weights = views(experiment, parameters.clone().requires_grad_())
    ways = product((False, True), repeat=len(batch.targets) - 1)  # the last symbol is never heard
    return {way: float(Sample(experiment, weights, batch, b, (*way, False)).loss.detach()) for way in ways}


@pytest.mark.parametrize(("ratio", "told"), [(0.0, 0.0), (1.0, 1.0), (0.5, 0.5)])
def test_the_decoder_is_told_the_right_symbol_as_often_as_asked(ratio: float, told: float) -> None:
    experiment = Experiment(task=SEQUENCE, hidden_size=4, teacher_forcing=ratio)
    parameters, batch = random_parameters(experiment, 3, spread=1.0), random_batch(SEQUENCE, 4, 6)
    rng = np.random.default_rng(0)
    batch = batch._replace(targets=rng.integers(0, len(TASKS[SEQUENCE].output_names), (3, 6)))
    ways = [patterns_of_forcing(experiment, parameters, batch, b) for b in range(6)]
    distinct = [b for b in range(6) if len({round(loss, 9) for loss in ways[b].values()}) == 4]
    assert len(distinct) >= 3, "where right and own symbols differ, the loss tells which were heard"
    seen = []
    for _ in range(60):
        losses = run_pass(experiment, parameters, batch, noise=rng).losses
        for b in distinct:
            [way] = [way for way, loss in ways[b].items() if abs(loss - float(losses[b])) < 1e-10]
            seen.append(way)
    share = np.mean(seen)
    assert share == told if told in (0, 1) else abs(share - told) < 5 * 0.5 / np.sqrt(np.size(seen))
    assert len(set(seen)) == (4 if ratio == 0.5 else 1), "each symbol by itself"


def test_in_pictures_the_decoder_always_hears_itself() -> None:
    for ratio in (0.0, 1.0):
        experiment = Experiment(task=SEQUENCE, hidden_size=4, teacher_forcing=ratio)
        parameters, batch = random_parameters(experiment, 3, spread=1.0), random_batch(SEQUENCE, 4, 3)
        assert_agrees(run_pass(experiment, parameters, batch), *run_plainly(experiment, parameters, batch))


def test_without_attention_the_decoder_knows_only_the_encoders_last_state() -> None:
    experiment = Experiment(task=SEQUENCE, hidden_size=4, attention=False)
    parameters, batch = random_parameters(experiment), random_batch(SEQUENCE, 6, 3)
    cut = experiment.amend(bptt_window=1)
    reached = run_pass(cut, parameters, batch).layers[0].gradients.states["h"]
    assert reached[-1].any()
    assert not reached[:-1].any(), "with the way through time cut, nothing else leads back"
    looking = cut.amend(attention=True)
    assert run_pass(looking, random_parameters(looking), batch).layers[0].gradients.states["h"][0].any()


def test_layers_are_named_in_the_order_they_compute() -> None:
    experiment = Experiment(task=SEQUENCE, layers=2, bidirectional=True, hidden_size=2)
    assert encoder_layers(experiment) == ["0", "0_reverse", "1", "1_reverse"]
    assert decoder_layers(experiment) == ["decoder_0", "decoder_1"]
    assert decoder_layers(Experiment(task="adding")) == []
    done = run_pass(experiment, random_parameters(experiment), random_batch(SEQUENCE, 3, 2))
    assert [layer.name for layer in done.layers] == encoder_layers(experiment) + decoder_layers(experiment)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_the_function_of_its_name(activation: str) -> None:
    x = np.linspace(-2, 2, 9)
    by_hand = {"tanh": np.tanh(x), "relu": np.maximum(x, 0), "sigmoid": 1 / (1 + np.exp(-x)), "linear": x}[activation]
    np.testing.assert_allclose(ACTIVATIONS[activation](torch.from_numpy(x)), by_hand, rtol=1e-14)
