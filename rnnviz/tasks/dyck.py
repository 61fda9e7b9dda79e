"""Nested brackets of two kinds: which closing bracket may come next? A stack, to the depth the network can hold."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from rnnviz.tasks.base import Batch, Exam, Setup, Task, Yardstick

BRACKETS = "([)]"
NOTHING = 0  # the output where no bracket is open
DEEPEST = 10
WORDS = 8  # for each depth of the exam
ONE_HOT = np.eye(len(BRACKETS), dtype=np.float32)


def trained_to(setup: Setup) -> int:
    """The depth a training sequence may reach: longer ones nest deeper."""
    return min(max(setup.length // 8, 2), DEEPEST)


def sample(rng: np.random.Generator, batch_size: int, setup: Setup) -> Batch:
    """T brackets, the beginning of a word of the language Dyck-2, never deeper than `trained_to`.

    Opening and closing are equally likely wherever both are possible; the two kinds are, too. The target at every step is
    the closing bracket that would be legal next, or nothing: a function of the past, unlike the next symbol itself.
    """
    depth = trained_to(setup)
    draws = rng.integers(0, 4, (setup.length, batch_size))  # (T, B), two coins
    walk = np.cumsum((draws & 2) - 1, 0)
    # Folded at 0 and at the greatest depth, a free walk becomes one that turns back there.
    open_ = depth - np.abs(walk % (2 * depth) - depth)  # (T, B) brackets open after each step
    opening = np.diff(open_, axis=0, prepend=0) > 0
    closing = ~opening
    # Bit k of this register is the kind of the bracket at depth k. An opening one replaces it: by the XOR of the old kind
    # and a fair coin, which is a fair coin again.
    register = np.bitwise_xor.accumulate(np.where(opening, (draws & 1) << open_, 0), 0)
    brackets = 2 * closing + ((register >> (open_ + closing)) & 1)
    targets = np.where(open_ > 0, 1 + ((register >> open_) & 1), NOTHING)
    return Batch(ONE_HOT.take(brackets, 0), targets)  # (T, B, 4), (T, B)


@lru_cache(maxsize=8)
def _exam_batch(trained: int) -> Batch:
    length = 4 * trained
    depths = np.repeat(np.arange(1, 2 * trained + 1), WORDS)  # (B,)
    kinds = np.random.default_rng(0).integers(0, 2, (2 * trained, len(depths)))
    kinds[:3] = np.arange(len(depths)) >> np.arange(3)[:, None] & 1  # so that the words of one depth differ if they can
    t, every = np.arange(length)[:, None], np.arange(len(depths))
    opening, inside = t < depths, t < 2 * depths  # (T, B)
    own = np.clip(np.where(opening, t, 2 * depths - 1 - t), 0, None)  # at which depth, from 0, this bracket stands
    innermost = np.where(opening, t, 2 * depths - 2 - t)  # the same of the one to be closed next
    brackets = kinds[own.clip(max=2 * trained - 1), every] + 2 * ~opening
    targets = np.where(innermost >= 0, 1 + kinds[innermost.clip(0, 2 * trained - 1), every], NOTHING)
    return Batch(ONE_HOT[brackets] * inside[..., None], targets, 2 * depths, inside)


def exam_batch(setup: Setup) -> Batch:
    """Words that only open and then only close, to every depth up to twice the trained one, WORDS of each."""
    return _exam_batch(trained_to(setup))


def matched(outputs: np.ndarray, batch: Batch) -> float:
    """The largest depth up to which every word is answered correctly at every step; 0 if none is."""
    assert batch.scored is not None
    assert batch.lengths is not None
    wrong = ((outputs.argmax(2) != batch.targets) & batch.scored).any(0)  # (B,)
    depths = batch.lengths // 2
    return float(depths[wrong].min(initial=depths.max() + 1) - 1)


def describe(inputs: np.ndarray, target: np.ndarray) -> str:
    """Such as "([[]( → )": the brackets, and what may close next."""
    return f"{''.join(BRACKETS[k] for k in inputs.argmax(1))} → {DYCK.output_names[int(target[-1])]}"


DYCK = Task(
    name="dyck",
    title="Match brackets",
    verb="match brackets",
    explanation="Round and square brackets open and close, one inside the other, and at every step the network must say "
    "which closing bracket would be legal next. It has to remember every open bracket, the last one opened on top: the exam "
    "nests them deeper than it ever trained on.",
    citation="Chomsky & Schützenberger 1963 for the language; for recurrent networks Hewitt et al. 2020",
    input_names=tuple(BRACKETS),
    output_names=("nothing", ")", "]"),
    answers="every",
    loss="cross_entropy",
    sample=sample,
    baseline=lambda setup: None,
    solved=lambda setup: Yardstick(trained_to(setup) + 1, f"beyond depth {trained_to(setup)}, the trained one", "exam"),
    describe=describe,
    shortest=16,
    defaults={"length": 24},
    leaks=True,
    exam=Exam("matches brackets to depth =", exam_batch, matched),
)
