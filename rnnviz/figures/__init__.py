"""Pictures: plain numpy arrays in, a complete `go.Figure` out. numpy and plotly only.

Every figure takes `theme="light" | "dark"` and says in `layout.meta` which `question` it answers, what to `look_for`,
its suggested `height` in pixels, whether its x axis is sequence time (`time_axis`) and which axis is the training step
(`training_axis`). A trace that live data may replace says in `trace.meta["feed"]` where its attributes come from.
"""

from collections.abc import Callable

import plotly.graph_objects as go

from rnnviz.figures.diagram import Link, Part, cell_diagram, short
from rnnviz.figures.gradients import gradient_norm_plot, gradient_training_heatmap
from rnnviz.figures.influence import influence_plot
from rnnviz.figures.inputs import input_heat, input_images, input_marked_values, input_symbols, input_wave
from rnnviz.figures.legend import legend_html
from rnnviz.figures.loss import Exam, loss_curve
from rnnviz.figures.marks import mark_phases, mark_step, mark_windows
from rnnviz.figures.predictions import prediction_classes, prediction_values
from rnnviz.figures.sequences import (
    attention_map,
    prediction_future,
    prediction_labels,
    prediction_probability,
    prediction_sequence,
    prediction_symbols,
)
from rnnviz.figures.theme import FLOAT32_FLOOR, PLOTLY_CONFIG, Theme, palette, template
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
        cell_diagram,
        influence_plot,
    )
}

__all__ = [
    "FIGURES",
    "FLOAT32_FLOOR",
    "PLOTLY_CONFIG",
    "Exam",
    "Link",
    "Part",
    "Theme",
    "attention_map",
    "cell_diagram",
    "gradient_norm_plot",
    "gradient_training_heatmap",
    "influence_plot",
    "input_heat",
    "input_images",
    "input_marked_values",
    "input_symbols",
    "input_wave",
    "input_words",
    "legend_html",
    "loss_curve",
    "mark_phases",
    "mark_step",
    "mark_windows",
    "palette",
    "prediction_classes",
    "prediction_future",
    "prediction_labels",
    "prediction_probability",
    "prediction_sequence",
    "prediction_symbols",
    "prediction_values",
    "prediction_words",
    "short",
    "template",
    "unit_heatmap",
]
