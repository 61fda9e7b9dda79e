import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.tasks import TASKS, Setup

TASK = TASKS["xor_last"]


@given(length=st.integers(4, 80), seed=st.integers(0, 10**6))
def test_the_target_says_whether_the_bit_differs_from_the_last(length: int, seed: int) -> None:
    batch = TASK.sample(np.random.default_rng(seed), 5, Setup(length))
    assert set(np.unique(batch.inputs)) <= {-1, 1}
    for b in range(5):
        bits = batch.inputs[:, b, 0]
        for t in range(length):
            assert TASK.output_names[batch.targets[t, b]] == ("same" if bits[t] == bits[-1] else "different")
    assert batch.scored is None
    assert batch.lengths is None


def test_bits_are_fair_and_independent() -> None:
    x = TASK.sample(np.random.default_rng(0), 20_000, Setup(5)).inputs[..., 0]
    assert abs(np.corrcoef(x) - np.eye(5)).max() < 0.03
    assert abs(x.mean(1)).max() < 0.03


@pytest.mark.parametrize("length", [4, 50])
def test_the_best_that_reads_forward_scores_the_declared_baseline_and_one_that_reads_backward_nothing(
    length: int,
) -> None:
    batch = TASK.sample(np.random.default_rng(0), 200, Setup(length))
    forward = np.full((length, 200), 0.5)  # probability of "different": a fair coin until the last bit is there
    forward[-1] = 0
    backward = (batch.inputs[..., 0] != batch.inputs[-1, :, 0]).astype(float)
    losses = [-np.log(np.where(batch.targets == 1, p, 1 - p)).mean() for p in (forward, backward)]
    assert TASK.baseline(Setup(length)).value == pytest.approx(losses[0], rel=1e-12)
    assert losses[1] == 0
    assert TASK.solved(Setup(length)) == (0.99, "solved", "accuracy")


def test_a_description_shows_signs_and_answers() -> None:
    inputs = np.array([[1], [-1], [-1], [1], [-1]], np.float32)
    assert TASK.describe(inputs, np.array([1, 0, 0, 1, 0])) == "+−−+− → 10010"
