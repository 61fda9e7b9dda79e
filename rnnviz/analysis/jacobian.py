"""What one step does to a small change of the state."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from rnnviz.analysis.dynamics import Dynamics
from rnnviz.analysis.layers import chosen_layer, inside, layer_inputs, states_before
from rnnviz.arithmetic import one_thread
from rnnviz.cells import CELLS
from rnnviz.model import layer_weights, views
from rnnviz.tracing import Trace


@one_thread()
def jacobians(
    trace: Trace,
    *,
    layer: int = -1,
    reverse: bool = False,
    samples: Sequence[int] | slice = slice(None),
    times: Sequence[int] | slice = slice(None),
) -> np.ndarray:
    """J_t = ds_t/ds_{t-1}: how a small change of one layer's state arrives one step later.

    s is the layer's full carried state, in the order of `Cell.carried`: (h, c) of an LSTM, n = 2H. Looking at h alone would
    miss the path through c. What else the network does with h is not part of it, nor is truncation (`bptt_window`), which
    cuts the gradient and leaves the network as it is. Bengio, Simard & Frasconi 1994; Pascanu, Mikolov & Bengio 2013.

    Args:
        trace: of the network.
        layer: which layer, from the bottom; negative counts from the top.
        reverse: its partner that reads backwards. There t - 1 means the step before in its own time: J_t = ds_t/ds_{t+1}.
        samples: which of the B samples.
        times: which of the T steps, 0-based.

    Returns:
        (T, B, n, n) float64: [t, b, j, i] is how component j of s_t reacts to component i of s_{t-1}; s before the first
        step is the zero state. NaN in the padding.

    Raises:
        RnnvizError: if they would need more than 1 GiB.
    """
    experiment = trace.experiment
    place, values = chosen_layer(trace, layer, reverse)
    cell, parameters = CELLS[experiment.cell], torch.tensor(trace.parameters).double()
    weights = layer_weights(views(experiment, parameters), f"{place}{'_reverse' * reverse}")
    dynamics = Dynamics(cell, (weights,), experiment.activation)

    def taken(array: np.ndarray) -> np.ndarray:
        return array[times][:, samples]

    within = taken(inside(trace))  # (T, B)
    dynamics.room_for(*within.shape)
    before = np.concatenate([taken(states_before(trace, values.states[name], reverse)) for name in cell.carried], 2)
    x = taken(layer_inputs(trace, place))
    found = np.full((*within.shape, dynamics.size, dynamics.size), np.nan)
    _, slopes = dynamics.linearised(torch.from_numpy(before[within]), torch.from_numpy(x[within]))
    found[within] = slopes.numpy()
    return found
