"""The adding problem: remember two marked numbers, ignore the rest, answer at the end."""

from __future__ import annotations

import numpy as np

from rnnviz.tasks.base import Batch, Task, Yardstick


def sample(rng: np.random.Generator, batch_size: int, length: int, option: str) -> Batch:
    """Values U[0, 1) beside a marker that is 1 at one random step of each half; the target is the sum of the two."""
    half, every = length // 2, np.arange(batch_size)
    inputs = np.zeros((length, batch_size, 2), np.float32)  # (T, B, 2)
    inputs[..., 0] = rng.random((length, batch_size), np.float32)
    first = rng.integers(0, half, batch_size)
    second = rng.integers(half, length, batch_size)
    inputs[first, every, 1] = inputs[second, every, 1] = 1
    return Batch(inputs, (inputs[first, every, :1] + inputs[second, every, :1]))  # (B, 1)


ADDING = Task(
    name="adding",
    title="Add two marked numbers",
    verb="add two marked numbers",
    explanation="A row of random numbers goes by and two of them are marked. At the end the network must say their sum: "
    "it has to keep the first number unharmed while everything else passes.",
    citation="Hochreiter & Schmidhuber 1997, experiment 4; in this form Le, Jaitly & Hinton 2015",
    input_names=("value", "marker"),
    output_names=("sum",),
    readout="last",
    loss="mse",
    shortest=4,
    options=(),
    sample=sample,
    baseline=lambda length, option: Yardstick(1 / 6, "always guessing 1", "loss"),  # Var(U + U') = 2/12
    solved=lambda length, option: Yardstick(0.01, "solved", "loss"),
    scored_from=lambda length, option: length - 1,
)
