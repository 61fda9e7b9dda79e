import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnviz.tasks import TASKS, Setup

COPY = TASKS["copy"]
S, K = 5, 8


@given(length=st.integers(2 * S + 1, 80), seed=st.integers(0, 10**6))
def test_the_symbols_come_again_after_the_marker_and_all_else_is_blank(length: int, seed: int) -> None:
    batch = COPY.sample(np.random.default_rng(seed), 6, Setup(length))
    assert (batch.inputs.sum(2) == 1).all()
    for b in range(6):
        heard = [COPY.input_names[k] for k in batch.inputs[:, b].argmax(1)]
        wanted = [COPY.output_names[k] for k in batch.targets[:, b]]
        symbols = heard[:S]
        assert set(symbols) <= set("ABCDEFGH")
        assert heard[S:] == ["blank"] * (length - 2 * S - 1) + ["go"] + ["blank"] * S
        assert wanted == ["blank"] * (length - S) + symbols
    assert batch.scored is None, "every step counts"
    assert batch.lengths is None


def test_symbols_are_equally_frequent_and_independent() -> None:
    symbols = COPY.sample(np.random.default_rng(0), 40_000, Setup(12)).targets[-S:]
    for t in range(S):
        assert abs(np.bincount(symbols[t], minlength=K) / 5000 - 1).max() < 0.06
    assert abs(np.bincount(K * symbols[0] + symbols[4], minlength=K**2) / 625 - 1).max() < 0.2


@pytest.mark.parametrize("length", [11, 15, 100])
def test_knowing_when_but_not_what_scores_the_declared_baseline(length: int) -> None:
    targets = COPY.sample(np.random.default_rng(0), 50, Setup(length)).targets
    p = np.zeros((length, K + 1))
    p[:-S, K] = 1
    p[-S:, :K] = 1 / K
    loss = -np.log(np.take_along_axis(p, targets, 1)).mean()
    baseline = COPY.baseline(Setup(length))
    assert baseline == (pytest.approx(loss, rel=1e-12), "guessing the symbols", "loss")
    assert baseline.value == pytest.approx(S * np.log(K) / length)
    assert COPY.solved(Setup(length)).value == pytest.approx(0.05 * baseline.value)


def test_a_description_shows_what_is_heard_and_what_is_said() -> None:
    codes = [2, 0, 5, 5, 4, 8, 8, 9, 8, 8, 8, 8, 8]
    said = COPY.describe(np.eye(10, dtype=np.float32)[codes], np.array([8] * 8 + [2, 0, 5, 5, 4]))
    assert said == "CAFFE··▸····· → CAFFE"
