"""The adding problem: remember two marked numbers, ignore the rest, answer at the end."""

from __future__ import annotations

import numpy as np

from rnnviz.tasks.base import Batch, Setup, Task, Yardstick


def sample(rng: np.random.Generator, batch_size: int, setup: Setup) -> Batch:
    """Values U[0, 1) beside a marker that is 1 at one random step of each half; the target is the sum of the two."""
    length, every = setup.length, np.arange(batch_size)
    half = length // 2
    inputs = np.zeros((length, batch_size, 2), np.float32)  # (T, B, 2)
    inputs[..., 0] = rng.random((length, batch_size), np.float32)
    first = rng.integers(0, half, batch_size)
    second = rng.integers(half, length, batch_size)
    inputs[first, every, 1] = inputs[second, every, 1] = 1
    return Batch(inputs, (inputs[first, every, :1] + inputs[second, every, :1]))  # (B, 1)


def describe(inputs: np.ndarray, target: np.ndarray) -> str:
    """ ".31 + .84 = 1.15"."""
    marked = inputs[inputs[:, 1] > 0, 0]
    return f"{' + '.join(f'{value:.2f}' for value in marked)} = {float(target[0]):.2f}"


ADDING = Task(
    name="adding",
    title="Add two marked numbers",
    verb="add two marked numbers",
    explanation="A row of random numbers goes by and two of them are marked. At the end the network must say their sum: "
    "it has to keep the first number unharmed while everything else passes.",
    citation="Hochreiter & Schmidhuber 1997, experiment 4; in this form Le, Jaitly & Hinton 2015",
    input_names=("value", "marker"),
    output_names=("sum",),
    answers="once",
    loss="mse",
    sample=sample,
    baseline=lambda setup: Yardstick(1 / 6, "always guessing 1", "loss"),  # Var(U + U') = 2/12
    solved=lambda setup: Yardstick(0.01, "solved", "loss"),
    describe=describe,
    shortest=4,
    picture="marked",
)
