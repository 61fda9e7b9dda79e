import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.tasks import TASKS, Setup

REVERSE = TASKS["reverse"]


@given(length=st.integers(2, 50), seed=st.integers(0, 10**6))
def test_the_target_is_the_word_read_from_its_end(length: int, seed: int) -> None:
    batch = REVERSE.sample(np.random.default_rng(seed), 9, Setup(length))
    assert batch.inputs.shape == (length, 9, 8)
    assert batch.targets.shape == (length, 9)
    assert batch.targets.dtype == np.int64
    assert (batch.inputs.sum(2) == 1).all()
    assert set(np.unique(batch.inputs)) == {0, 1}
    for b in range(9):
        word = [REVERSE.input_names[k] for k in batch.inputs[:, b].argmax(1)]
        assert [REVERSE.output_names[k] for k in batch.targets[:, b]] == list(reversed(word))


def test_symbols_are_equally_frequent_and_independent() -> None:
    symbols = REVERSE.sample(np.random.default_rng(0), 40_000, Setup(3)).targets
    for t in range(3):
        assert abs(np.bincount(symbols[t], minlength=8) / 5000 - 1).max() < 0.06
    pairs = np.bincount(8 * symbols[0] + symbols[1], minlength=64)
    assert abs(pairs / 625 - 1).max() < 0.2


def test_guessing_one_of_eight_scores_the_declared_baseline() -> None:
    targets = REVERSE.sample(np.random.default_rng(0), 100, Setup(8)).targets
    p = np.full(8, 1 / 8)
    assert REVERSE.baseline(Setup(8)).value == pytest.approx(-np.log(p[targets]).mean(), rel=1e-12)
    assert REVERSE.solved(Setup(8)) == (0.995, "solved", "accuracy")


def test_a_description_shows_the_word_both_ways() -> None:
    assert REVERSE.describe(np.eye(8, dtype=np.float32)[[7, 0, 1]], np.array([1, 0, 7])) == "hab → bah"
