"""The hand-written forward and backward passes against autograd through the reference equations, in the whole network."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnnviz import CELLS, Experiment
from rnnviz.cells import ACTIVATIONS
from rnnviz.model import back_from_last_answer, run_pass
from rnnviz.tasks import Batch
from tests.plain import KINDS, assert_same, networks, random_batch, random_parameters, recorded

FAST = tuple(name for name, cell in CELLS.items() if cell.fast)
NETWORKS = [(cell, a) for cell in FAST for a in (ACTIVATIONS if "activation" in CELLS[cell].options else ("tanh",))]
SURROUNDINGS: list[dict[str, Any]] = [
    {},
    {"layers": 3, "bptt_window": 3},
    {"bidirectional": True, "readout": "attention", "attention": True, "bptt_window": 2},
    {"layers": 2, "bidirectional": True, "residual": True, "layer_norm": True, "readout": "mean", "attention": False},
]


def passes_agree(experiment: Experiment, batch: Batch, seed: int, rtol: float = 1e-10, **kind: Any) -> None:
    parameters = random_parameters(experiment, seed).to(**kind)
    fast = run_pass(experiment, parameters, batch, keep_graph=True)
    slow = run_pass(experiment, parameters, batch, keep_graph=True, reference=True)
    assert_same(recorded(fast), recorded(slow), rtol)
    assert_same(recorded(run_pass(experiment, parameters, batch)), recorded(slow), rtol)  # without a graph
    back_from_last_answer(fast)
    back_from_last_answer(slow)
    assert_same(recorded(fast), recorded(slow), rtol)


@pytest.mark.parametrize(("cell", "activation"), NETWORKS)
@pytest.mark.parametrize("task", KINDS.values())
def test_every_state_gate_and_gradient_equals_autograd(cell: str, activation: str, task: str) -> None:
    for seed, fields in enumerate(SURROUNDINGS):
        experiment = Experiment(cell=cell, activation=activation, task=task, hidden_size=4, **fields)
        passes_agree(experiment, random_batch(task, 7, 3, seed, padded=seed % 2 == 1), seed)


@settings(max_examples=60)
@given(
    experiment=networks(FAST),
    T=st.integers(1, 7),
    B=st.integers(1, 4),
    seed=st.integers(0, 99),
    padded=st.booleans(),
)
def test_no_shape_is_special(experiment: Experiment, T: int, B: int, seed: int, padded: bool) -> None:
    passes_agree(experiment, random_batch(experiment.task, T, B, seed, padded=padded), seed)


@pytest.mark.parametrize("cell", FAST)
def test_a_cell_may_do_without_a_fast_pass(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = Experiment(cell=cell, layers=2, hidden_size=4, bptt_window=3)
    batch, parameters = random_batch("adding", 7, 3), random_parameters(experiment)
    fast = recorded(run_pass(experiment, parameters, batch))
    monkeypatch.setitem(CELLS, cell, replace(CELLS[cell], fast=None))
    assert_same(fast, recorded(run_pass(experiment, parameters, batch)), 1e-10)


@pytest.mark.parametrize(("cell", "activation"), NETWORKS)
def test_in_single_precision_they_agree_as_far_as_it_goes(cell: str, activation: str) -> None:
    experiment = Experiment(cell=cell, activation=activation, task="forecast", hidden_size=6, layers=2)
    parameters_that_keep_a_linear_network_small = 4
    passes_agree(
        experiment,
        random_batch("forecast", 12, 5),
        parameters_that_keep_a_linear_network_small,
        rtol=1e-3,
        dtype=torch.float32,
    )


@pytest.mark.parametrize(("cell", "activation"), NETWORKS)
def test_a_fast_pass_computes_in_the_precision_of_its_weights(cell: str, activation: str) -> None:
    for dtype in (torch.float32, torch.float64):
        experiment = Experiment(cell=cell, activation=activation, hidden_size=3, layers=2)
        done = run_pass(experiment, random_parameters(experiment).to(dtype), random_batch("adding", 4, 2))
        assert {value.dtype for value in recorded(done).values()} == {dtype}
