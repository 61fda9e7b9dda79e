"""What every toy task declares. Nothing is downloaded: a task is a seeded, vectorised generator with honest yardsticks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np


class Batch(NamedTuple):
    """A minibatch.

    Attributes:
        inputs: (T, B, I) float32.
        targets: (B, O) or (T, B, O) float32 for a squared error; (B,) int64 class numbers for a cross-entropy.
    """

    inputs: np.ndarray
    targets: np.ndarray


class Yardstick(NamedTuple):
    """A number to measure a curve against, and the words for it.

    Attributes:
        value: in the unit of `metric`.
        name: how a page calls it, e.g. "always guessing 1".
        metric: the recorded series it belongs to.
    """

    value: float
    name: str
    metric: Literal["loss", "accuracy"]


@dataclass(frozen=True)
class Task:
    """A task as the registry knows it.

    Attributes:
        name: registry, URL and file name.
        title: noun phrase for menus.
        verb: completes "Elman RNN learns to ...".
        explanation: what goes in, what must come out, why it needs memory.
        citation: where the task comes from.
        input_names: one name for each of the I input channels.
        output_names: one name for each of the O outputs.
        readout: whether the network answers at the last step or at every step.
        loss: what is minimised; L_b is its mean over a sample's scored outputs.
        shortest: the smallest sequence length that makes sense.
        options: the `Experiment` fields that only some tasks have and this one does.
        sample: `(rng, batch_size, length, signal) -> Batch`; tasks without that option ignore it.
        baseline: `(length, option) -> Yardstick`, the score of the obvious answer that needs no network.
        solved: `(length, option) -> Yardstick`, the score from which we call the task solved.
        scored_from: `(length, option) -> int`, the first (0-based) step whose output counts, for `readout="every"`.
    """

    name: str
    title: str
    verb: str
    explanation: str
    citation: str
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    readout: Literal["last", "every"]
    loss: Literal["mse", "cross_entropy"]
    shortest: int
    options: tuple[str, ...]
    sample: Callable[[np.random.Generator, int, int, str], Batch]
    baseline: Callable[[int, str], Yardstick]
    solved: Callable[[int, str], Yardstick]
    scored_from: Callable[[int, str], int]
