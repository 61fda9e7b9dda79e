"""Say it backwards: one network reads a word to its end, another says it in reverse."""

from __future__ import annotations

import numpy as np

from rnnviz.tasks.base import Batch, Setup, Task, Yardstick

SYMBOLS = tuple("abcdefgh")


def sample(rng: np.random.Generator, batch_size: int, setup: Setup) -> Batch:
    """N = T random symbols, one-hot; the target is the same symbols, the last one first."""
    symbols = rng.integers(0, len(SYMBOLS), (setup.length, batch_size))  # (N, B)
    return Batch(np.eye(len(SYMBOLS), dtype=np.float32).take(symbols, 0), np.ascontiguousarray(symbols[::-1]))


def describe(inputs: np.ndarray, target: np.ndarray) -> str:
    """ "hfabc -> cbafh"."""
    return f"{''.join(SYMBOLS[k] for k in inputs.argmax(1))} → {''.join(SYMBOLS[k] for k in target)}"


REVERSE = Task(
    name="reverse",
    title="Say a word backwards",
    verb="say a word backwards",
    explanation="An encoder reads a random word letter by letter; only then a decoder has to say it backwards. Everything "
    "must pass through the encoder's last state, unless attention lets the decoder look back at the letters.",
    citation="Sutskever, Vinyals & Le 2014; with attention Bahdanau, Cho & Bengio 2015",
    input_names=SYMBOLS,
    output_names=SYMBOLS,
    answers="sequence",
    loss="cross_entropy",
    sample=sample,
    baseline=lambda setup: Yardstick(float(np.log(len(SYMBOLS))), "guessing one of eight", "loss"),
    solved=lambda setup: Yardstick(0.995, "solved", "accuracy"),
    describe=describe,
    shortest=2,
    longest=50,
    defaults={"length": 8},
)
