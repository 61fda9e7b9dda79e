"""What the forget bias buys, in the numbers every text on LSTMs quotes."""

from dataclasses import replace

import numpy as np
import pytest

from rnnviz import Checkpoint, Experiment, start, trace
from rnnviz.model import layout

STEPS = 50


def zero_network_that_answers(forget_bias: float) -> Checkpoint:
    """All weights zero but the readout's, so that only the direct cell path c_t = f c_{t-1} carries anything."""
    experiment = Experiment(
        cell="lstm", initialisation="zeros", forget_bias=forget_bias, length=STEPS + 1, hidden_size=3
    )
    checkpoint = start(experiment)
    parameters = checkpoint.parameters.copy()
    parameters[-4:] = 1  # readout.W and readout.b lie last
    assert list(layout(experiment).values())[-2:] == [(1, 3), (1,)]
    return replace(checkpoint, parameters=parameters)


@pytest.mark.parametrize(("forget_bias", "kept"), [(0, 8.88e-16), (1, 1.576e-7), (2, 1.753e-3), (4, 0.4035)])
def test_over_fifty_steps_the_cell_keeps_the_fiftieth_power_of_its_forget_gate(forget_bias: float, kept: float) -> None:
    tr = trace(zero_network_that_answers(forget_bias))
    f = 1 / (1 + np.exp(-forget_bias))
    np.testing.assert_allclose(tr.gates["forget"], f, rtol=1e-12)
    reached = tr.state_grads["c"][0] / tr.state_grads["c"][STEPS]
    np.testing.assert_allclose(reached, kept, rtol=5e-4)
    np.testing.assert_allclose(reached, f**STEPS, rtol=1e-10)
    assert not tr.state_grads["h"][:-1].any(), "with zero weights nothing travels through h"


def test_one_bias_per_gate_is_the_whole_bias() -> None:
    """Two biases of 1, as in PyTorch, would open the gate to .881 instead of .731."""
    forget = trace(start(Experiment(cell="lstm", initialisation="zeros", forget_bias=1))).gates["forget"]
    np.testing.assert_allclose(forget, 0.7310586, rtol=1e-6)
