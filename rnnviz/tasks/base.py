"""What every toy task declares. Nothing is downloaded: a task is a seeded, vectorised generator with honest yardsticks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np


class Setup(NamedTuple):
    """The `Experiment` fields that shape a task's examples; each task reads those it names in `options`, and the length.

    Attributes:
        length: T, time steps of the (longest) input sequence.
        signal: forecast: one of SIGNALS.
        horizon: forecast: how many steps ahead.
        noise: latch: standard deviation of every input but the first; scanline: of what is added to every pixel.
        gap: flip_flop: mean steps between pulses of one bit; sentiment: neutral words between "not" and what it turns
            round; speech_ctc: mean frames a label lasts.
    """

    length: int
    signal: str = "ar2"
    horizon: int = 1
    noise: float = 0.2
    gap: int = 5


class Batch(NamedTuple):
    """A minibatch. What `targets` is follows from the task's `answers` and `loss`.

    | answers | loss | targets |
    |---|---|---|
    | once | mse | (B, O) float32 |
    | once | cross_entropy | (B,) int64 |
    | every | mse | (T, B, O) float32 |
    | every | cross_entropy | (T, B) int64 |
    | sequence | cross_entropy | (N, B) int64, what a decoder has to say |
    | labels | ctc | (N, B) int64 without blanks, padded with -1 |

    Attributes:
        inputs: (T, B, I) float32, zero in the padding.
        targets: see above.
        lengths: (B,) int64 true lengths; None where every sequence has all T steps.
        scored: (T, B) bool, the answers that count, for `answers="every"`; None where all do. Never in the padding.
    """

    inputs: np.ndarray
    targets: np.ndarray
    lengths: np.ndarray | None = None
    scored: np.ndarray | None = None


class Yardstick(NamedTuple):
    """A number to measure a curve against, and the words for it.

    Attributes:
        value: in the unit of `metric`.
        name: how a page calls it, e.g. "always guessing 1".
        metric: the recorded series it belongs to: the mean loss (nats for a cross-entropy), the fraction of scored answers
            that are right (for `labels`: 1 - edit distance / length), or the task's `exam`.
    """

    value: float
    name: str
    metric: Literal["loss", "accuracy", "exam"]


class Exam(NamedTuple):
    """A test beyond the training examples, taken whenever a frame is recorded.

    Attributes:
        name: how a page calls its result, e.g. "counts correctly to n =".
        batch: `(setup) -> Batch`, the same at every call; its length need not be that of the training sequences.
        mark: `(outputs, batch) -> number`. Outputs are those of the network, before any softmax, shaped as `answers` says:
            (B, O) or (T, B, O).
    """

    name: str
    batch: Callable[[Setup], Batch]
    mark: Callable[[np.ndarray, Batch], float]


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
        output_names: one name for each of the O outputs. For `labels` the first is the blank; targets then count from 1.
        answers: once at the end, at every step, as a sequence from a decoder, or as labels fewer than the steps (CTC).
        loss: what is minimised; L_b is its mean over a sample's scored answers (for ctc: over its labels).
        sample: `(rng, batch_size, setup) -> Batch`.
        baseline: `(setup) -> Yardstick`, the score of the obvious answer that needs no memory. None where there is none.
        solved: `(setup) -> Yardstick`, the score from which we call the task solved. None where nothing may be called so.
        describe: `(inputs (T, I), target) -> str`, one sample in words a person reads; `target` is the sample's own slice
            of the targets, and both are cut to its true length.
        shortest, longest: the sequence lengths that make sense.
        defaults: `Experiment` field -> value this task starts with where the general default does not suit it.
        options: the `Experiment` fields that only some tasks have and this one does.
        leaks: whether a later input gives an answer away, so that a bidirectional network only has to look.
        scored_from: `(setup) -> int`, for `answers="every"`: the first (0-based) step whose answer counts.
        misfit: `(setup) -> (field, sentence)` where options are each right but do not go together, else None.
        exam: a test beyond the training examples.
        picture: how a page draws an input: values beside a marker, one-hot symbols over time, waves, words, the rows of an
            image, or numbers as a heat map.
    """

    name: str
    title: str
    verb: str
    explanation: str
    citation: str
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    answers: Literal["once", "every", "sequence", "labels"]
    loss: Literal["mse", "cross_entropy", "ctc"]
    sample: Callable[[np.random.Generator, int, Setup], Batch]
    baseline: Callable[[Setup], Yardstick | None]
    solved: Callable[[Setup], Yardstick | None]
    describe: Callable[[np.ndarray, np.ndarray], str]
    shortest: int
    longest: int = 2000
    defaults: Mapping[str, int | float | str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    leaks: bool = False
    scored_from: Callable[[Setup], int] = lambda setup: 0
    misfit: Callable[[Setup], tuple[str, str] | None] = lambda setup: None
    exam: Exam | None = None
    picture: Literal["marked", "symbols", "wave", "words", "image", "heat"] = "symbols"
