"""The copy problem: hear a few symbols, wait, then say them again in the same order."""

from __future__ import annotations

import numpy as np

from rnnviz.tasks.base import Batch, Setup, Task, Yardstick

SYMBOLS = tuple("ABCDEFGH")  # K = 8
BLANK, GO = len(SYMBOLS), len(SYMBOLS) + 1
COPIED = 5  # S; the paper's 10 is out of reach of a few thousand training steps
SHOWN = "".join(SYMBOLS) + "·▸"
ONE_HOT = np.eye(len(SHOWN), dtype=np.float32)


def sample(rng: np.random.Generator, batch_size: int, setup: Setup) -> Batch:
    """S random symbols, blanks, a go-marker, S blanks in; blanks and at last the S symbols out."""
    length = setup.length
    symbols = rng.integers(0, len(SYMBOLS), (COPIED, batch_size))
    inputs = np.zeros((length, batch_size, len(SHOWN)), np.float32)  # (T, B, 10)
    inputs[:COPIED] = ONE_HOT.take(symbols, 0)
    inputs[COPIED:, :, BLANK] = 1
    inputs[-COPIED - 1] = ONE_HOT[GO]
    targets = np.full((length, batch_size), BLANK)  # (T, B)
    targets[-COPIED:] = symbols
    return Batch(inputs, targets)


def _baseline(setup: Setup) -> Yardstick:
    """The last S of T answers cost ln K each; that the others are blanks can be told from the clock alone."""
    return Yardstick(COPIED * float(np.log(len(SYMBOLS))) / setup.length, "guessing the symbols", "loss")


def describe(inputs: np.ndarray, target: np.ndarray) -> str:
    """Such as "CAFFE····▸····· → CAFFE"."""
    return f"{''.join(SHOWN[k] for k in inputs.argmax(1))} → {''.join(SHOWN[k] for k in target[-COPIED:])}"


COPY = Task(
    name="copy",
    title="Copy symbols after a pause",
    verb="copy symbols after a pause",
    explanation="A few symbols go by, then nothing for a while, then a sign to go: now the network must say the same "
    "symbols again in the same order. During the pause nothing but its state can hold them.",
    citation="Hochreiter & Schmidhuber 1997; in this form, with 10 symbols, Arjovsky, Shah & Bengio 2016",
    input_names=(*SYMBOLS, "blank", "go"),
    output_names=(*SYMBOLS, "blank"),
    answers="every",
    loss="cross_entropy",
    sample=sample,
    baseline=_baseline,
    solved=lambda setup: Yardstick(0.05 * _baseline(setup).value, "solved: 5 % of guessing", "loss"),
    describe=describe,
    shortest=2 * COPIED + 1,
    defaults={"length": 15, "hidden_size": 64, "learning_rate": 0.01},
)
