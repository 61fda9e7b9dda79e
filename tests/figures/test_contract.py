"""What every figure in the registry promises to the pages."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import rnnviz.figures
from rnnviz.figures import FIGURES
from rnnviz.figures import theme as look
from tests.figures.examples import CALLS, Call, build, feeds

FOLDER = Path(rnnviz.figures.__file__).parent
every_call = pytest.mark.parametrize("call", CALLS, ids=[f"{k}-{call.name}" for k, call in enumerate(CALLS)])
both_themes = pytest.mark.parametrize("theme", ["light", "dark"])


def test_every_figure_has_an_example() -> None:
    assert {call.name for call in CALLS} == set(FIGURES)


def test_registry_names_are_function_names_and_public() -> None:
    assert all(figure.__name__ == name for name, figure in FIGURES.items())
    assert set(FIGURES) <= set(rnnviz.figures.__all__)


@both_themes
@every_call
def test_says_its_question_and_what_to_look_for(call: Call, theme: str) -> None:
    figure = build(call, theme=theme)
    assert figure.layout.title.text is None, "the page prints the title"
    assert figure.layout.meta["question"].endswith("?")
    assert figure.layout.meta["look_for"].endswith(".")
    assert figure.layout.meta["height"] == figure.layout.height
    assert figure.to_json()


@every_call
def test_every_axis_has_a_title(call: Call) -> None:
    layout = build(call).layout
    axes = [layout[name] for name in layout.to_plotly_json() if re.fullmatch(r"[xy]axis\d*", name)]
    if "scene" in layout.to_plotly_json():
        axes += [layout.scene[f"{name}axis"] for name in "xyz"]
    assert len(axes) >= 2
    assert all(axis.title.text for axis in axes)


@every_call
def test_time_pictures_share_margins_and_axis(call: Call) -> None:
    figure = build(call)
    if not figure.layout.meta.get("time_axis"):
        return
    margin = figure.layout.margin
    assert (margin.l, margin.r, margin.autoexpand) == (look.LEFT_MARGIN, look.RIGHT_MARGIN, False)
    assert figure.layout.xaxis.range == (0.5, 50.5)
    assert "<i>t</i>" in figure.layout.xaxis.title.text
    for axis in (figure.layout.xaxis, figure.layout.template.layout.yaxis):
        assert axis.automargin is False
    assert np.asarray(figure.data[0].x, dtype=float).min() in (0.5, 1.0), "time counts from 1"


def test_which_pictures_are_over_time_and_over_training() -> None:
    over_time = {call.name for call in CALLS if build(call).layout.meta.get("time_axis")}
    others = {"loss_curve", "prediction_values", "prediction_classes", "prediction_future", "input_images"}
    others |= {"trajectories_2d", "trajectories_3d", "phase_portrait", "lyapunov_over_training"}
    others |= {
        "decay_curves",
        "singular_value_fan",
        "eigenvalue_plane",
        "error_surface",
        "clipped_norms",
        "unit_half_lives",
        "gate_saturation",
        "cell_diagram",
        "sweep_lines",
        "sweep_map",
        "race_losses",
        "race_reach",
    }
    assert over_time == set(FIGURES) - others
    training = {call.name: build(call).layout.meta.get("training_axis") for call in CALLS}
    assert {name: axis for name, axis in training.items() if axis} == {
        "loss_curve": "x",
        "gradient_training_heatmap": "y",
        "lyapunov_over_training": "x",
        "race_losses": "x",
        "race_reach": "x",
    }


@every_call
def test_feeds_are_well_formed(call: Call) -> None:
    figure = build(call)
    for feed in feeds(figure).values():
        for attribute, (kind, channel, *operations) in feed.items():
            assert attribute in {"x", "y", "z", "high", "close", "text"}
            assert kind in {"frame", "rows", "steps", "series", "series_steps"}
            assert channel
            assert all(re.fullmatch(r"pow10|row:\d+|col:\d+|names:.+", operation) for operation in operations)


@every_call
def test_shapes_are_dividers_from_top_to_bottom(call: Call) -> None:
    """Or covers. What moves, the page marks: t and the training step."""
    for shape in build(call).layout.shapes:
        assert shape.name in ("divider", "cover")
        assert (shape.yref, shape.y0, shape.y1) == ("paper", 0, 1)


@every_call
def test_arrays_are_sent_as_typed_arrays(call: Call) -> None:
    for trace in build(call).to_plotly_json()["data"]:
        for attribute in ("z", "y"):
            value = trace.get(attribute)
            assert value is None or isinstance(value, dict) or np.asarray(value).dtype != object


@every_call
def test_heatmaps_have_no_smoothing_no_gaps_and_fixed_limits(call: Call) -> None:
    for trace in build(call).data:
        if trace.type == "heatmap":
            assert trace.zsmooth is False
            assert trace.hoverongaps is False
            assert not trace.xgap
            assert not trace.ygap
            assert trace.zmin < trace.zmax


@every_call
def test_an_unknown_theme_is_refused(call: Call) -> None:
    with pytest.raises(ValueError, match="theme must be 'light' or 'dark'"):
        build(call, theme="sepia")


def test_only_theme_has_colours() -> None:
    for file in FOLDER.glob("*.py"):
        if file.name != "theme.py":
            assert not re.search(r"#[0-9a-fA-F]{6}\b|\brgba?\(\d", file.read_text(encoding="utf-8")), file.name


def test_figures_import_numpy_and_plotly_only() -> None:
    allowed = {"numpy", "plotly", "rnnviz"} | set(sys.stdlib_module_names)
    for file in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            modules: list[str] = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            for module in modules:
                assert module.split(".")[0] in allowed, (file.name, module)
                assert not module.startswith("rnnviz") or module.startswith("rnnviz.figures"), (file.name, module)


def test_figures_work_without_torch_and_streamlit() -> None:
    """The package's own __init__ may import the core, so it is stood in for."""
    code = (
        "import sys, types; package = types.ModuleType('rnnviz'); package.__path__ = [sys.argv[1]]\n"
        "sys.modules.update(rnnviz=package, torch=None, streamlit=None)\n"
        "import rnnviz.figures"
    )
    subprocess.run([sys.executable, "-c", code, str(FOLDER.parent)], check=True, timeout=60)
