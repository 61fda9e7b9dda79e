"""Traces, checkpoints and weights in, named results out; float64 throughout.

Where a result runs over time, index t of a (T, ...) array belongs to step t + 1 of the textbook, as in a trace. Arrays of
T + 1 (products, direct paths, states of `Dynamics.run`) begin with the initial state, so there index t is step t.

Each result has its figure in `rnnviz.figures`; `tests/figures/test_analysis_figures.py` calls them all:

    bounds                decay_curves
    decay_rate            decay_curves
    direct_path           decay_curves
    dissect               cell_diagram
    fixed_points          mark_fixed_points
    half_life             unit_half_lives
    horizon               gradient_norm_plot
    jacobian_products     singular_value_fan
    jacobians             eigenvalue_plane
    log10_gradient_norms  gradient_norm_plot
    log10_norms           decay_curves
    lyapunov_exponents    lyapunov_over_training
    memory_probe          influence_plot
    operate               unit_half_lives
    project               trajectories_3d
    saliency              unit_heatmap
    saturation            gate_saturation
    singular_values       singular_value_fan
    spectral_norm         eigenvalue_plane
    spectral_radius       eigenvalue_plane
    step_gradients        step_share_bars
    step_shares           step_share_bars
    time_scale            unit_half_lives
    tracking              unit_over_sequence

Two draw nothing: `inside` says which steps are not padding, `success_interval` is a pair of numbers.
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
