from collections import Counter
from math import log
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.errors import RnnvizError
from rnnviz.tasks import TASKS, Setup
from rnnviz.tasks.text import CHARACTERS, TEXT, decode, encode

TASK = TASKS["text"]
PAIRS = Counter(zip(TEXT, TEXT[1:] + TEXT[0], strict=True))  # after the last character comes the first again
SINGLES = Counter(TEXT)


@given(length=st.integers(4, 500), seed=st.integers(0, 10**6))
def test_a_window_is_a_piece_of_the_text_and_its_targets_the_piece_one_further(length: int, seed: int) -> None:
    batch = TASK.sample(np.random.default_rng(seed), 5, Setup(length))
    assert batch.inputs.shape == (length, 5, len(CHARACTERS))
    assert (batch.inputs.sum(2) == 1).all()
    assert set(np.unique(batch.inputs)) == {0, 1}
    ring = TEXT + TEXT[: length + 1]
    for b in range(5):
        read, wanted = decode(batch.inputs[:, b].argmax(1)), decode(batch.targets[:, b])
        assert read[1:] == wanted[:-1]
        assert read + wanted[-1] in ring


def test_every_place_of_the_text_is_drawn_equally_often() -> None:
    # A window of this length occurs only once in the text, so that it says where it was taken.
    length, count = 200, 5000
    batch = TASK.sample(np.random.default_rng(0), count, Setup(length))
    ring = TEXT + TEXT[:length]
    place = {ring[k : k + length]: k for k in range(len(TEXT))}
    assert len(place) == len(TEXT)
    places = np.array([place[decode(codes)] for codes in batch.inputs.argmax(2).T])
    tenths = np.bincount(places * 10 // len(TEXT), minlength=10)
    assert abs(tenths / (count / 10) - 1).max() < 0.2
    assert places.min() < 10
    assert places.max() > len(TEXT) - 10


def test_the_yardsticks_are_the_entropies_of_letters_and_of_letters_after_letters() -> None:
    N = len(TEXT)
    of_one = -sum(n / N * log(n / N) for n in SINGLES.values())
    after_one = -sum(n / N * log(n / SINGLES[first]) for (first, _), n in PAIRS.items())
    baseline, solved = TASK.baseline(Setup(40)), TASK.solved(Setup(40))
    assert baseline == (pytest.approx(of_one), "knowing how common each letter is", "loss")
    assert solved == (pytest.approx(after_one), "better than a table of letter pairs", "loss")
    assert solved.value < 0.7 * baseline.value


def test_the_tables_score_their_entropies_on_drawn_windows() -> None:
    batch = TASK.sample(np.random.default_rng(1), 4000, Setup(40))
    read, wanted = batch.inputs.argmax(2), batch.targets
    single = np.array([SINGLES[c] for c in CHARACTERS]) / len(TEXT)
    pair = np.array([[PAIRS[a, b] / SINGLES[a] for b in CHARACTERS] for a in CHARACTERS])
    for losses, yardstick in (
        (-np.log(single[wanted]), TASK.baseline(Setup(40))),
        (-np.log(pair[read, wanted]), TASK.solved(Setup(40))),
    ):
        each = losses.mean(0)
        assert abs(each.mean() - yardstick.value) < 4 * each.std() / np.sqrt(len(each))


@given(st.text(alphabet=CHARACTERS))
def test_what_is_encoded_can_be_decoded(text: str) -> None:
    codes = encode(text)
    assert codes.dtype == np.int64
    assert codes.shape == (len(text),)
    assert decode(codes) == text


def test_characters_the_text_does_not_have_are_named() -> None:
    with pytest.raises(RnnvizError, match="Got '!Z'"):
        encode("the Zoo!")


def test_the_text_is_small_plain_and_ends_with_a_line() -> None:
    raw = Path(__file__).parents[2].joinpath("rnnviz", "tasks", "text.txt").read_bytes()
    assert raw.decode("ascii") == TEXT
    assert 6000 <= len(TEXT) <= 10_000
    assert len(CHARACTERS) <= 32
    assert set(CHARACTERS) <= set("abcdefghijklmnopqrstuvwxyz ,.\n")
    assert TEXT.endswith("\n")
    assert not any(line.endswith(" ") or "  " in line for line in TEXT.splitlines())


def test_names_and_descriptions_make_white_space_visible() -> None:
    assert len(set(TASK.input_names)) == len(CHARACTERS)
    assert TASK.input_names == TASK.output_names
    assert not any(name.isspace() for name in TASK.input_names)
    inputs = np.eye(len(CHARACTERS))[encode("the rain.")]
    assert TASK.describe(inputs, encode("he rain.\n")) == "the␣rain. → ↵"
