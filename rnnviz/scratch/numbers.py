"""The app's own numbers for an experiment, which a program must find again: in float64, at the first training step."""

from __future__ import annotations

import io
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch

from rnnviz.arithmetic import one_thread
from rnnviz.experiment import Experiment
from rnnviz.model import initial_parameters, run_pass, training_batch, views

COSTLY = 64  # MiB of activations beyond which a page does not compute a pass only to show two numbers


class Numbers(NamedTuple):
    """One pass over the first training batch, from the initial weights.

    Attributes:
        loss: mean over the batch.
        norm: 2-norm of the whole gradient, before clipping.
        weights, gradients: by the name a program gives them.
    """

    loss: float
    norm: float
    weights: dict[str, np.ndarray]
    gradients: dict[str, np.ndarray]


def program_name(experiment: Experiment, name: str) -> str:
    """ "0.W_hh" -> what the programs call it."""
    own = {"readout.W": "W_hy", "readout.b": "b_y"}.get(name, name)
    return own if experiment.layers > 1 else own.removeprefix("0.")


def by_name(experiment: Experiment, flat: torch.Tensor) -> dict[str, np.ndarray]:
    """A flat vector's pieces under the names the programs give them."""
    return {program_name(experiment, name): piece.numpy() for name, piece in views(experiment, flat).items()}


@lru_cache(maxsize=32)
def numbers(experiment: Experiment) -> Numbers | None:
    """None where they would cost too much."""
    if experiment.activation_memory > COSTLY:
        return None
    with one_thread():
        parameters = torch.tensor(initial_parameters(experiment)).double()
        done = run_pass(experiment, parameters, training_batch(experiment, 0))
    gradient = done.parameter_gradient
    return Numbers(
        float(done.losses.mean()),
        float(torch.linalg.vector_norm(gradient)),
        by_name(experiment, parameters),
        by_name(experiment, gradient),
    )


def numbers_file(experiment: Experiment) -> bytes:
    """An .npz for a program of one's own: initial weights, the first batch, and what the app makes of them.

    Names: `weight W_hh`, `gradient W_hh`, ...; `inputs`, `targets`, where the task has them `lengths` and `scored`; `loss`.
    """
    found, batch = numbers(experiment), training_batch(experiment, 0)
    weights = by_name(experiment, torch.tensor(initial_parameters(experiment)))
    arrays = {f"weight {name}": value for name, value in weights.items()}
    arrays |= {name: value for name, value in batch._asdict().items() if value is not None}
    if found is not None:
        arrays |= {"loss": np.array(found.loss)}
        arrays |= {f"gradient {name}": value for name, value in found.gradients.items()}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()
