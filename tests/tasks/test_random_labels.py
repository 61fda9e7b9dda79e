import numpy as np
import pytest

from rnnviz.tasks import TASKS, Setup

TASK = TASKS["random_labels"]


def examples(count: int, seed: int, length: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Every number of an example and a constant, (count, 10 T + 1) float64, and its label as -1 or 1."""
    batch = TASK.sample(np.random.default_rng(seed), count, Setup(length))
    flat = batch.inputs.transpose(1, 0, 2).reshape(count, -1).astype(np.float64)
    return np.column_stack([flat, np.ones(count)]), 2.0 * batch.targets - 1


def test_inputs_are_standard_normal_and_labels_are_fair_coins() -> None:
    features, labels = examples(8000, 0)
    numbers = features[:, :-1]
    assert features.shape[1] == 5 * 10 + 1
    assert abs(numbers.mean()) < 4 / np.sqrt(numbers.size)
    assert abs((numbers**2).mean() - 1) < 4 * np.sqrt(2 / numbers.size)
    assert abs((numbers**4).mean() - 3) < 4 * np.sqrt(96 / numbers.size)
    assert set(labels) == {-1, 1}
    assert abs(labels.mean()) < 4 / np.sqrt(8000)
    assert abs(np.corrcoef(numbers.T) - np.eye(50)).max() < 5 / np.sqrt(8000)


def test_a_few_examples_can_be_learned_by_heart_and_teach_nothing_about_fresh_ones() -> None:
    features, labels = examples(40, 1)
    weights = np.linalg.lstsq(features, labels, rcond=None)[0]
    assert (np.sign(features @ weights) == labels).all()
    fresh, truth = examples(8000, 2)
    assert abs((np.sign(fresh @ weights) == truth).mean() - 0.5) < 4 * 0.5 / np.sqrt(8000)


def test_many_examples_teach_nothing_either() -> None:
    features, labels = examples(8000, 3)
    weights = np.linalg.lstsq(features, labels, rcond=None)[0]
    fresh, truth = examples(8000, 4)
    assert abs((np.sign(fresh @ weights) == truth).mean() - 0.5) < 4 * 0.5 / np.sqrt(8000)


def test_tossing_a_coin_is_the_baseline_and_nothing_counts_as_solved() -> None:
    targets = TASK.sample(np.random.default_rng(0), 100, Setup(5)).targets
    p = np.full(2, 0.5)
    assert TASK.baseline(Setup(5)).value == pytest.approx(-np.log(p[targets]).mean(), rel=1e-12)
    assert TASK.solved(Setup(5)) is None
    assert TASK.defaults == {"length": 5, "examples": 64}


def test_a_description_has_a_line_for_every_step_and_one_for_the_label() -> None:
    text = TASK.describe(np.array([[0.5, -1.25], [2, 0]], np.float32), np.int64(1))
    assert text == " 0.5 -1.2\n 2.0  0.0\n→ tails"
