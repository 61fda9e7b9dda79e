import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.tasks import TASKS, Setup

ADDING = TASKS["adding"]


@given(length=st.integers(4, 60), seed=st.integers(0, 10**6))
def test_the_target_is_the_sum_of_one_marked_value_from_each_half(length: int, seed: int) -> None:
    inputs, targets, *_ = ADDING.sample(np.random.default_rng(seed), 9, Setup(length))
    values, marks = inputs[..., 0], inputs[..., 1]
    assert set(np.unique(marks)) == {0, 1}
    assert (marks[: length // 2].sum(0) == 1).all()
    assert (marks[length // 2 :].sum(0) == 1).all()
    for b in range(9):
        first, second = (t for t in range(length) if marks[t, b] == 1)
        assert targets[b, 0] == values[first, b] + values[second, b]
    assert values.min() >= 0
    assert values.max() < 1


def test_marks_fall_anywhere_in_their_half_and_values_are_uniform() -> None:
    inputs, *_ = ADDING.sample(np.random.default_rng(0), 20_000, Setup(11))
    counts = inputs[..., 1].sum(1)
    assert abs(counts[:5] / 4000 - 1).max() < 0.1  # 5 steps in the first half, 6 in the second
    assert abs(counts[5:] / (20_000 / 6) - 1).max() < 0.1
    values = inputs[..., 0].ravel()
    assert abs(values.mean() - 0.5) < 0.003
    assert abs(values.var() - 1 / 12) < 0.001


def test_always_guessing_one_scores_the_declared_baseline() -> None:
    _, targets, *_ = ADDING.sample(np.random.default_rng(1), 200_000, Setup(20))
    errors = (targets[:, 0].astype(np.float64) - 1) ** 2
    baseline = ADDING.baseline(Setup(20))
    assert baseline.value == 1 / 6
    assert baseline.name == "always guessing 1"
    assert abs(errors.mean() - baseline.value) < 4 * errors.std() / np.sqrt(len(errors))
    assert abs(targets.mean() - 1) < 0.005, "no other constant does better"
    assert ADDING.solved(Setup(20)).value == 0.01
