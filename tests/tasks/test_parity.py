import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.tasks import TASKS, Setup

PARITY = TASKS["parity"]


@given(length=st.integers(4, 80), seed=st.integers(0, 10**6))
def test_the_target_says_whether_the_number_of_plus_ones_so_far_is_odd(length: int, seed: int) -> None:
    batch = PARITY.sample(np.random.default_rng(seed), 5, Setup(length))
    assert set(np.unique(batch.inputs)) <= {-1, 1}
    for b in range(5):
        count = 0
        for t in range(length):
            count += batch.inputs[t, b, 0] == 1
            assert PARITY.output_names[batch.targets[t, b]] == ("odd" if count % 2 else "even")
    assert batch.scored is None
    assert batch.lengths is None


def test_answers_are_fair_coins_even_to_one_who_sees_the_input_of_the_step() -> None:
    batch = PARITY.sample(np.random.default_rng(0), 20_000, Setup(6))
    for t in range(1, 6):
        for sign in (-1, 1):
            assert abs(batch.targets[t][batch.inputs[t, :, 0] == sign].mean() - 0.5) < 0.02


def test_guessing_even_or_odd_scores_the_declared_baseline() -> None:
    targets = PARITY.sample(np.random.default_rng(0), 100, Setup(20)).targets
    p = np.full(2, 0.5)
    assert PARITY.baseline(Setup(20)).value == pytest.approx(-np.log(p[targets]).mean(), rel=1e-12)
    assert PARITY.solved(Setup(20)) == (0.99, "solved", "accuracy")


def test_a_description_shows_signs_and_answers() -> None:
    inputs = np.array([[1], [-1], [-1], [1], [-1]], np.float32)
    assert PARITY.describe(inputs, np.array([1, 1, 1, 0, 0])) == "+−−+− → 11100"
