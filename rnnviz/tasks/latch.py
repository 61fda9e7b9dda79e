"""The latch: the first value decides, all that follows is noise, and nobody knows beforehand when the question comes."""

from __future__ import annotations

import numpy as np

from rnnviz.tasks.base import Batch, Setup, Task, Yardstick


def sample(rng: np.random.Generator, batch_size: int, setup: Setup) -> Batch:
    """+1 or -1, then Gaussian noise; true lengths are uniform between T/3 and T, zeros follow.

    The first value itself stays clean, as in the paper's task 3a: otherwise noise could make it unreadable and no memory
    would help.
    """
    length = setup.length
    classes = rng.integers(0, 2, batch_size)  # (B,)
    lengths = rng.integers(max(length // 3, 2), length + 1, batch_size)
    inputs = rng.standard_normal((length, batch_size, 1), np.float32)  # (T, B, 1)
    inputs *= np.float32(setup.noise)
    inputs[0, :, 0] = 2 * classes - 1
    inputs[np.arange(length)[:, None] >= lengths] = 0
    return Batch(inputs, classes, lengths)


def describe(inputs: np.ndarray, target: np.ndarray) -> str:
    """Such as "+1, then 36 steps of noise → +1"."""
    first, answer = LATCH.output_names[int(inputs[0, 0] > 0)], LATCH.output_names[int(target)]
    return f"{first}, then {len(inputs) - 1} steps of noise → {answer}"


LATCH = Task(
    name="latch",
    title="Hold on to the first value",
    verb="hold on to the first value",
    explanation="The first value is +1 or -1, and all the others are noise around 0. At the end, which comes sooner or "
    "later, the network must still know which it was: the noise must not wear the memory away.",
    citation="Bengio, Simard & Frasconi 1994; in this form Hochreiter & Schmidhuber 1997, experiment 3a",
    input_names=("value",),
    output_names=("−1", "+1"),
    answers="once",
    loss="cross_entropy",
    sample=sample,
    baseline=lambda setup: Yardstick(float(np.log(2)), "guessing one of two", "loss"),
    solved=lambda setup: Yardstick(0.99, "solved", "accuracy"),
    describe=describe,
    shortest=4,
    options=("noise",),
    picture="wave",
)
