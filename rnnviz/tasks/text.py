"""Text, one character at a time: which comes next? A network that knows can also write."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np

from rnnviz.errors import RnnvizError
from rnnviz.tasks.base import Batch, Setup, Task, Yardstick

TEXT = Path(__file__).with_name("text.txt").read_text("utf-8")
CHARACTERS = "".join(sorted(set(TEXT)))
SHOWN = {" ": "␣", "\n": "↵"}  # characters that could not be seen alone
LONGEST = 500  # steps


def encode(text: str) -> np.ndarray:
    """(len(text),) int64, the number of each character.

    Raises:
        RnnvizError: if the bundled text, all that a network here can know, lacks a character.
    """
    if unknown := sorted(set(text) - set(CHARACTERS)):
        raise RnnvizError(
            f"`text` must consist of the characters {''.join(SHOWN.get(c, c) for c in CHARACTERS)} only. "
            f"Got {''.join(unknown)!r}."
        )
    return np.array([CHARACTERS.index(character) for character in text], np.int64)


def decode(codes: Iterable[int]) -> str:
    """The text whose characters have these numbers."""
    return "".join(CHARACTERS[code] for code in codes)


@lru_cache(maxsize=1)
def _ring() -> tuple[np.ndarray, np.ndarray]:
    """The text once and its beginning again, (N + longest + 1,) numbers and (N + longest, K) float32 one-hot.

    After the last character the first follows, so that every character is drawn equally often.
    """
    codes = encode(TEXT)
    codes = np.concatenate([codes, codes[: LONGEST + 1]])
    return codes, np.eye(len(CHARACTERS), dtype=np.float32)[codes[:-1]]


def sample(rng: np.random.Generator, batch_size: int, setup: Setup) -> Batch:
    """A window of the text from a random place, and for each of its characters the next one."""
    codes, one_hot = _ring()
    places = rng.integers(0, len(TEXT), batch_size) + np.arange(setup.length)[:, None]  # (T, B)
    return Batch(one_hot.take(places, 0), codes.take(places + 1))


@lru_cache(maxsize=1)
def entropies() -> tuple[float, float]:
    """How uncertain a character of the text is, in nats: by itself, and to someone who knows the one before it."""
    codes = encode(TEXT)
    pairs = np.zeros((len(CHARACTERS), len(CHARACTERS)))
    np.add.at(pairs, (codes, np.roll(codes, -1)), 1 / len(codes))
    of_one, of_two = (float(-(p[p > 0] * np.log(p[p > 0])).sum()) for p in (pairs.sum(1), pairs))
    return of_one, of_two - of_one


def describe(inputs: np.ndarray, target: np.ndarray) -> str:
    """ "the river remembe -> r": the window, and what follows it."""
    read = "".join(SHOWN.get(c, c) for c in decode([*inputs.argmax(1), target[-1]]))
    return f"{read[:-1]} → {read[-1]}"


TEXT_TASK = Task(
    name="text",
    title="Guess the next letter",
    verb="guess the next letter",
    explanation="The network reads a short story letter by letter and after each one must guess the next; the first letters "
    "of a word say how it goes on, the words before say which come next. Fed with its own guesses it writes by itself.",
    citation="Elman 1990 (letters in words); Sutskever, Martens & Hinton 2011",
    input_names=tuple(SHOWN.get(c, c) for c in CHARACTERS),
    output_names=tuple(SHOWN.get(c, c) for c in CHARACTERS),
    answers="every",
    loss="cross_entropy",
    sample=sample,
    baseline=lambda setup: Yardstick(entropies()[0], "knowing how common each letter is", "loss"),
    solved=lambda setup: Yardstick(entropies()[1], "better than a table of letter pairs", "loss"),
    describe=describe,
    shortest=4,
    longest=LONGEST,
    defaults={"length": 40},
    leaks=True,
)
