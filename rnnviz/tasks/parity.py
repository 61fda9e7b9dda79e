"""Parity: has the number of +1 so far been even or odd? One bit of memory, but every input may turn it round."""

from __future__ import annotations

import numpy as np

from rnnviz.tasks.base import Batch, Setup, Task, Yardstick


def sample(rng: np.random.Generator, batch_size: int, setup: Setup) -> Batch:
    """Random +1 and -1; the target at every step is 1 if the number of +1 up to here is odd."""
    bits = rng.integers(0, 2, (setup.length, batch_size))  # (T, B)
    inputs = (2 * bits - 1).astype(np.float32)[..., None]  # (T, B, 1)
    return Batch(inputs, np.bitwise_xor.accumulate(bits, 0))


def describe(inputs: np.ndarray, target: np.ndarray) -> str:
    """Such as "+−−+− → 11100", 1 for odd."""
    signs = "".join("+" if value > 0 else "−" for value in inputs[:, 0])
    return f"{signs} → {''.join(str(int(k)) for k in target)}"


PARITY = Task(
    name="parity",
    title="Keep track of even and odd",
    verb="keep track of even and odd",
    explanation="A row of +1 and -1 goes by, and at every step the network must say whether it has seen an even or an odd "
    "number of +1. One bit of memory is enough, but every +1 must turn it round: one slip spoils all later answers.",
    citation="Bengio, Simard & Frasconi 1994",
    input_names=("value",),
    output_names=("even", "odd"),
    answers="every",
    loss="cross_entropy",
    sample=sample,
    baseline=lambda setup: Yardstick(float(np.log(2)), "guessing even or odd", "loss"),
    solved=lambda setup: Yardstick(0.99, "solved", "accuracy"),
    describe=describe,
    shortest=4,
)
