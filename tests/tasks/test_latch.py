import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.tasks import TASKS, Setup

LATCH = TASKS["latch"]


@given(length=st.integers(4, 90), noise=st.floats(0, 2), seed=st.integers(0, 10**6))
def test_the_first_value_decides_and_noise_follows_up_to_the_true_length(length: int, noise: float, seed: int) -> None:
    batch = LATCH.sample(np.random.default_rng(seed), 9, Setup(length, noise=noise))
    for b in range(9):
        n = batch.lengths[b]
        assert max(length // 3, 2) <= n <= length
        assert batch.inputs[0, b, 0] == (-1, 1)[batch.targets[b]]
        assert not batch.inputs[n:, b].any()
        assert (batch.inputs[1:n, b] != 0).all() or noise < 1e-6


@pytest.mark.parametrize("noise", [0.0, 0.2, 1.5])
def test_the_noise_is_white_and_gaussian_with_the_declared_deviation_and_says_nothing_about_the_class(
    noise: float,
) -> None:
    batch = LATCH.sample(np.random.default_rng(0), 20_000, Setup(9, noise=noise))
    x = batch.inputs[1:3, :, 0].astype(np.float64)  # within every true length
    assert abs(x.mean()) <= 4 * noise / np.sqrt(x.size)
    assert abs((x**2).mean() - noise**2) <= 4 * np.sqrt(2) * noise**2 / np.sqrt(x.size)
    assert abs((x**4).mean() - 3 * noise**4) <= 4 * np.sqrt(96) * noise**4 / np.sqrt(x.size)
    assert abs((x[0] * x[1]).mean()) <= 4 * noise**2 / np.sqrt(x.shape[1])
    assert abs((x[0] * (2 * batch.targets - 1)).mean()) <= 4 * noise / np.sqrt(x.shape[1])


def test_classes_and_lengths_are_equally_frequent() -> None:
    batch = LATCH.sample(np.random.default_rng(0), 40_000, Setup(12))
    assert abs(batch.targets.mean() - 0.5) < 0.01
    counts = np.bincount(batch.lengths, minlength=13)
    assert not counts[:4].any()
    assert abs(counts[4:] / (40_000 / 9) - 1).max() < 0.07
    assert abs(np.corrcoef(batch.lengths, batch.targets)[0, 1]) < 0.02


def test_guessing_one_of_two_scores_the_declared_baseline() -> None:
    targets = LATCH.sample(np.random.default_rng(0), 100, Setup(20)).targets
    p = np.full(2, 0.5)
    assert LATCH.baseline(Setup(20)).value == pytest.approx(-np.log(p[targets]).mean(), rel=1e-12)
    assert LATCH.solved(Setup(20)) == (0.99, "solved", "accuracy")


def test_a_description_names_the_first_value_and_how_long_it_has_to_be_kept() -> None:
    inputs = np.array([[-1], [0.3], [0.1], [-0.2]], np.float32)
    assert LATCH.describe(inputs, np.int64(0)) == "−1, then 3 steps of noise → −1"
