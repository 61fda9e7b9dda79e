import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.tasks import TASKS, Batch, Setup

DYCK = TASKS["dyck"]
PARTNER = {"(": ")", "[": "]"}


def check_brackets(batch: Batch) -> list[list[int]]:
    """Reads every sequence with a stack; returns how many brackets are open after each step."""
    found = []
    for b in range(batch.inputs.shape[1]):
        length = len(batch.inputs) if batch.lengths is None else batch.lengths[b]
        assert (batch.inputs[:length, b].sum(1) == 1).all()
        stack: list[str] = []
        depths = []
        for t in range(length):
            bracket = DYCK.input_names[batch.inputs[t, b].argmax()]
            if bracket in PARTNER:
                stack.append(PARTNER[bracket])
            else:
                assert stack.pop() == bracket
            assert DYCK.output_names[batch.targets[t, b]] == (stack[-1] if stack else "nothing")
            depths.append(len(stack))
        found.append(depths)
    return found


@given(length=st.integers(16, 130), seed=st.integers(0, 10**6))
def test_a_stack_reads_the_brackets_and_knows_the_answer(length: int, seed: int) -> None:
    batch = DYCK.sample(np.random.default_rng(seed), 5, Setup(length))
    depths = check_brackets(batch)
    assert max(map(max, depths)) <= min(max(length // 8, 2), 10)
    assert batch.scored is None
    assert batch.lengths is None


@pytest.mark.parametrize(("length", "deepest"), [(16, 2), (24, 3), (50, 6), (200, 10)])
def test_the_trained_depth_grows_with_the_length_and_is_reached(length: int, deepest: int) -> None:
    depths = check_brackets(DYCK.sample(np.random.default_rng(0), 200, Setup(length)))
    assert max(map(max, depths)) == deepest
    assert DYCK.solved(Setup(length)).value == deepest + 1
    assert DYCK.baseline(Setup(length)) is None


def test_opening_or_closing_and_the_kind_are_fair_coins_wherever_both_are_possible() -> None:
    batch = DYCK.sample(np.random.default_rng(0), 4000, Setup(24))
    brackets = batch.inputs.argmax(2)
    opening, kind = brackets < 2, brackets % 2
    depth = np.cumsum(np.where(opening, 1, -1), 0)
    for k in (1, 2):
        for before in range(4, 23):
            there = depth[before] == k
            if there.sum() > 300:
                assert abs(opening[before + 1][there].mean() - 0.5) < 2.5 / np.sqrt(there.sum())
    assert opening[0].all()
    assert opening[1:][depth[:-1] == 0].all()
    assert not opening[1:][depth[:-1] == 3].any()
    kinds = kind[opening]
    assert abs(kinds.mean() - 0.5) < 2 / np.sqrt(len(kinds))
    # A bracket opened at a depth says nothing about the one that was last opened there.
    pairs = []
    for b in range(4000):
        at_the_bottom = kind[(depth[:, b] == 1) & opening[:, b], b]
        pairs += [at_the_bottom[:2]] if len(at_the_bottom) > 1 else []
    assert len(pairs) > 2000
    assert abs(np.corrcoef(np.array(pairs).T)[0, 1]) < 4 / np.sqrt(len(pairs))


@pytest.mark.parametrize(("length", "trained"), [(16, 2), (24, 3), (100, 10)])
def test_the_exam_opens_to_twice_the_trained_depth_and_closes_again(length: int, trained: int) -> None:
    batch = DYCK.exam.batch(Setup(length))
    for b, depths in enumerate(check_brackets(batch)):
        d = batch.lengths[b] // 2
        assert depths == [*range(1, d + 1), *reversed(range(d))]
    assert np.bincount(batch.lengths // 2).tolist() == [0] + [8] * 2 * trained
    for d in range(1, 2 * trained + 1):
        words = batch.inputs[:, batch.lengths == 2 * d]
        assert len({words[:, b].tobytes() for b in range(8)}) == min(2**d, 8)


@pytest.mark.parametrize("wrong", [1, 3, 6])
def test_the_mark_is_the_largest_depth_before_the_first_slip(wrong: int) -> None:
    batch = DYCK.exam.batch(Setup(24))
    outputs = np.eye(3, dtype=np.float32)[batch.targets]
    assert DYCK.exam.mark(outputs, batch) == 6
    b = np.flatnonzero(batch.lengths == 2 * wrong)[-1]
    outputs[2 * wrong :, b] = 1 - outputs[2 * wrong :, b]
    assert DYCK.exam.mark(outputs, batch) == 6, "the padding does not count"
    outputs[0, b] = outputs[0, b, [0, 2, 1]]
    assert DYCK.exam.mark(outputs, batch) == wrong - 1


def test_a_description_ends_with_what_may_close_next() -> None:
    inputs = np.eye(4, dtype=np.float32)[[0, 1, 1, 3, 0]]
    assert DYCK.describe(inputs, np.array([1, 2, 2, 2, 1])) == "([[]( → )"
    assert DYCK.describe(inputs[1:3], np.array([2, 0])) == "[[ → nothing"
