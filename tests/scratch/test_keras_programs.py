"""The Keras programs. Where Keras is installed they are run; elsewhere all that is known is that they are Python."""

from __future__ import annotations

import ast
import importlib.util
import re

import numpy as np
import pytest
import torch

from rnnviz import TASKS, Experiment
from rnnviz.cells import ACTIVATIONS
from rnnviz.experiment import OPTIMIZERS, SCHEDULES
from rnnviz.model import initial_parameters, run_pass, training_batch
from rnnviz.scratch import keras_program, refusal
from tests.scratch.programs import SMALL, app_weights, program

NETWORKS = [{"cell": cell} for cell in ("lstm", "gru", "gru_v3")]
NETWORKS += [{"cell": "rnn", "activation": activation} for activation in ACTIVATIONS]

installed = pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="Keras is not installed.")


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: "-".join(network.values()))
def test_every_program_is_python(network):
    for task in TASKS:
        for layers in (1, 2):
            made = Experiment(task=task, layers=layers, **network)
            if refusal(made, "keras") is None:
                compile(keras_program(made), "program.py", "exec")


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_is_a_call_that_names_what_was_chosen(optimizer, schedule):
    for more in ({"clip_norm": 0.5}, {"clip_norm": 0, "clip_value": 0.25}, {"clip_norm": 0}):
        text = keras_program(Experiment(optimizer=optimizer, schedule=schedule, **more))
        calls = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
        named = {ast.unparse(call.func): call for call in calls}
        (made,) = [call for name, call in named.items() if re.fullmatch(r"keras\.optimizers\.\w+", name)]
        given = {keyword.arg for keyword in made.keywords}
        assert ("global_clipnorm" in given) == bool(more.get("clip_norm"))
        assert ("clipvalue" in given) == ("clip_value" in more)


@installed
@pytest.mark.filterwarnings("ignore")  # of Keras's own
@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: "-".join(network.values()))
@pytest.mark.parametrize("task", ["adding", "latch", "parity", "forecast", "reber"])
def test_a_network_in_keras_says_what_the_apps_network_says(network, task, tmp_path):
    for layers in (1, 2):
        made = Experiment(
            task=task, layers=layers, optimizer="nesterov", clip_norm=0.3, learning_rate=0.1, **network, **SMALL
        )
        names = program(made, "keras", tmp_path)
        wanted = run_pass(made, torch.tensor(initial_parameters(made)).double(), training_batch(made, 0))
        found = names["network"]().predict_on_batch(names["as_keras"](names["batch"](0))[0])
        found = found if found.ndim == 2 else found.swapaxes(0, 1)
        # Keras multiplies matrices in float32, also where float64 is asked for.
        np.testing.assert_allclose(found, wanted.outputs.numpy(), atol=1e-6)
        after = names["train"](3).get_layer("layer" if layers == 1 else "layer_0").get_weights()[1].T
        after = names["z_first"](after) if "z_first" in names else after
        # A GRU in Keras has biases more than the app's, which its training moves.
        tolerance = 1e-3 if network["cell"] == "gru" else 1e-6
        np.testing.assert_allclose(after, app_weights(made, 3)["W_hh" if layers == 1 else "0.W_hh"], atol=tolerance)
