"""Pictures: plain numpy arrays in, a complete `go.Figure` out. numpy and plotly only.

Every figure takes `theme="light" | "dark"` and says in `layout.meta` which `question` it answers, what to `look_for`,
its suggested `height` in pixels, whether its x axis is sequence time (`time_axis`) and which axis is the training step
(`training_axis`). A trace that live data may replace says in `trace.meta["feed"]` where its attributes come from.
"""

from collections.abc import Callable

import plotly.graph_objects as go

from rnnviz.figures.gradients import gradient_norm_plot, gradient_training_heatmap
from rnnviz.figures.inputs import input_marked_values, input_symbols, input_wave
from rnnviz.figures.legend import legend_html
from rnnviz.figures.loss import loss_curve
from rnnviz.figures.predictions import prediction_classes, prediction_sequence, prediction_values
from rnnviz.figures.theme import FLOAT32_FLOOR, PLOTLY_CONFIG, Theme, palette, template
from rnnviz.figures.units import unit_heatmap

FIGURES: dict[str, Callable[..., go.Figure]] = {
    "loss_curve": loss_curve,
    "gradient_norm_plot": gradient_norm_plot,
    "gradient_training_heatmap": gradient_training_heatmap,
    "unit_heatmap": unit_heatmap,
    "input_marked_values": input_marked_values,
    "input_symbols": input_symbols,
    "input_wave": input_wave,
    "prediction_values": prediction_values,
    "prediction_classes": prediction_classes,
    "prediction_sequence": prediction_sequence,
}

__all__ = [
    "FIGURES",
    "FLOAT32_FLOOR",
    "PLOTLY_CONFIG",
    "Theme",
    "gradient_norm_plot",
    "gradient_training_heatmap",
    "input_marked_values",
    "input_symbols",
    "input_wave",
    "legend_html",
    "loss_curve",
    "palette",
    "prediction_classes",
    "prediction_sequence",
    "prediction_values",
    "template",
    "unit_heatmap",
]
