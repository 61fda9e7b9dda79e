"""Runs a generated program as a file of its own, and says what the app itself finds, in float64."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rnnviz import Experiment
from rnnviz.model import initial_parameters, run_pass, training_batch
from rnnviz.scratch import PROGRAMS, companions
from rnnviz.scratch.numbers import by_name
from rnnviz.training import OPTIMIZER_STATE, _update

SMALL: dict[str, Any] = {"hidden_size": 3, "batch_size": 4, "length": 12}


def program(experiment: Experiment, library: str, folder: Path) -> dict[str, Any]:
    """The names that the program defines when it is read, not run."""
    for name, text in companions(experiment).items():
        (folder / name).write_text(text, "utf-8")
    file = folder / f"{library}_program.py"
    file.write_text(PROGRAMS[library](experiment), "utf-8")
    return runpy.run_path(str(file), run_name="program")


def app_gradient(experiment: Experiment, parameters: torch.Tensor, step: int) -> tuple[float, torch.Tensor]:
    """Loss and flat gradient of a training step's batch."""
    done = run_pass(experiment, parameters, training_batch(experiment, step))
    return float(done.losses.mean()), done.parameter_gradient


def app_weights(experiment: Experiment, steps: int) -> dict[str, np.ndarray]:
    """Where the app's weights come to in so many steps of float64.

    The app itself trains in float32, so this is its loop once more: its passes, its clipping, its optimizer.
    """
    parameters = torch.tensor(initial_parameters(experiment)).double()
    state = {name: torch.zeros_like(parameters) for name in OPTIMIZER_STATE[experiment.optimizer]}
    for step in range(steps):
        _, gradient = app_gradient(experiment, parameters, step)
        if experiment.clip_value:
            gradient.clamp_(-experiment.clip_value, experiment.clip_value)
        norm = float(gradient.norm())
        if 0 < experiment.clip_norm < norm:
            gradient *= experiment.clip_norm / norm
        _update(experiment, step + 1, parameters, gradient, state)
    return by_name(experiment, parameters)


def torch_pieces(experiment: Experiment, net: Any, of: str = "data") -> dict[str, np.ndarray]:
    """The weights (or their `grad`) of the PyTorch program's network, under the names of the NumPy one."""
    H, found = experiment.hidden_size, {}
    torch_names = {"weight_ih": "W_ih", "weight_hh": "W_hh", "bias_ih": "b", "bias_hh": "b_hn"}
    for full, parameter in net.named_parameters():
        value = getattr(parameter, of)
        if full.startswith("readout."):
            found["W_hy" if full.endswith("weight") else "b_y"] = value.numpy()
            continue
        *place, name = full.removeprefix("layers.").split(".")
        stem, _, k = name.rpartition("_l")
        layer = place[0] if place else (k or "0")
        if stem in torch_names:
            if stem == "bias_hh" and experiment.cell != "gru":
                assert not parameter.any(), "a second bias would be another network"
                continue
            name = torch_names[stem]
            if name == "b_hn":
                assert not parameter[: 2 * H].any()
                assert not value[: 2 * H].any()
                value = value[2 * H :]
        found[f"{layer}.{name}" if experiment.layers > 1 else name] = value.numpy()
    return found


def assert_same(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> float:
    """To ten decimals; returns the largest difference."""
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert found[name].shape == value.shape, name
        np.testing.assert_allclose(found[name], value, rtol=1e-10, atol=1e-10, err_msg=name)
    return max(float(np.abs(found[name] - value).max()) for name, value in wanted.items())
