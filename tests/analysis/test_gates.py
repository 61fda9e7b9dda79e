import re

import numpy as np
import pytest

from rnnviz import Experiment, RnnvizError, start, trace
from rnnviz.analysis import half_life, inside, saturation, time_scale
from tests.analysis.examples import random_checkpoint


def test_a_gate_half_open_remembers_for_two_steps_and_forgets_half_in_one() -> None:
    assert time_scale(0.5) == 2
    assert half_life(0.5) == 1
    f = np.array([0, 0.9, 0.99, 1])
    np.testing.assert_allclose(time_scale(f), [1, 10, 100, np.inf])
    np.testing.assert_allclose(half_life(f), [0, 6.5788, 68.968, np.inf], rtol=1e-4)
    np.testing.assert_allclose(0.9 ** half_life(0.9), 0.5)
    with pytest.raises(RnnvizError, match=r"between 0 and 1. Got values from 0 to 1.5"):
        half_life([0, 1.5])
    with pytest.raises(RnnvizError, match="between 0 and 1"):
        time_scale(-0.1)


def test_a_forget_bias_of_four_keeps_98_percent_and_counts_as_open() -> None:
    tr = trace(start(Experiment(cell="lstm", initialisation="zeros", forget_bias=4, length=6, hidden_size=3)))
    np.testing.assert_allclose(tr.gates["forget"], 0.982, atol=5e-4)
    found = saturation(tr.gates["forget"])
    assert (found.left, found.right) == (0, 1)
    assert saturation(tr.gates["input"])[:2] == (0, 0), "σ(0) = .5"


def test_fractions_are_counted_for_each_unit_and_for_all() -> None:
    values = np.array([[[0.05, 0.5], [0.95, 0.95]], [[0.05, 0.5], [0.5, 0.99]]])  # (T, B, H)
    found = saturation(values)
    np.testing.assert_array_equal(found.left_by_unit, [0.5, 0])
    np.testing.assert_array_equal(found.right_by_unit, [0.25, 0.5])
    assert (found.left, found.right) == (0.25, 0.375)
    assert saturation(np.tanh([[[-3.0], [3.0], [0.0], [3.0]]]), -0.95, 0.95)[:2] == (0.25, 0.5)


def test_padding_is_no_evidence() -> None:
    tr = trace(random_checkpoint(Experiment(cell="lstm", task="sentiment", hidden_size=3)))
    values = tr.gates["forget"].copy()
    values[~inside(tr)] = 1
    masked = saturation(values, mask=inside(tr))
    assert masked.right < saturation(values).right
    assert masked.right == (values[inside(tr)] > 0.9).mean()
    for mask in (np.ones(values.shape, bool), np.zeros(values.shape[:2], bool)):
        with pytest.raises(RnnvizError, match=re.escape(f"must have shape {values.shape[:2]}")):
            saturation(values, mask=mask)
