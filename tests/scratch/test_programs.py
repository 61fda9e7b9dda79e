"""Every generated NumPy and PyTorch program is run, and must find the app's loss, gradients and weights."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from rnnviz import CELLS, TASKS, Experiment
from rnnviz.cells import ACTIVATIONS
from rnnviz.model import initial_parameters, training_batch
from rnnviz.scratch import companions, numbers, numpy_program, refusal, torch_program
from rnnviz.scratch.numbers import by_name
from rnnviz.scratch.numpy_cells import NUMPY_CELLS
from tests.scratch.programs import SMALL, app_gradient, app_weights, assert_same, program, torch_pieces

WRITTEN = [name for name in TASKS if refusal(Experiment(task=name), "numpy") is None]
KINDS = ("adding", "latch", "parity", "forecast", "reber")  # each way to answer, to be judged, to be masked
NETWORKS = [
    {"cell": cell} | ({"activation": activation} if activation else {})
    for cell in NUMPY_CELLS
    for activation in (ACTIVATIONS if "activation" in CELLS[cell].options else [""])
]


def compare(experiment: Experiment, library: str, folder: Path, steps: int = 3) -> None:
    """Start, first loss, first gradient, and the weights after some training steps."""
    names = program(experiment, library, folder)
    start = torch.tensor(initial_parameters(experiment)).double()
    loss, gradient = app_gradient(experiment, start, 0)
    first = names["batch"](0)
    assert_same(names["initial_weights"](), by_name(experiment, start))
    if library == "numpy":
        found_loss, found = names["loss_and_gradient"](names["initial_weights"](), first)
        after = names["train"](steps)
    else:
        net = names["network"]()
        found_loss = names["loss_of"](net, first)
        found_loss.backward()
        found = torch_pieces(experiment, net, "grad")
        after = torch_pieces(experiment, names["train"](steps))
    assert found_loss.item() == pytest.approx(loss, abs=1e-10)
    assert_same(found, by_name(experiment, gradient))
    assert_same(after, app_weights(experiment, steps))


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: "-".join(network.values()))
def test_every_cell_and_activation_finds_the_apps_numbers_however_it_answers(network, library, tmp_path):
    for task in KINDS:
        compare(Experiment(task=task, **network, **SMALL), library, tmp_path)


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("task", WRITTEN)
def test_every_task_finds_the_apps_numbers(task, library, tmp_path):
    length = min(max(TASKS[task].shortest, 20), TASKS[task].longest)
    compare(Experiment(task=task, length=length, hidden_size=4, batch_size=3), library, tmp_path)


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("clip_norm", [0, 0.01])
@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop", "momentum", "nesterov", "sgd"])
def test_every_optimizer_moves_the_weights_where_the_app_moves_them(optimizer, clip_norm, library, tmp_path):
    for cell, more in {
        "gru": {},
        "rnn": {"weight_decay": 0.1},
        "lstm": {"clip_value": 0.01, "schedule": "cosine", "steps": 5},
        "mgu": {"schedule": "step", "steps": 4},
    }.items():
        made = Experiment(cell=cell, optimizer=optimizer, clip_norm=clip_norm, learning_rate=0.1, **more, **SMALL)
        compare(made, library, tmp_path, steps=4)


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("cell", NUMPY_CELLS)
def test_stacks_find_the_apps_numbers(cell, library, tmp_path):
    for task in ("latch", "forecast"):
        compare(Experiment(cell=cell, task=task, layers=3, **SMALL), library, tmp_path)


@pytest.mark.parametrize("cell", NUMPY_CELLS)
def test_every_initialisation_starts_bit_for_bit_where_the_app_starts(cell, tmp_path):
    for initialisation in CELLS[cell].initialisations:
        for layers in (1, 2):
            made = Experiment(
                cell=cell,
                initialisation=initialisation,
                layers=layers,
                forget_bias=1.7,
                update_bias=-0.3,
                seed=5,
                **SMALL,
            )
            found = program(made, "numpy", tmp_path)["initial_weights"]()
            wanted = by_name(made, torch.tensor(initial_parameters(made)).double())
            assert found.keys() == wanted.keys()
            for name in wanted:
                np.testing.assert_array_equal(found[name], wanted[name], err_msg=f"{initialisation} {name}")


@pytest.mark.parametrize("task", WRITTEN)
@pytest.mark.parametrize("examples", [0, 16])
def test_a_program_draws_the_apps_examples(task, examples, tmp_path):
    options = {"signal": "sine", "horizon": 2, "noise": 0.35, "gap": 3}
    made = Experiment(
        task=task, examples=examples, batch_size=5, seed=11, **{k: options[k] for k in TASKS[task].options}
    )
    batch = program(made, "numpy", tmp_path)["batch"]
    for step in (0, 1, 2999):
        for found, wanted in zip(batch(step), training_batch(made, step), strict=True):
            np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("text", [numpy_program, torch_program])
def test_a_program_runs_by_itself_and_prints_the_numbers_it_promises(text, tmp_path):
    made = Experiment(cell="gru", task="text", steps=2, **SMALL)
    for name, content in companions(made).items():
        (tmp_path / name).write_text(content, "utf-8")
    file = tmp_path / "program.py"
    file.write_text(text(made), "utf-8")
    # Isolated: this library is not on its path.
    done = subprocess.run([sys.executable, "-I", "-W", "error", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = re.search(r"loss (\S+) +gradient norm (\S+)", done.stdout.splitlines()[0])
    promised = re.search(r"loss (\S+), gradient norm (\S+)", file.read_text("utf-8"))
    assert said is not None
    assert promised is not None
    assert said.groups() == promised.groups()
    own = numbers(made)
    assert own is not None
    assert said.groups() == (f"{own.loss:.10f}", f"{own.norm:.10f}")
