"""Every function of `rnnviz.analysis` from a notebook: its result, and the figure that its package names for it."""

from __future__ import annotations

import re

import numpy as np
import plotly.graph_objects as go
import pytest

from rnnviz import Experiment, analysis, figures, start, trace
from rnnviz.figures import Curve, Link, Part
from rnnviz.model import probe_batch

T, H = 12, 4
EXPERIMENT = Experiment(cell="lstm", task="adding", length=T, hidden_size=H, batch_size=8)
NETWORK = start(EXPERIMENT)
TOLD = trace(NETWORK)
INPUTS = probe_batch(EXPERIMENT).inputs
LAGS = np.arange(T + 1)
STEPS = LAGS[1:]


def curve(median, **more):
    return Curve("lstm", np.arange(len(median)), median, median, median, **more)


def decay():
    return np.median(analysis.log10_norms(analysis.jacobian_products(analysis.jacobians(TOLD))), 1)[::-1]


def draw_bounds():
    line = analysis.bounds(0.9 * np.eye(H), T)
    return figures.decay_curves([curve(decay(), theory=[("at most", "σ₁", line.ceiling)])])


def draw_decay_rate():
    rate = analysis.decay_rate(decay()[:0:-1])
    return figures.decay_curves([curve(LAGS * np.log10(rate))])


def draw_direct_path():
    path = analysis.direct_path(TOLD, log10=True).max(2)
    return figures.decay_curves([curve(np.median(path, 1)[::-1])])


def draw_dissect():
    found = analysis.dissect(TOLD, 3)
    parts = [Part(n.name, n.symbol or "x", "", "signed", float(np.ravel(n.value)[0])) for n in found.nodes]
    return figures.cell_diagram(parts, [Link(parts[0].name, parts[-1].name, 0.5)])


def draw_fixed_points():
    found, plane = analysis.fixed_points(NETWORK, INPUTS, starts=4), analysis.project(TOLD, 2)
    figure = figures.trajectories_2d(
        plane.scores[0], figures.Colouring("t", "time", np.ones((T, plane.scores[0].shape[1]))), half=2
    )
    return figures.mark_fixed_points(figure, plane.transform(found.states[:, :H]), ["stable"] * len(found.states))


def draw_half_life():
    f = TOLD.gates["forget"].mean((0, 1))
    assert (np.diff(analysis.half_life(np.sort(f))) > 0).all()
    return figures.unit_half_lives(f)


def draw_time_scale():
    f = TOLD.gates["forget"].mean((0, 1))
    figure = figures.unit_half_lives(f)
    np.testing.assert_allclose(np.sort(analysis.time_scale(f)), np.sort(figure.data[1].y), rtol=1e-6)
    return figure


def draw_log10_gradient_norms():
    norms = analysis.log10_gradient_norms(TOLD)
    return figures.gradient_norm_plot(STEPS, *np.quantile(norms, [0.5, 0.25, 0.75], axis=1))


def draw_horizon():
    median = np.median(analysis.log10_gradient_norms(TOLD), 1)
    reach = analysis.horizon(median, log10=True)
    return figures.gradient_norm_plot(STEPS[-reach:], *[median[-reach:]] * 3)


def draw_jacobian_products():
    found = analysis.singular_values(analysis.jacobian_products(analysis.jacobians(TOLD)))[::-1, 0]
    return figures.singular_value_fan(LAGS, found)


def draw_jacobians():
    return figures.eigenvalue_plane(np.linalg.eigvals(analysis.jacobians(TOLD)[-1]))


def draw_spectral_norm():
    W = NETWORK.weights["0.W_hh"][:H]
    return figures.eigenvalue_plane(np.linalg.eigvals(W)[None], spectral_norm=analysis.spectral_norm(W))


def draw_spectral_radius():
    W = NETWORK.weights["0.W_hh"][:H]
    figure = figures.eigenvalue_plane(np.linalg.eigvals(W / analysis.spectral_radius(W))[None])
    away = max(np.hypot(trace.x, trace.y).max() for trace in figure.data if trace.mode == "markers")
    assert away == pytest.approx(1)
    return figure


def draw_lyapunov_exponents():
    found = analysis.lyapunov_exponents(NETWORK, np.tile(INPUTS[:, :1], (10, 1, 1)), 0)
    return figures.lyapunov_over_training([0], found, along="one example")


def draw_memory_probe():
    found = analysis.memory_probe(NETWORK, INPUTS)
    return figures.influence_plot(found.steps + 1, found.measured[:, 0], found.predicted[:, 0], steps=T)


def draw_operate():
    held = trace(analysis.operate(NETWORK, "forget", "hold", 0.9)).gates["forget"]
    figure = figures.unit_half_lives(held.mean((0, 1)))
    np.testing.assert_allclose(figure.data[0].y, np.log(0.5) / np.log(0.9), rtol=1e-6)
    return figure


def draw_project():
    found = analysis.project(TOLD, 3)
    when = figures.Colouring("t", "time", np.ones(found.scores[0].shape[:2]))
    return figures.trajectories_3d(found.scores[0], when, half=2, explained=found.explained)


def draw_saliency():
    found = analysis.saliency(NETWORK, INPUTS, 0)[:, 0].T
    return figures.unit_heatmap(found, kind="signed", limit=1, name="saliency", symbol="x_t", channel="saliency")


def draw_saturation():
    found = {name: analysis.saturation(TOLD.gates[name]) for name in ("input", "forget", "output")}
    return figures.gate_saturation({name: (one.left_by_unit, one.right_by_unit) for name, one in found.items()})


def draw_step_gradients():
    each = analysis.step_gradients(TOLD)
    whole = each.sum(0)
    return figures.step_share_bars((each * whole).reshape(T, -1).sum(1) / np.square(whole).sum())


def draw_step_shares():
    return figures.step_share_bars(analysis.step_shares(TOLD).shares)


def draw_tracking():
    r = analysis.tracking(TOLD.states["h"], INPUTS)
    unit = int(np.abs(r[:, 1]).argmax())
    return figures.unit_over_sequence(TOLD.states["h"][:, 0, unit], name=f"h_{unit + 1}", tracked=INPUTS[:, 0, 1])


CALLS = {name.removeprefix("draw_"): call for name, call in list(globals().items()) if name.startswith("draw_")} | {
    "log10_norms": lambda: figures.decay_curves([curve(decay())]),
    "singular_values": draw_jacobian_products,
}
NAMED = dict(re.findall(r"^    (\w+) +(\w+)$", analysis.__doc__ or "", re.M))


def test_every_function_has_its_figure() -> None:
    functions = {name for name in analysis.__all__ if name[0].islower()} - {"inside", "success_interval"}
    assert set(NAMED) == functions == set(CALLS)
    assert all(hasattr(figures, name) for name in NAMED.values())


@pytest.mark.parametrize("name", NAMED)
def test_the_figure_of(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    used = []
    drawing = getattr(figures, NAMED[name])
    monkeypatch.setattr(figures, NAMED[name], lambda *a, **k: (used.append(name), drawing(*a, **k))[1])
    figure = CALLS[name]()
    assert isinstance(figure, go.Figure)
    assert used, f"drawn by something else than {NAMED[name]}"
    assert figure.layout.meta["question"].endswith("?")
    assert any(numbers(trace) for trace in figure.data), "nothing is drawn"


def numbers(trace) -> bool:
    """Whether a trace shows any finite number."""
    values = trace["z" if trace.type == "heatmap" else "y"]
    return values is not None and bool(np.isfinite(np.asarray(values, np.float64)).any())
