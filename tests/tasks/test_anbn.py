import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.tasks import TASKS, Batch, Setup

ANBN = TASKS["anbn"]


def check_strings(batch: Batch) -> list[int]:
    """Reads every string letter by letter; returns the n found."""
    found = []
    for b in range(batch.inputs.shape[1]):
        length = batch.lengths[b]
        letters = ["ab"[k] for k in batch.inputs[:length, b].argmax(1)]
        assert (batch.inputs[:length, b].sum(1) == 1).all()
        n = letters.count("a")
        assert letters == ["a"] * n + ["b"] * n
        following = [*letters[1:], "end"]
        for t, letter in enumerate(letters):
            assert batch.scored[t, b] == (letter == "b"), "after an a nobody can know"
            assert ANBN.output_names[batch.targets[t, b]] == following[t]
        assert not batch.scored[length:, b].any()
        assert not batch.inputs[length:, b].any()
        found.append(n)
    return found


@given(length=st.integers(4, 90), seed=st.integers(0, 10**6))
def test_as_many_b_as_a_and_the_end_is_asked_for_where_it_can_be_known(length: int, seed: int) -> None:
    n = check_strings(ANBN.sample(np.random.default_rng(seed), 6, Setup(length)))
    assert min(n) >= 1
    assert max(n) <= length // 2


def test_every_n_is_equally_frequent() -> None:
    lengths = ANBN.sample(np.random.default_rng(0), 20_000, Setup(21)).lengths
    assert abs(np.bincount(lengths // 2, minlength=11)[1:] / 2000 - 1).max() < 0.1


@pytest.mark.parametrize(("length", "largest"), [(4, 4), (20, 20), (32, 32), (60, 60), (2000, 1050)])
def test_the_exam_goes_beyond_the_trained_numbers(length: int, largest: int) -> None:
    batch = ANBN.exam.batch(Setup(length))
    n = check_strings(batch)
    assert n[0] == 1
    assert n[-1] == largest
    assert len(batch.inputs) == 2 * largest
    if largest <= 32:
        assert n == [*range(1, largest + 1)]
    else:
        assert len(n) == 32
        assert max(np.diff(n)) - min(np.diff(n)) <= 1
    assert any(m > length // 2 for m in n)
    assert ANBN.solved(Setup(length)).value == length // 2 + 1
    assert ANBN.baseline(Setup(length)) is None


@pytest.mark.parametrize("wrong", [1, 2, 7, 13, 20])
def test_the_mark_is_the_largest_n_before_the_first_slip(wrong: int) -> None:
    batch = ANBN.exam.batch(Setup(20))
    outputs = np.eye(3, dtype=np.float32)[batch.targets]
    assert ANBN.exam.mark(outputs, batch) == 20
    outputs[~batch.scored] = outputs[~batch.scored][:, ::-1]
    assert ANBN.exam.mark(outputs, batch) == 20, "what nobody can know is not asked"
    b = wrong - 1
    outputs[2 * wrong - 1, b] = [0, 1, 0]  # one b too many
    assert ANBN.exam.mark(outputs, batch) == wrong - 1
    if wrong < 20:
        outputs[2 * wrong + 1, b + 1] = [0, 1, 0]
        assert ANBN.exam.mark(outputs, batch) == wrong - 1, "the first slip counts"


def test_a_mark_among_spread_numbers_is_one_that_was_tested() -> None:
    batch = ANBN.exam.batch(Setup(200))
    outputs = np.eye(3, dtype=np.float32)[batch.targets]
    outputs[:, 5] = [1, 0, 0]
    assert ANBN.exam.mark(outputs, batch) == batch.lengths[4] // 2


def test_a_network_that_never_ends_or_ends_at_once_gets_no_mark() -> None:
    batch = ANBN.exam.batch(Setup(20))
    always = np.zeros((*batch.targets.shape, 3), np.float32)
    for k, mark in ((0, 0), (1, 0), (2, 1)):  # the end right after the first b is right for n = 1
        said = always.copy()
        said[..., k] = 1
        assert ANBN.exam.mark(said, batch) == mark


def test_a_description_is_the_string() -> None:
    inputs = np.eye(2, dtype=np.float32)[[0, 0, 1, 1]]
    assert ANBN.describe(inputs, np.array([0, 1, 1, 2])) == "aabb, then the end"
