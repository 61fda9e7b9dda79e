"""Random labels: nothing to learn, all to memorise. Low training loss is not learning."""

from __future__ import annotations

import numpy as np

from rnnviz.tasks.base import Batch, Setup, Task, Yardstick

CHANNELS = 10
CLASSES = ("heads", "tails")


def sample(rng: np.random.Generator, batch_size: int, setup: Setup) -> Batch:
    """N(0, 1) in every channel, and a coin tossed for the label whatever they are."""
    inputs = rng.standard_normal((setup.length, batch_size, CHANNELS), np.float32)  # (T, B, 10)
    return Batch(inputs, rng.integers(0, len(CLASSES), batch_size))


def describe(inputs: np.ndarray, target: np.ndarray) -> str:
    """One line of numbers a step, and "-> heads" below."""
    rows = (" ".join(f"{value:4.1f}" for value in row) for row in inputs)
    return "\n".join([*rows, f"→ {CLASSES[int(target)]}"])


RANDOM_LABELS = Task(
    name="random_labels",
    title="Learn coin tosses by heart",
    verb="memorise coin tosses",
    explanation="Every example is pure noise and its label the toss of a coin, but the same few come again and again. The "
    "network can memorise them all, and on fresh ones it will still only guess: a low training loss is not learning.",
    citation="Zhang, Bengio, Hardt, Recht & Vinyals 2017",
    input_names=tuple(f"noise {k + 1}" for k in range(CHANNELS)),
    output_names=CLASSES,
    answers="once",
    loss="cross_entropy",
    sample=sample,
    baseline=lambda setup: Yardstick(float(np.log(2)), "tossing a coin", "loss"),
    solved=lambda setup: None,  # on fresh examples nobody can do better, and on the old ones it means nothing
    describe=describe,
    shortest=2,
    longest=50,
    defaults={"length": 5, "examples": 64},
    picture="heat",
)
