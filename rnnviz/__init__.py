"""rnnviz: watch recurrent neural networks learn, and see why their gradients vanish.

Axes, everywhere in this library:

| symbol | axis | |
|---|---|---|
| B | batch | examples |
| T | time | steps of a sequence; 1-based in text and pictures, 0-based in arrays |
| I | input | channels of x_t |
| H | hidden | units of h_t |
| O | output | channels of the readout |
| S | training | steps of the optimizer |

Public arrays are time-major, `(T, B, ·)`; the hand-written passes inside `rnnviz.cells` work feature-major, `(T, ·, B)`,
because matrix products over contiguous batches are what makes them fast.
"""

from rnnviz.cells import CELLS
from rnnviz.errors import ExperimentError, RnnvizError
from rnnviz.experiment import Experiment
from rnnviz.runs import Outcome, Sweep, sweep
from rnnviz.tasks import TASKS
from rnnviz.tracing import Trace, trace
from rnnviz.training import Checkpoint, Slice, advance, start

__all__ = [
    "CELLS",
    "TASKS",
    "Checkpoint",
    "Experiment",
    "ExperimentError",
    "Outcome",
    "RnnvizError",
    "Slice",
    "Sweep",
    "Trace",
    "advance",
    "start",
    "sweep",
    "trace",
]
