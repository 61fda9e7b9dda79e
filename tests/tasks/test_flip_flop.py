import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.tasks import TASKS, Setup

TASK = TASKS["flip_flop"]


@given(length=st.integers(4, 80), gap=st.integers(2, 20), seed=st.integers(0, 10**6))
def test_every_output_is_the_last_pulse_of_its_channel(length: int, gap: int, seed: int) -> None:
    batch = TASK.sample(np.random.default_rng(seed), 4, Setup(length, gap=gap))
    assert set(np.unique(batch.inputs)) <= {-1, 0, 1}
    assert batch.inputs[0].all(), "so there is something to remember from the start"
    for b in range(4):
        last = np.zeros(3)
        for t in range(length):
            for k in range(3):
                if batch.inputs[t, b, k]:
                    last[k] = batch.inputs[t, b, k]
            assert (batch.targets[t, b] == last).all()
    assert batch.scored is None


@pytest.mark.parametrize("gap", [2, 5, 20])
def test_pulses_are_fair_independent_and_the_declared_gap_apart(gap: int) -> None:
    x = TASK.sample(np.random.default_rng(0), 5000, Setup(21, gap=gap)).inputs.astype(np.float64)
    later = x[1:].reshape(-1)
    rate = (later != 0).mean()
    assert abs(rate - 1 / gap) < 4 * np.sqrt(1 / gap / later.size)
    assert abs(later.mean()) < 4 * np.sqrt(1 / gap / later.size)
    flat = x.reshape(21, -1)
    assert abs((flat[1:] * flat[:-1]).mean()) < 4 / np.sqrt(later.size), "a sign says nothing about the one before"
    assert abs((x[..., 0] * x[..., 1]).mean()) < 4 / np.sqrt(21 * 5000)


@pytest.mark.parametrize(("length", "gap"), [(4, 2), (50, 5), (30, 20)])
def test_repeating_the_pulses_scores_the_declared_baseline_and_beats_always_saying_0(length: int, gap: int) -> None:
    batch = TASK.sample(np.random.default_rng(1), 6000, Setup(length, gap=gap))
    each = ((batch.targets - batch.inputs) ** 2).mean((0, 2))
    baseline = TASK.baseline(Setup(length, gap=gap))
    assert abs(each.mean() - baseline.value) < 4 * each.std() / np.sqrt(6000)
    assert baseline.value == pytest.approx((1 - 1 / gap) * (length - 1) / length)
    assert baseline.value < 1
    assert (batch.targets**2).mean() == 1
    # What does best where there is no pulse: nothing but 0.
    unseen = (batch.inputs == 0)[1:]
    assert abs(batch.targets[1:][unseen].mean()) < 0.03
    assert TASK.solved(Setup(length, gap=gap)) == (0.005, "solved", "loss")


def test_a_pulse_at_every_step_is_refused() -> None:
    assert TASK.misfit(Setup(50, gap=1)) == ("gap", "`gap` must be at least 2 for the task flip_flop. Got 1.")
    assert TASK.misfit(Setup(50, gap=2)) is None


def test_a_description_names_the_bits_and_when_they_were_seen() -> None:
    inputs = np.array([[1, 1, -1], [0, -1, 0], [0, 0, 0], [0, 0, 1]], np.float32)
    targets = np.array([[1, 1, -1], [1, -1, -1], [1, -1, -1], [1, -1, 1]], np.float32)
    assert TASK.describe(inputs, targets) == "last pulses +, −, +, seen 3, 2, 0 steps ago"
