"""The temporal order problem: which of two symbols came first, after a long stretch of noise?"""

from __future__ import annotations

import numpy as np

from rnnviz.tasks.base import Batch, Setup, Task, Yardstick

SYMBOLS = ("X", "Y", "a", "b", "c", "d")
CLASSES = ("XX", "XY", "YX", "YY")


def sample(rng: np.random.Generator, batch_size: int, setup: Setup) -> Batch:
    """One-hot symbols; X or Y stands at one step in [.1T, .2T) and at one in [.5T, .6T), the rest is a, b, c or d."""
    length, every = setup.length, np.arange(batch_size)
    symbols = rng.integers(2, len(SYMBOLS), (length, batch_size))  # (T, B)
    first = rng.integers(length // 10, length // 5, batch_size)
    second = rng.integers(length // 2, length * 6 // 10, batch_size)
    early, late = rng.integers(0, 2, (2, batch_size))
    symbols[first, every], symbols[second, every] = early, late
    return Batch(np.eye(len(SYMBOLS), dtype=np.float32)[symbols], 2 * early + late)  # (T, B, 6), (B,)


def describe(inputs: np.ndarray, target: np.ndarray) -> str:
    """ "acXbdYca... -> XY"."""
    return f"{''.join(SYMBOLS[k] for k in inputs.argmax(1))} → {CLASSES[int(target)]}"


TEMPORAL_ORDER = Task(
    name="temporal_order",
    title="Tell the order of two symbols",
    verb="tell the order of two symbols",
    explanation="Two meaningful symbols, each X or Y, hide in a stream of meaningless letters, one early and one in the "
    "middle. At the end the network must say which of XX, XY, YX, YY it saw.",
    citation="Hochreiter & Schmidhuber 1997, experiment 6a; in this form Pascanu, Mikolov & Bengio 2013",
    input_names=SYMBOLS,
    output_names=CLASSES,
    answers="once",
    loss="cross_entropy",
    sample=sample,
    baseline=lambda setup: Yardstick(float(np.log(4)), "guessing one of four", "loss"),
    solved=lambda setup: Yardstick(0.99, "solved", "accuracy"),
    describe=describe,
    shortest=10,
)
