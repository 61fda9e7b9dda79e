"""Traces, checkpoints and weights in, named results out; float64 throughout.

Where a result runs over time, index t of a (T, ...) array belongs to step t + 1 of the textbook, as in a trace. Arrays of
T + 1 (products, direct paths, states of `Dynamics.run`) begin with the initial state, so there index t is step t.
"""

from rnnviz.analysis.anatomy import Anatomy, dissect
from rnnviz.analysis.decay import Bounds, bounds, decay_rate, direct_path, horizon
from rnnviz.analysis.dynamics import Dynamics
from rnnviz.analysis.fixed import FixedPoints, fixed_points
from rnnviz.analysis.gates import Saturation, half_life, saturation, time_scale
from rnnviz.analysis.gradients import StepShares, log10_gradient_norms, step_gradients, step_shares
from rnnviz.analysis.influence import Probe, memory_probe, saliency
from rnnviz.analysis.jacobian import jacobians
from rnnviz.analysis.layers import inside
from rnnviz.analysis.lyapunov import lyapunov_exponents
from rnnviz.analysis.products import Products, jacobian_products, log10_norms, singular_values
from rnnviz.analysis.projection import Projection, project
from rnnviz.analysis.spectra import spectral_norm, spectral_radius
from rnnviz.analysis.success import success_interval
from rnnviz.analysis.surgery import operate
from rnnviz.analysis.tracking import tracking

__all__ = [
    "Anatomy",
    "Bounds",
    "Dynamics",
    "FixedPoints",
    "Probe",
    "Products",
    "Projection",
    "Saturation",
    "StepShares",
    "bounds",
    "decay_rate",
    "direct_path",
    "dissect",
    "fixed_points",
    "half_life",
    "horizon",
    "inside",
    "jacobian_products",
    "jacobians",
    "log10_gradient_norms",
    "log10_norms",
    "lyapunov_exponents",
    "memory_probe",
    "operate",
    "project",
    "saliency",
    "saturation",
    "singular_values",
    "spectral_norm",
    "spectral_radius",
    "step_gradients",
    "step_shares",
    "success_interval",
    "time_scale",
    "tracking",
]
