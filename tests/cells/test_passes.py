"""The hand-written forward and backward passes against autograd through the reference equations."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from rnnviz import CELLS, TASKS, Experiment
from rnnviz.cells import ACTIVATIONS
from rnnviz.model import layout, run_pass, unroll
from rnnviz.tasks import SIGNALS, Batch

CLOSE = {"rtol": 1e-10, "atol": 1e-10}


def random_batch(rng: np.random.Generator, task_name: str, T: int, B: int) -> Batch:
    """Noise in the shape of the task's batches: a gradient is right for any numbers."""
    task = TASKS[task_name]
    inputs, O = rng.normal(size=(T, B, len(task.input_names))), len(task.output_names)
    if task.loss == "cross_entropy":
        return Batch(inputs, rng.integers(0, O, B))
    return Batch(inputs, rng.normal(size=(B, O) if task.readout == "last" else (T, B, O)))


def own_losses(experiment: Experiment, outputs: Tensor, batch: Batch) -> Tensor:
    """(B,) by PyTorch's own loss functions, and the definition: the mean over a sample's scored outputs."""
    task, targets = TASKS[experiment.task], torch.from_numpy(batch.targets)
    if task.loss == "cross_entropy":
        return functional.cross_entropy(outputs, targets, reduction="none")
    errors = functional.mse_loss(outputs, targets, reduction="none")
    if task.readout == "last":
        return errors.mean(1)
    return errors[task.scored_from(len(outputs), experiment.signal) :].mean((0, 2))


def agrees_with_autograd(experiment: Experiment, T: int, B: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    size = sum(math.prod(shape) for shape in layout(experiment).values())
    parameters = torch.tensor(rng.normal(0, 0.7, size), requires_grad=True)
    batch = random_batch(rng, experiment.task, T, B)

    layers, outputs = unroll(experiment, parameters, torch.from_numpy(batch.inputs))
    for step in (step for layer in layers for step in layer):
        for tensor in (*step.state.values(), *step.preactivations.values()):
            tensor.retain_grad()
    losses = own_losses(experiment, outputs, batch)
    losses.sum().backward()  # samples are independent, so this is dL_b of each sample's own loss

    done = run_pass(experiment, parameters.detach(), batch)
    torch.testing.assert_close(done.outputs, outputs.detach(), **CLOSE)
    torch.testing.assert_close(done.losses, losses.detach(), **CLOSE)
    torch.testing.assert_close(done.parameter_gradient, parameters.grad / B, **CLOSE)
    for layer, tape, found in zip(layers, done.tapes, done.gradients, strict=True):
        blocks = found.preactivations
        for t, step in enumerate(layer):
            for name, value in step.state.items():
                torch.testing.assert_close(tape.states[name][t + 1].T, value.detach(), **CLOSE)
                torch.testing.assert_close(found.states[name][t].T, gradient_of(value), **CLOSE)
            for name, value in step.gates.items():
                torch.testing.assert_close(tape.gates[name][t].T, value.detach(), **CLOSE)
            for name, value in step.preactivations.items():
                torch.testing.assert_close(blocks[name][t].T, gradient_of(value), **CLOSE)
        assert all(not value[0].any() for value in tape.states.values()), "states start at zero"


def gradient_of(value: Tensor) -> Tensor:
    """Of a tensor that the loss may not depend on."""
    return torch.zeros_like(value) if value.grad is None else value.grad


NETWORKS = [(cell, "tanh") for cell in CELLS if "activation" not in CELLS[cell].options] + [
    (cell, activation) for cell in CELLS if "activation" in CELLS[cell].options for activation in ACTIVATIONS
]


@pytest.mark.parametrize(("cell", "activation"), NETWORKS)
@pytest.mark.parametrize("task", TASKS)
def test_every_state_gate_and_gradient_equals_autograd(cell: str, activation: str, task: str) -> None:
    for layers, signal in ((1, "ar2"), (3, "sine")):
        experiment = Experiment(
            cell=cell, activation=activation, task=task, signal=signal, layers=layers, hidden_size=4, length=12
        )
        agrees_with_autograd(experiment, T=6, B=3, seed=layers)


@pytest.mark.parametrize(("cell", "activation"), NETWORKS)
@settings(max_examples=12)
@given(
    T=st.integers(1, 7),
    B=st.integers(1, 4),
    H=st.integers(1, 5),
    layers=st.integers(1, 3),
    task=st.sampled_from(list(TASKS)),
    signal=st.sampled_from(SIGNALS),
    seed=st.integers(0, 9),
)
def test_no_shape_is_special(
    cell: str, activation: str, T: int, B: int, H: int, layers: int, task: str, signal: str, seed: int
) -> None:
    experiment = Experiment(
        cell=cell, activation=activation, task=task, signal=signal, hidden_size=H, layers=layers, length=50
    )
    agrees_with_autograd(experiment, max(T, TASKS[task].scored_from(T, signal) + 1), B, seed)


@pytest.mark.parametrize("task", [name for name in TASKS if TASKS[name].loss == "cross_entropy"])
def test_correct_counts_the_samples_whose_largest_output_is_the_target(task: str) -> None:
    experiment, rng = Experiment(task=task, hidden_size=4), np.random.default_rng(0)
    size = sum(math.prod(shape) for shape in layout(experiment).values())
    batch = random_batch(rng, task, 6, 40)
    done = run_pass(experiment, torch.tensor(rng.normal(size=size)), batch)
    expected = done.outputs.numpy().argmax(1) == batch.targets
    assert done.correct is not None
    assert done.correct.tolist() == expected.tolist()
    assert 0 < expected.sum() < 40
