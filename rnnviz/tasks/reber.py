"""The embedded Reber grammar: predict the next letter, and the last but one from the second.

    inner:  B (T or P) ... E, see `GRAMMAR`          outer:  B T inner T E   or   B P inner P E

Every choice is a fair coin, so the inner part, which is all the time the outer T or P has to be remembered, has a random
length: 5 letters at least, 8 on average.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from rnnviz.tasks.base import Batch, Setup, Task, Yardstick

LETTERS = "BTPSXVE"
PADDING = len(LETTERS)
B_, T_, P_, S_, X_, V_, E_ = range(len(LETTERS))
START, UPPER, LOWER, UPPER_OUT, LOWER_OUT, DONE = range(6)
GRAMMAR = {  # state -> (letter, next state) for either side of the coin, after the B and before the E
    START: ((T_, UPPER), (P_, LOWER)),
    UPPER: ((S_, UPPER), (X_, UPPER_OUT)),
    LOWER: ((T_, LOWER), (V_, LOWER_OUT)),
    UPPER_OUT: ((X_, LOWER), (S_, DONE)),
    LOWER_OUT: ((P_, UPPER_OUT), (V_, DONE)),
}
SAID = np.array([[letter for letter, _ in sides] for sides in GRAMMAR.values()])  # (state, coin)
ONE_HOT = np.eye(PADDING + 1, PADDING, dtype=np.float32)  # the padding is a row of zeros


def sample(rng: np.random.Generator, batch_size: int, setup: Setup) -> Batch:
    """Strings of the grammar without their last letter, and the letter that follows each; longer ones are cut after T.

    The walk through the grammar is read off all coins at once. UPPER and LOWER are left on the first 1; from LOWER_OUT the
    next 1 ends, from UPPER_OUT the next but one (if that 1 came at LOWER). So a walk that is at LOWER ends on the first 1
    that has another 1 one or two steps before it, and until then every 1 is a step from LOWER to LOWER_OUT.
    """
    length, every = setup.length, np.arange(batch_size)
    coins = rng.integers(0, 2, (length - 2, batch_size))  # (choices, B)
    outer, start = rng.integers(T_, P_ + 1, batch_size), coins[0].copy()
    t = np.arange(length + 1)[:, None]
    ones = coins.copy()
    ones[0] = 0
    first = ones.argmax(0)  # 0 where there is none
    # A walk that begins at UPPER comes to UPPER_OUT on its first 1, as if that had come from LOWER one step earlier.
    moved = np.flatnonzero((start == 0) & (first > 0))
    ones[first[moved], moved] = 0
    ones[first[moved] - 1, moved] = 1
    before = np.zeros((length, batch_size), ones.dtype)
    before[2:] = ones
    one_ago, two_ago = before[1:-1], before[:-2]
    ends = ones & (one_ago | two_ago)
    choices = np.where(ends.any(0), ends.argmax(0) + 1, length)  # (B,), more than fit where the walk goes on
    state = np.where(one_ago, LOWER_OUT, np.where(two_ago, UPPER_OUT, LOWER))
    still_upper = t[: length - 2] <= np.where(start == 0, np.where(first > 0, first, length), 0)
    state[still_upper] = UPPER
    state[0] = START
    letters = np.zeros((length + 6, batch_size), np.int64)  # (positions, B), with room for an end beyond T
    letters[0] = letters[2] = B_
    letters[1] = outer
    letters[3 : length + 1] = SAID[state, coins]
    letters[choices + 3, every] = letters[choices + 5, every] = E_
    letters[choices + 4, every] = outer
    lengths = np.minimum(choices + 5, length)
    scored = t[:length] < lengths  # (T, B)
    inputs = ONE_HOT.take(np.where(scored, letters[:length], PADDING), 0)  # (T, B, 7)
    return Batch(inputs, np.where(scored, letters[1 : length + 1], 0), lengths, scored)


@lru_cache(maxsize=64)
def _chances(longest: int) -> np.ndarray:
    """(longest + 1,) probability that an inner string takes k = 0, 1, ... choices; the last also covers all above it."""
    found = np.zeros(longest + 1)
    here = {START: 1.0}
    for k in range(1, longest):
        there = dict.fromkeys(range(len(GRAMMAR) + 1), 0.0)
        for state, chance in here.items():
            for _, following in GRAMMAR[state]:
                there[following] += chance / 2
        found[k] = there.pop(DONE)
        here = there
    found[longest] = 1 - found.sum()
    return found


def _coins(setup: Setup, with_first: bool) -> float:
    """Mean over strings of the share of its letters that cost ln 2. Without the memory of the first, one more does."""
    T = setup.length
    k = np.arange(T + 1)  # strings of T choices or more are all cut alike
    letters = np.minimum(k + 5, T)
    coins = np.minimum(k + 1, T - 1) + ((k + 4 <= T) & (not with_first))
    return float(_chances(T) @ (coins / letters))


def optimum(setup: Setup) -> float:
    """The loss of a network that knows the grammar and remembers, in nats.

    A string with k inner choices has k + 5 next letters to predict: k + 1 are a coin's and cost ln 2 each, the others are
    certain. k is 6 on average, so the mean over all letters of the language is 7 ln 2 / 11 = .4411 nats. The loss here,
    however, is a mean over strings of the mean within each, in which the letters of short strings weigh more:
    E[(k + 1) / (k + 5)] ln 2 = .4228 nats. (Because of that weight, believing a little more in early endings than the fair
    coins warrant would save another .7 %.) Strings cut after T have lost their certain end.
    """
    return _coins(setup, with_first=True) * float(np.log(2))


def _baseline(setup: Setup) -> Yardstick:
    """All of the grammar but the outer letter, which takes a memory across the inner string."""
    return Yardstick(_coins(setup, with_first=False) * float(np.log(2)), "forgetting the second letter", "loss")


def describe(inputs: np.ndarray, target: np.ndarray) -> str:
    """Such as "BTBPVVETE"; of a string cut short, only its beginning."""
    return "".join(LETTERS[k] for k in (*inputs.argmax(1), target[-1]))


REBER = Task(
    name="reber",
    title="Predict an embedded Reber grammar",
    verb="predict an embedded Reber grammar",
    explanation="Strings of letters go by, made by a small grammar that tosses a coin wherever two letters are allowed, and "
    "at every step the network must say what comes next. The last letter but one is always the same as the second, so that "
    "one has to be remembered across all between.",
    citation="Cleeremans, Servan-Schreiber & McClelland 1989; Hochreiter & Schmidhuber 1997, experiment 1",
    input_names=tuple(LETTERS),
    output_names=tuple(LETTERS),
    answers="every",
    loss="cross_entropy",
    sample=sample,
    baseline=_baseline,
    solved=lambda setup: Yardstick(1.02 * optimum(setup), "solved: the grammar's own coins + 2 %", "loss"),
    describe=describe,
    shortest=9,
    longest=60,  # two strings in a million are longer than 50
    defaults={"length": 30},
    leaks=True,
    picture="symbols",
)
