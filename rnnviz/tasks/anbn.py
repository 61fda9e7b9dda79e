"""Counting: after n times a there must come n times b, and then the end. What is next?"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from rnnviz.tasks.base import Batch, Exam, Setup, Task, Yardstick

A, B_, END = range(3)
TESTED, BEYOND = 32, 50  # how many numbers an exam has at most, and how far it goes beyond the trained ones at most


def trained_to(setup: Setup) -> int:
    """The largest n whose string fits into T steps."""
    return setup.length // 2


def strings(n: np.ndarray, length: int) -> Batch:
    """One string a^n b^n for each of `n` (B,), padded to `length`, and the symbol that follows each symbol.

    Only answers that the past determines are scored: those after each b. After an a both a and b may follow.
    """
    t = np.arange(length)[:, None]
    first, inside = t < n, t < 2 * n  # (T, B)
    scored = inside ^ first
    inputs = np.stack([first, scored], 2).astype(np.float32)  # (T, B, 2)
    targets = (t >= n - 1).astype(np.int64) + (t >= 2 * n - 1)  # (T, B): a, b or the end
    return Batch(inputs, targets, 2 * n, scored)


def sample(rng: np.random.Generator, batch_size: int, setup: Setup) -> Batch:
    """n is uniform from 1 to T/2."""
    return strings(rng.integers(1, trained_to(setup) + 1, batch_size), setup.length)


@lru_cache(maxsize=8)
def _exam_batch(trained: int) -> Batch:
    largest = min(2 * trained, trained + BEYOND)
    n = np.unique(np.linspace(1, largest, TESTED).round().astype(np.int64))
    return strings(n, 2 * largest)


def exam_batch(setup: Setup) -> Batch:
    """Every n up to twice the largest trained one, or BEYOND more; TESTED of them spread evenly where those are more."""
    return _exam_batch(trained_to(setup))


def counted(outputs: np.ndarray, batch: Batch) -> float:
    """The largest n up to which every string is continued correctly at every determined step; 0 if none is."""
    assert batch.scored is not None
    assert batch.lengths is not None
    wrong = ((outputs.argmax(2) != batch.targets) & batch.scored).any(0)  # (B,)
    n = batch.lengths // 2
    return float(n[n < n[wrong].min(initial=n.max() + 1)].max(initial=0))


def describe(inputs: np.ndarray, target: np.ndarray) -> str:
    """Such as "aaabbb, then the end"."""
    return "".join("ab"[k] for k in inputs.argmax(1)) + ", then the end"


ANBN = Task(
    name="anbn",
    title="Count: as many b as a",
    verb="count",
    explanation="A number of a goes by, then the same number of b, and from the first b on the network must say what comes "
    "next, another b or the end. It has to count up and then down again; the exam asks for numbers it never trained on.",
    citation="Gers & Schmidhuber 2001",
    input_names=("a", "b"),
    output_names=("a", "b", "end"),
    answers="every",
    loss="cross_entropy",
    sample=sample,
    baseline=lambda setup: None,
    solved=lambda setup: Yardstick(trained_to(setup) + 1, f"beyond n = {trained_to(setup)}, the trained range", "exam"),
    describe=describe,
    shortest=4,
    defaults={"length": 20},
    leaks=True,
    scored_from=lambda setup: 1,
    exam=Exam("counts correctly to n =", exam_batch, counted),
)
