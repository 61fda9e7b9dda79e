"""Checkpoints with weights of one's own, small."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from rnnviz import TASKS, Checkpoint, Experiment, Trace, start, trace
from rnnviz.tasks import Batch
from tests.plain import networks, random_batch, random_parameters

EXACT: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-12}


def with_parameters(experiment: Experiment, parameters: np.ndarray) -> Checkpoint:
    """As if they had been learned."""
    return replace(start(experiment), step=1, parameters=np.asarray(parameters, np.float32))


def random_checkpoint(experiment: Experiment, seed: int = 0, spread: float = 0.6) -> Checkpoint:
    return with_parameters(experiment, random_parameters(experiment, seed, spread).numpy())


def trace_of(checkpoint: Checkpoint, batch: Batch) -> Trace:
    """Every answer counts."""
    return trace(checkpoint, batch.inputs, batch.targets, batch.lengths)


@st.composite
def traced(draw: st.DrawFn, **which: Any) -> tuple[Checkpoint, Trace]:
    """Any network with random weights on a random batch, with or without padding."""
    experiment, seed = draw(networks(**which)).amend(bptt_window=0), draw(st.integers(0, 2**20))
    fewest = TASKS[experiment.task].scored_from(experiment.setup) + 1
    T, B, padded = draw(st.integers(fewest, 6)), draw(st.integers(1, 4)), draw(st.booleans())
    batch = random_batch(experiment.task, T, B, seed, padded=padded)
    if batch.lengths is not None:
        batch = batch._replace(lengths=np.maximum(batch.lengths, fewest))
    checkpoint = random_checkpoint(experiment, seed)
    return checkpoint, trace_of(checkpoint, batch)
