"""Pictures: plain numpy arrays in, a complete `go.Figure` out. numpy and plotly only.

Every figure takes `theme="light" | "dark"` and says in `layout.meta` which `question` it answers, what to `look_for`,
its suggested `height` in pixels, whether its x axis is sequence time (`time_axis`) and which axis is the training step
(`training_axis`). A trace that live data may replace says in `trace.meta["feed"]` where its attributes come from.
"""

from collections.abc import Callable

import plotly.graph_objects as go

from rnnviz.figures.base import maths
from rnnviz.figures.cliff import clipped_norms, error_surface
from rnnviz.figures.comparison import Band, before_and_after
from rnnviz.figures.decay import Curve, decay_curves, singular_value_fan
from rnnviz.figures.diagram import Link, Part, cell_diagram, short
from rnnviz.figures.gradients import gradient_norm_plot, gradient_training_heatmap
from rnnviz.figures.half_life import unit_half_lives
from rnnviz.figures.influence import influence_plot
from rnnviz.figures.inputs import input_heat, input_images, input_marked_values, input_symbols, input_wave
from rnnviz.figures.legend import lanes_html, legend_html
from rnnviz.figures.loss import Exam, loss_curve
from rnnviz.figures.lyapunov import lyapunov_over_training
from rnnviz.figures.marks import mark_phases, mark_row, mark_step, mark_windows
from rnnviz.figures.predictions import prediction_classes, prediction_values
from rnnviz.figures.race import Line, nothing_to_show, of_lane, race_losses, race_reach
from rnnviz.figures.saturation import gate_saturation
from rnnviz.figures.sequences import (
    attention_map,
    prediction_future,
    prediction_labels,
    prediction_probability,
    prediction_sequence,
    prediction_symbols,
)
from rnnviz.figures.shares import step_share_bars
from rnnviz.figures.space import POINTS, Colouring, mark_fixed_points, phase_portrait, trajectories_2d, trajectories_3d
from rnnviz.figures.spectrum import eigenvalue_plane
from rnnviz.figures.strip import Row, time_strip
from rnnviz.figures.sweep import Reference, SweepLine, point_name, sweep_lines, sweep_map
from rnnviz.figures.theme import FLOAT32_FLOOR, PLOTLY_CONFIG, Theme, palette, template
from rnnviz.figures.unit_value import unit_over_sequence
from rnnviz.figures.units import unit_heatmap
from rnnviz.figures.words import input_words, prediction_words

FIGURES: dict[str, Callable[..., go.Figure]] = {
    figure.__name__: figure
    for figure in (
        loss_curve,
        gradient_norm_plot,
        gradient_training_heatmap,
        unit_heatmap,
        input_marked_values,
        input_symbols,
        input_wave,
        input_heat,
        input_images,
        input_words,
        prediction_values,
        prediction_classes,
        prediction_sequence,
        prediction_probability,
        prediction_symbols,
        prediction_labels,
        prediction_future,
        prediction_words,
        attention_map,
        trajectories_2d,
        trajectories_3d,
        phase_portrait,
        lyapunov_over_training,
        unit_over_sequence,
        decay_curves,
        singular_value_fan,
        eigenvalue_plane,
        step_share_bars,
        error_surface,
        clipped_norms,
        unit_half_lives,
        gate_saturation,
        cell_diagram,
        time_strip,
        before_and_after,
        influence_plot,
        race_losses,
        race_reach,
        sweep_lines,
        sweep_map,
    )
}

__all__ = [
    "FIGURES",
    "FLOAT32_FLOOR",
    "PLOTLY_CONFIG",
    "POINTS",
    "Band",
    "Colouring",
    "Curve",
    "Exam",
    "Line",
    "Link",
    "Part",
    "Reference",
    "Row",
    "SweepLine",
    "Theme",
    "attention_map",
    "before_and_after",
    "cell_diagram",
    "clipped_norms",
    "decay_curves",
    "eigenvalue_plane",
    "error_surface",
    "gate_saturation",
    "gradient_norm_plot",
    "gradient_training_heatmap",
    "influence_plot",
    "input_heat",
    "input_images",
    "input_marked_values",
    "input_symbols",
    "input_wave",
    "input_words",
    "lanes_html",
    "legend_html",
    "loss_curve",
    "lyapunov_over_training",
    "mark_fixed_points",
    "mark_phases",
    "mark_row",
    "mark_step",
    "mark_windows",
    "maths",
    "nothing_to_show",
    "of_lane",
    "palette",
    "phase_portrait",
    "point_name",
    "prediction_classes",
    "prediction_future",
    "prediction_labels",
    "prediction_probability",
    "prediction_sequence",
    "prediction_symbols",
    "prediction_values",
    "prediction_words",
    "race_losses",
    "race_reach",
    "short",
    "singular_value_fan",
    "step_share_bars",
    "sweep_lines",
    "sweep_map",
    "template",
    "time_strip",
    "trajectories_2d",
    "trajectories_3d",
    "unit_half_lives",
    "unit_heatmap",
    "unit_over_sequence",
]
