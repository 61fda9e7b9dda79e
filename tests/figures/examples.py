"""One realistic call of every figure in the registry, and a second where it has another face."""

from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from rnnviz.figures import FIGURES, Band, Colouring, Curve, Exam, Line, Link, Part, Reference, Row, SweepLine

T, U, F = 50, 12, 7
t = np.arange(1, T + 1)
decay = (-1 - 0.2 * (T - t)).astype(np.float32)  # log10: 1e-11 at t = 1 to 1e-1 at t = T
random = np.random.default_rng(0)

LOSS: dict[str, Any] = {
    "baseline": 1 / 6,
    "baseline_name": "guessing the mean",
    "threshold": 0.01,
    "threshold_name": "solved",
    "loss_name": "MSE",
    "budget": 3000,
}
GRADIENT_BAND = (t, decay, decay - 0.5, decay + 0.5)
ROWS = np.stack([decay * (1 - 0.1 * k) for k in range(F)])
HIDDEN = np.tanh(random.standard_normal((U, T))).astype(np.float16)
MARKED = np.stack([random.random(T), np.isin(t, (13, 38))], axis=1)
SYMBOLS = np.eye(6)[random.integers(0, 6, T)]
CLASSES = random.integers(0, 6, T)
P = random.dirichlet(np.ones(6), T).T  # (6, T)
PULSES = np.where(random.random((T, 3)) < 0.2, random.choice((-1.0, 1.0), (T, 3)), 0.0)
WORDS = ["not", "so", "good"] * 16
PATH = np.where(random.random(T) < 0.1, random.integers(1, 6, T), np.nan)
WALKS = np.cumsum(random.standard_normal((T, 5, 3)), 0)
LATE = Colouring("time step", "time", np.broadcast_to(t[:, None], (T, 5)))
PUSHED = Colouring("bit 1", "signed", np.sign(WALKS[..., 0]))
KINDS = Colouring("class", "class", np.broadcast_to(np.arange(5), (T, 5)), ["a", "b", "c", "d", "e"])
FIELD = np.tanh(np.stack(np.meshgrid(*[np.linspace(-1, 1, 31)] * 2), 2)) * 0.5
LAGS = np.arange(31)
CURVES = [
    Curve("fast", LAGS, -0.3 * LAGS, -0.35 * LAGS, -0.25 * LAGS, [("a bound", "ρᵏ", -0.2 * LAGS)], 0),
    Curve("zero", LAGS, np.append(0.0, np.full(30, -np.inf)), np.full(31, -np.inf), np.zeros(31), (), 3),
]
EIGENVALUES = 0.8 * np.exp(2j * np.pi * np.arange(12) / 12)
WAY = np.array([[6.0, -2.5], [5.5, -2.6], [5.0, -2.7]])
PARTS = [
    Part("x", "x_t", "", "signed", 0.0, text="0.3, 1"),
    Part("past h", "h_{t-1}", "", "signed", -0.4),
    Part("h", "h_t", "tanh", "signed", 0.8, "hidden state"),
]
LINKS = [Link("x", "h", 1.5e-12), Link("past h", "h", -0.2)]
RATES = np.array([1.0, 0.8, np.nan])
SWEPT = {"x_title": "sequence length (steps)", "question": "How does it depend on it?", "look_for": "The fall."}


QUANTITIES = [Row("c_t", 3 * np.sin(t), "signed"), Row("f_t", P[0], "gate"), Row("h_t", np.abs(np.sin(t)), "size")]
ASKS = {"question": "What?", "look_for": "That."}
BAND = Band(decay, decay - 0.5, decay + 0.5)


class Call(NamedTuple):
    name: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]


CALLS = [
    Call("loss_curve", ({"loss": np.linspace(1, 0.1, 300)},), LOSS),
    Call("loss_curve", ({"loss": []},), LOSS),
    Call(
        "loss_curve",
        ({"loss": np.linspace(1.4, 0.1, 300), "accuracy": np.linspace(0.25, 1, 300)},),
        LOSS | {"threshold": None, "accuracy_chance": 0.25, "accuracy_threshold": 0.99},
    ),
    Call(
        "loss_curve",
        ({"loss": np.linspace(9, 1, 300)},),
        LOSS | {"baseline": None, "threshold": None, "untrained": 9.0},
    ),
    Call(
        "loss_curve",
        ({"loss": np.linspace(1.4, 0.1, 300), "accuracy": np.linspace(0.25, 1, 300)},),
        LOSS | {"held_out": np.full((F, 2), 0.6), "exam": Exam(np.arange(F), "exam", 20.0, 11.0, "beyond n = 10")},
    ),
    Call("gradient_norm_plot", GRADIENT_BAND, {}),
    Call("gradient_norm_plot", GRADIENT_BAND, {"median_c": decay / 4, "low_c": decay / 4 - 1, "high_c": decay / 4 + 1}),
    Call("gradient_training_heatmap", (ROWS, np.arange(F) * 10), {}),
    Call("gradient_training_heatmap", (ROWS[:1], np.array([0])), {}),
    Call(
        "unit_heatmap",
        (HIDDEN,),
        {"kind": "signed", "limit": 2.5, "name": "cell state", "symbol": "c_t", "channel": "states.c"},
    ),
    Call(
        "unit_heatmap",
        (np.abs(HIDDEN),),
        {"kind": "gate", "name": "forget gate", "symbol": "f_t", "channel": "gates.forget"},
    ),
    Call("input_marked_values", (MARKED,), {}),
    Call("input_symbols", (SYMBOLS,), {"names": list("abcdXY"), "highlight": "XY"}),
    Call("input_wave", (MARKED[:, :1],), {}),
    Call("input_wave", (PULSES,), {"names": ["a", "b", "c"]}),
    Call("input_heat", (PULSES,), {"names": ["a", "b", "c"]}),
    Call("input_heat", (PULSES[:, :1],), {"names": ["bit"]}),
    Call("input_images", (random.random((16, 8, 12)),), {"titles": list("01234567")}),
    Call("input_words", (WORDS,), {"opinions": [0, 0, 1] * 16, "steps": T}),
    Call("input_words", (list("the river remembers the rain, and the sea the river"[:T]),), {}),
    Call("prediction_values", (np.linspace(0.3, 1.7, 8), np.full(8, 0.9)), {"baseline_prediction": 1.0}),
    Call("prediction_classes", (np.arange(8) % 4, np.full((8, 4), 0.25), ["XX", "XY", "YX", "YY"]), {}),
    Call("prediction_sequence", (np.sin(t / 3), np.zeros(T)), {"scored": (6, T)}),
    Call("prediction_sequence", (np.sign(PULSES), PULSES * 0.9), {"names": ["a", "b", "c"]}),
    Call("prediction_probability", (CLASSES % 2, P[1]), {"names": ("even", "odd"), "scored": (2, T)}),
    Call("prediction_symbols", (CLASSES, P), {"names": list("abcdXY"), "scored": CLASSES > 1}),
    Call("prediction_symbols", (CLASSES[:8], P[:, :8]), {"names": list("abcdXY"), "wanted": list("abcdabcd")}),
    Call("prediction_labels", (P, PATH), {"names": ["blank", *"aeiou"], "wanted": list("aeo")}),
    Call("prediction_future", (np.sin(t / 3), np.zeros(24)), {}),
    Call("prediction_words", (P[:2], WORDS), {"names": ("negative", "positive")}),
    Call("attention_map", (np.eye(8),), {"read": list("abcdefgh"), "said": list("hgfedcba")}),
    Call("attention_map", (np.full((1, T), 1 / T),), {}),
    Call("trajectories_2d", (WALKS, LATE), {"half": 9.0, "explained": (0.6, 0.2)}),
    Call("trajectories_2d", (WALKS, PUSHED), {"half": 9.0}),
    Call("trajectories_3d", (WALKS, KINDS), {"half": 9.0, "explained": (0.6, 0.2, 0.1)}),
    Call("trajectories_3d", (WALKS, LATE), {"half": 9.0}),
    Call("phase_portrait", ((-1.0, 1.0), FIELD, WALKS[..., :2] / 20, KINDS), {}),
    Call("lyapunov_over_training", ([0, 10, 100], -np.sort(random.random((3, U)), 1)), {"along": "noise"}),
    Call("unit_over_sequence", (HIDDEN[0],), {"name": "h_1", "symbols": WORDS, "tracked": P[0], "tracked_name": "p"}),
    Call("unit_over_sequence", (HIDDEN[1],), {"name": "h_2"}),
    Call("decay_curves", (CURVES,), {"sequences": "median of 8 sequences"}),
    Call("decay_curves", ([Curve("deep", LAGS, -2.0 * LAGS, -2.1 * LAGS, -1.9 * LAGS)],), {}),
    Call("singular_value_fan", (LAGS, -0.1 * LAGS[:, None] * np.arange(1, 6)), {}),
    Call("eigenvalue_plane", (EIGENVALUES[None],), {"weights": 1.1 * EIGENVALUES, "spectral_norm": 1.4}),
    Call("eigenvalue_plane", (EIGENVALUES[None],), {}),
    Call("step_share_bars", (np.linspace(-0.01, 0.05, T),), {"window": 10, "full": np.linspace(-0.02, 0.06, T)}),
    Call("step_share_bars", (np.full(T, np.nan),), {}),
    Call("error_surface", (np.linspace(2, 8, 7), np.linspace(-4, 1, 6), random.random((6, 7)), (WAY, WAY / 2)), {}),
    Call("error_surface", (np.linspace(2, 8, 7), np.linspace(-4, 1, 6), random.random((6, 7)), (None, WAY)), {}),
    Call("clipped_norms", (np.full(9, 3.0), np.full(9, 2.0), np.full(9, 0.1)), {}),
    Call("unit_half_lives", (np.linspace(0.2, 0.99, 12),), {"gate": "update", "symbol": "z"}),
    Call("unit_half_lives", (np.array([0.0, 0.5, 1.0]),), {}),
    Call("gate_saturation", ({"forget": (np.linspace(0, 0.5, 8), np.linspace(1, 0, 8)), "reset": (P[0], P[1])},), {}),
    Call("cell_diagram", (PARTS, LINKS), {"cell": "rnn"}),
    Call("cell_diagram", (PARTS, LINKS), {"backward": True}),
    Call("cell_diagram", (PARTS, LINKS), {"cell": "rnn", "mirrored": True, "sizes": True}),
    Call("time_strip", (QUANTITIES,), ASKS),
    Call("time_strip", ([Row(f"h_{k}", decay, "norm") for k in range(12)],), {**ASKS, "first": 65}),
    Call("time_strip", ([Row("h_t", decay, "norm"), Row("c_t", decay - np.inf, "norm")],), ASKS),
    Call("before_and_after", (BAND, Band(decay - 60, decay - np.inf, decay)), {**ASKS, "title": "size"}),
    Call("influence_plot", (t, 10.0**decay, -(10.0**decay) / 2), {"steps": T}),
    Call("influence_plot", (t, np.zeros(T), np.zeros(T)), {"steps": T}),
    Call(
        "sweep_lines",
        ([10, 20, 50], [SweepLine("RNN", RATES, RATES - 0.3, np.minimum(RATES + 0.1, 1), ["a", "b", ""], 0)]),
        SWEPT | {"y_title": "success rate", "most": 1.0},
    ),
    Call(
        "sweep_lines",
        (["tanh", "relu"], [SweepLine("RNN", [np.nan, np.nan], [np.nan, np.nan], [np.nan, np.nan], place=3)]),
        SWEPT
        | {
            "y_title": "final loss",
            "references": [Reference("guess", [1.4, 1.4]), Reference("s", [0, 0], "threshold")],
        },
    ),
    Call(
        "sweep_map",
        ([10, 20, 50], ["rnn", "lstm"], np.stack([RATES, RATES / 2])),
        SWEPT | {"told": [["a", "b", ""]] * 2, "y_title": "cell", "value_title": "success rate", "most": 1.0},
    ),
    Call(
        "sweep_map",
        ([0.001, 1.0, 50], [0.5], np.full((1, 3), np.nan)),
        SWEPT
        | {"told": [[""] * 3], "y_title": "cell", "value_title": "decay", "gradient": True, "absent": [[1, 0, 0]]},
    ),
    Call(
        "race_losses",
        (["LSTM", "GRU"], np.arange(4), random.random((4, 2, 3))),
        {
            "budget": 100,
            "clock_title": "training step",
            "loss_name": "squared error",
            "baseline": Line(1 / 6, "guessing"),
            "threshold": Line(0.01, "solved"),
        },
    ),
    Call(
        "race_losses",
        (["LSTM", "GRU"], np.arange(4), np.full((4, 2, 3), np.nan)),
        {"budget": 100, "clock_title": "training step", "loss_name": "squared error", "extent": (-3, 7)},
    ),
    Call(
        "race_reach",
        (["LSTM", "GRU"], np.arange(4), T * random.random((4, 2, 3))),
        {"budget": 100, "clock_title": "training step", "fraction": 0.01, "column": 6, "steps": T},
    ),
]


def build(call: Call, theme: str = "light") -> go.Figure:
    return FIGURES[call.name](*call.arguments, **call.options, theme=theme)


def feeds(figure: go.Figure) -> dict[str, dict[str, list[str]]]:
    """Trace name -> feed, of the live traces of a figure."""
    return {trace.name: trace.meta["feed"] for trace in figure.data if trace.meta}


def named(figure: go.Figure, name: str) -> Any:
    (trace,) = (trace for trace in figure.data if trace.name == name)
    return trace
