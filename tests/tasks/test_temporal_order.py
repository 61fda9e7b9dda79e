import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.tasks import TASKS, Setup

TASK = TASKS["temporal_order"]


@given(length=st.integers(10, 120), seed=st.integers(0, 10**6))
def test_the_class_is_read_off_the_two_meaningful_symbols(length: int, seed: int) -> None:
    inputs, targets, *_ = TASK.sample(np.random.default_rng(seed), 9, Setup(length))
    assert (inputs.sum(2) == 1).all()
    assert set(np.unique(inputs)) == {0, 1}
    for b in range(9):
        names = [TASK.input_names[k] for k in inputs[:, b].argmax(1)]
        places = [t for t, name in enumerate(names) if name in "XY"]
        assert len(places) == 2
        early, late = places
        assert length // 10 <= early < length // 5
        assert length // 2 <= late < length * 6 // 10
        assert TASK.output_names[targets[b]] == names[early] + names[late]


def test_windows_are_those_of_the_paper_at_a_hundred_steps() -> None:
    inputs, *_ = TASK.sample(np.random.default_rng(0), 3000, Setup(100))
    meaningful = inputs[..., :2].sum(2).any(1).nonzero()[0]
    assert meaningful.tolist() == [*range(10, 20), *range(50, 60)]


def test_classes_and_letters_are_equally_frequent() -> None:
    inputs, targets, *_ = TASK.sample(np.random.default_rng(0), 40_000, Setup(20))
    assert abs(np.bincount(targets, minlength=4) / 10_000 - 1).max() < 0.05
    letters = inputs[..., 2:].sum((0, 1))
    assert abs(letters / letters.mean() - 1).max() < 0.02


def test_guessing_one_of_four_scores_the_declared_baseline() -> None:
    _, targets, *_ = TASK.sample(np.random.default_rng(0), 1000, Setup(20))
    p = np.full((1000, 4), 0.25)
    assert TASK.baseline(Setup(20)).value == pytest.approx(-np.log(p[np.arange(1000), targets]).mean(), rel=1e-12)
    assert TASK.solved(Setup(20)) == (0.99, "solved", "accuracy")
