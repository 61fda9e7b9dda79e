"""The same network as a plain torch.nn module."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from rnnviz import CELLS, TASKS, Checkpoint, Experiment, RnnvizError, start, trace
from rnnviz.torch_twin import TorchTwin
from tests.plain import random_parameters

TWINS = [("rnn", "tanh"), ("rnn", "relu"), ("lstm", "tanh"), ("gru", "tanh")]


def random_network(**fields: Any) -> Checkpoint:
    experiment = Experiment(**({"hidden_size": 4} | fields))
    return replace(start(experiment), parameters=random_parameters(experiment, spread=0.5).float().numpy())


@pytest.mark.parametrize(("cell", "activation"), TWINS)
@pytest.mark.parametrize("task", [name for name, task in TASKS.items() if task.answers != "sequence"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_it_says_the_same(cell: str, activation: str, task: str, bidirectional: bool) -> None:
    for layers, readout in ((1, "last"), (3, "mean")):
        checkpoint = random_network(
            cell=cell, activation=activation, task=task, layers=layers, bidirectional=bidirectional, readout=readout
        )
        tr = trace(checkpoint)
        lengths = None if tr.lengths is None else torch.from_numpy(tr.lengths)
        inputs = torch.from_numpy(tr.inputs)
        with torch.no_grad():
            exact = TorchTwin(checkpoint, torch.float64)(inputs, lengths).numpy()
            single = checkpoint.to_torch()(inputs.float(), lengths).numpy()
        inside = np.ones(exact.shape[:-1], bool)
        if exact.ndim == 3 and tr.lengths is not None:
            inside = np.arange(len(exact))[:, None] < tr.lengths
        np.testing.assert_allclose(exact[inside], tr.outputs[inside], rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(single[inside], tr.outputs[inside], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"cell": "rnn", "activation": "sigmoid"}, r"torch\.nn has\. Got Elman RNN with activation sigmoid"),
        ({"cell": "lstm", "layers": 2, "residual": True}, "Got residual=True"),
        ({"layer_norm": True}, "Got layer_norm=True"),
        ({"readout": "attention"}, "Got readout=attention"),
        ({"task": "reverse"}, "Got task=reverse"),
    ],
)
def test_what_torch_does_not_have_is_refused(fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RnnvizError, match=sentence):
        start(Experiment(hidden_size=2, **fields)).to_torch()


@pytest.mark.parametrize("cell", sorted(set(CELLS) - {"rnn", "lstm", "gru"}))
def test_cells_torch_does_not_have_are_refused(cell: str) -> None:
    with pytest.raises(RnnvizError, match=r"needs a cell that torch\.nn has"):
        start(Experiment(cell=cell, hidden_size=2)).to_torch()


def test_a_choice_without_effect_is_no_obstacle() -> None:
    start(Experiment(residual=True, layers=1)).to_torch()
    start(Experiment(task="forecast", readout="attention")).to_torch()
