"""Compare every bit with the last: the answer at each step lies in the future."""

from __future__ import annotations

import numpy as np

from rnnviz.tasks.base import Batch, Setup, Task, Yardstick


def sample(rng: np.random.Generator, batch_size: int, setup: Setup) -> Batch:
    """Random +1 and -1; the target at every step t is x_t XOR x_T: 1 where the bit differs from the last one."""
    bits = rng.integers(0, 2, (setup.length, batch_size))  # (T, B)
    inputs = (2 * bits - 1).astype(np.float32)[..., None]  # (T, B, 1)
    return Batch(inputs, bits ^ bits[-1])


def _baseline(setup: Setup) -> Yardstick:
    """Before the last bit is seen every answer is a fair coin; the last one is always "same"."""
    return Yardstick((setup.length - 1) / setup.length * float(np.log(2)), "not knowing the future", "loss")


def describe(inputs: np.ndarray, target: np.ndarray) -> str:
    """Such as "+−−+− → 10010", 1 for different."""
    signs = "".join("+" if value > 0 else "−" for value in inputs[:, 0])
    return f"{signs} → {''.join(str(int(k)) for k in target)}"


XOR_LAST = Task(
    name="xor_last",
    title="Compare every bit with the last",
    verb="compare every bit with the last",
    explanation="At every step the network must say whether this bit is the same as the very last one of the row, which is "
    "still to come. A network that reads forwards can only guess; one that also reads backwards can know, if its backward "
    "half carries the last bit all the way to the beginning.",
    citation="Schuster & Paliwal 1997 for why the future is needed; the exclusive or, Minsky & Papert 1969",
    input_names=("bit",),
    output_names=("same", "different"),
    answers="every",
    loss="cross_entropy",
    sample=sample,
    baseline=_baseline,
    solved=lambda setup: Yardstick(0.99, "solved", "accuracy"),
    describe=describe,
    shortest=4,
    defaults={"bidirectional": True},
)
