"""Toy film reviews: "not" turns round the next word of praise or blame, however much is said in between."""

from __future__ import annotations

import numpy as np

from rnnviz.tasks.base import Batch, Setup, Task, Yardstick

NEGATIVE = ("bad", "dull", "boring", "awful", "clumsy", "sad")
POSITIVE = ("good", "great", "funny", "lovely", "clever", "warm")
NEUTRAL = ("the", "film", "plot", "is", "was", "a", "so", "very", "all", "this", "and", "really", "at", "times")
WORDS = (*NEGATIVE, *POSITIVE, *NEUTRAL, "not")
NOT = len(WORDS) - 1
CLASSES = ("negative", "positive")

TURNED = 0.68  # of the reviews have a "not"
BAG_OF_WORDS = 1 - TURNED / 2
"""The accuracy of the best guess from the words without their order.

A review with "not" has one word of praise and one of blame, and only the order says which is turned round: it is a coin
toss. In the others both words agree with the label.
"""

# Numbers of one-hot rows; the last row, all zero, is the padding.
_ONE_HOT = np.concatenate([np.eye(len(WORDS), dtype=np.float32), np.zeros((1, len(WORDS)), np.float32)])


def sample(rng: np.random.Generator, batch_size: int, setup: Setup) -> Batch:
    """Neutral words around two judgements that agree; in most reviews one is the opposite, `gap` words after "not".

    Lengths are uniform from the shortest that holds all of it to T.
    """
    length, gap, every = setup.length, setup.gap, np.arange(batch_size)
    dice = rng.random((8, batch_size))  # one draw for all: each call has its price
    lengths = gap + 3 + (dice[0] * (length - gap - 2)).astype(np.int64)
    # A judgement takes one place, the other one place for itself, one for "not" and the gap between: as if the text had
    # gap + 1 places fewer, in which the two judgements lie anywhere. Reviews without "not" are laid out no differently.
    places = lengths - gap - 1
    one, other = (dice[1] * places).astype(np.int64), (dice[2] * (places - 1)).astype(np.int64)
    other += other >= one
    first, second = np.minimum(one, other), np.maximum(one, other)
    turns_first, turned, label = dice[3] < 0.5, dice[4] < TURNED, (dice[5] < 0.5).astype(np.int64)
    negation = np.where(turns_first, first, second)
    first += turns_first * (gap + 1)
    second += gap + 1
    said = (dice[6:] * len(POSITIVE)).astype(np.int64)  # (2, B), which word of its kind
    praised = np.stack([label ^ (turned & turns_first), label ^ (turned & ~turns_first)])
    said += len(NEGATIVE) * praised
    words = rng.integers(len(NEGATIVE) + len(POSITIVE), NOT, (length, batch_size))  # (T, B)
    words[first, every], words[second, every] = said
    words[negation[turned], every[turned]] = NOT
    words[np.arange(length)[:, None] >= lengths] = len(WORDS)
    return Batch(_ONE_HOT.take(words, 0), label, lengths)  # (T, B, I), (B,)


def describe(inputs: np.ndarray, target: np.ndarray) -> str:
    """ "the film was not really good ... -> negative"."""
    return f"{' '.join(WORDS[k] for k in inputs.argmax(1))} → {CLASSES[int(target)]}"


def _misfit(setup: Setup) -> tuple[str, str] | None:
    if setup.gap + 3 <= setup.length:
        return None
    return "gap", (
        f"`gap` must be at most `length` - 3: a review holds “not”, the gap and two judgements. "
        f"Got a gap of {setup.gap} in {setup.length} words."
    )


SENTIMENT = Task(
    name="sentiment",
    title="Tell praise from blame",
    verb="tell praise from blame",
    explanation="A short film review goes by word by word; at its end the network must say whether it praises or blames. "
    "“Not” turns the next judgement round, words later, so that counting good and bad words is right in only "
    f"{100 * BAG_OF_WORDS:.0f} % of the reviews: the “not” has to be remembered.",
    citation="toy form; negation in reviews: Pang, Lee & Vaithyanathan 2002",
    input_names=WORDS,
    output_names=CLASSES,
    answers="once",
    loss="cross_entropy",
    sample=sample,
    baseline=lambda setup: Yardstick(float(np.log(2)), "tossing a coin", "loss"),
    solved=lambda setup: Yardstick(0.95, "solved", "accuracy"),
    describe=describe,
    shortest=13,
    longest=100,
    defaults={"length": 24, "gap": 10},
    options=("gap",),
    misfit=_misfit,
    picture="words",
)
