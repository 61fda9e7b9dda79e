"""The parts of the Gradient lab: which lines there are, the big plot and the plane beside it, and four views below."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from rnnviz import figures
from rnnviz.analysis import half_life
from rnnviz.analysis.cliff import descend, unit_error
from rnnviz.analysis.lab import (
    MOST_LANES,
    QUOTED,
    Decay,
    Lane,
    decay,
    lane_decay,
    lane_payment,
    sample_count,
)
from rnnviz.cells import ACTIVATIONS, CELLS
from rnnviz.errors import RnnvizError
from rnnviz.experiment import INITIALISATIONS, SETTINGS
from rnnviz.figures import Curve, Theme
from rnnviz.model import probe_batch
from rnnviz.runs import LiveRun
from rnnviz.tasks import TASKS
from rnnviz.training import Checkpoint
from rnnviz.ui.lab_state import NUMBERS, PRESETS, QUESTIONS, VIEWS, Lab, fitting, lane_name
from rnnviz.ui.plain import literal
from rnnviz.ui.playground import theme
from rnnviz.ui.resting import picture
from rnnviz.ui.server import registry

LENGTHS = (10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1000)
LOUDNESS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)
RADII = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.5, 2.0, 3.0)
BIASES = (-2.0, -1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0)
WINDOWS = (0, 1, 2, 5, 10, 20, 25, 50)
SIZES = (4, 8, 16, 32, 48, 64)
RATES, CLIPS = (0.5, 1.0, 2.0, 3.0, 5.0), (0.0, 0.05, 0.1, 0.2, 0.5, 1.0)
PAID_STEPS = 200  # more bars cannot be told apart
SEEDS = 5
RUN_WORK = 4e9  # multiplications that a trained network may need before an answer would no longer come at once
DROP = "as drawn"
STARTS = {**INITIALISATIONS, "spectral": "Gaussian, rescaled to ρ"}
GROWS = 1.02  # a factor above which a line visibly rises
CLIFF_START, CLIFF_STEPS = (6.0, -2.5), 60
DIVERGES = {"cell": "rnn", "activation": "linear", "optimizer": "sgd", "learning_rate": "1", "clip_norm": "0"}

# On a phone the plot that owns the page comes first.
STYLE = "@media (max-width: 640px) { .st-key-lab_top [data-testid='stHorizontalBlock'] { flex-direction: column-reverse; } }"


# State


def current() -> Lab:
    """What this session looks at: what it had, or what its link says if somebody else wrote that."""
    query = st.query_params.to_dict()
    # No query at all: back from another page by the navigation.
    if "lab" in st.session_state and query in (st.session_state.get("lab_address"), {}):
        held: Lab = st.session_state.lab
        return held
    lab, notices = Lab.from_query(query)
    st.session_state.lab, st.session_state.lab_notices, st.session_state.lab_address = lab, notices, query
    return lab


def write_address(lab: Lab) -> None:
    """Make the address bar a link to exactly this."""
    wanted = lab.to_query()
    if st.query_params.to_dict() != wanted:
        st.query_params.from_dict(wanted)
    st.session_state.lab_address = wanted


def notices() -> None:
    """What a link asked for and could not have."""
    for sentence in st.session_state.lab_notices:
        st.warning(literal(sentence.replace("`", "")), icon=":material/info:")


def _become(lab: Lab) -> None:
    st.session_state.lab, st.session_state.lab_notices = lab, []


def _set(name: str, of_lane: bool) -> None:
    value = st.session_state[f"lab_{name}"]
    lab: Lab = st.session_state.lab
    if of_lane:
        _become(lab.with_lane(**{name: None if value == DROP else value}))
    else:
        if name == "run" and (run := registry().find(value)) is not None:
            lab = replace(lab, at=run.poll().step)  # the newest weights
        _become(replace(lab, **{name: value}))


def _control(make: Callable[..., Any], name: str, value: Any, label: str, *args: Any, lane: bool, **more: Any) -> None:
    """A widget that only shows what the lab is: its key is set before it is drawn, its change changes the lab."""
    st.session_state[f"lab_{name}"] = value
    make(label, *args, key=f"lab_{name}", on_change=_set, args=(name, lane), **more)


# Sidebar: which lines there are


def sidebar(lab: Lab) -> None:
    """The lines, what the edited one is, what they share, and a trained run to compare with."""
    with st.sidebar:
        st.markdown("##### Lines")
        names = [lane_name(lane) for lane in lab.lanes]
        _control(
            st.radio, "edit", lab.edit, "The sliders move", range(1, len(names) + 1), lane=False,
            format_func=lambda k: names[k - 1],
            help="Up to four networks are compared. The controls here and the sliders under the plot change the chosen one.",
        )  # fmt: skip
        with st.container(horizontal=True):
            st.button(
                "Add", key="lab_add", icon=":material/add:", disabled=len(names) == MOST_LANES,
                on_click=lambda: _become(replace(lab, lanes=(*lab.lanes, lab.lane), edit=len(names) + 1)),
                help="One more line, a copy of the chosen one to change.",
            )  # fmt: skip
            st.button(
                "Remove", key="lab_remove", icon=":material/remove:", disabled=len(names) == 1,
                on_click=lambda: _become(
                    replace(lab, lanes=lab.lanes[: lab.edit - 1] + lab.lanes[lab.edit :], edit=max(1, lab.edit - 1))
                ),
                help="Take the chosen line out.",
            )  # fmt: skip
        st.markdown("##### The chosen line")
        _lane_controls(lab)
        st.markdown("##### All lines")
        _control(
            st.select_slider, "hidden", lab.hidden, "Hidden size", sorted({*SIZES, lab.hidden}), lane=False,
            help=SETTINGS["hidden_size"].help,
        )  # fmt: skip
        _control(
            st.number_input, "seed", lab.seed, "Seed", 0, int(NUMBERS["seed"].highest), lane=False, step=1,
            help="Fixes the weights drawn and the input. Does what you see depend on luck? Try another, or all five below.",
        )  # fmt: skip
        _run_control(lab)


def _lane_controls(lab: Lab) -> None:
    lane, cell = lab.lane, CELLS[lab.lane.cell]
    preset = next((name for name, wanted in PRESETS.items() if fitting(wanted) == lane), None)
    st.session_state.lab_preset = preset
    st.selectbox(
        "Preset", list(PRESETS), key="lab_preset", placeholder="changed by hand", on_change=_take_preset,
        help="A network to start from. Everything about it may be changed afterwards.",
    )  # fmt: skip
    _control(
        st.selectbox, "cell", lane.cell, "Cell", list(CELLS), lane=True,
        format_func=lambda name: CELLS[name].title, help=SETTINGS["cell"].help,
    )  # fmt: skip
    _control(
        st.selectbox, "initialisation", lane.initialisation, "Initialisation", list(cell.initialisations), lane=True,
        format_func=STARTS.__getitem__, help=SETTINGS["initialisation"].help,
    )  # fmt: skip
    if "activation" in cell.options:
        _control(
            st.selectbox, "activation", lane.activation, "Activation", list(ACTIVATIONS), lane=True,
            format_func=dict(SETTINGS["activation"].choices or {}).__getitem__, help=SETTINGS["activation"].help,
        )  # fmt: skip


def _take_preset() -> None:
    if (name := st.session_state.lab_preset) is not None:
        lane = PRESETS[name]
        fields = ("cell", "initialisation", "activation", "rho", "bias")
        _become(st.session_state.lab.with_lane(**{field: getattr(lane, field) for field in fields}))


def _live_run(lab: Lab) -> LiveRun | None:
    return registry().find(lab.run) if lab.run else None


def _run_control(lab: Lab) -> None:
    """Which trained network is drawn beside the lines: the link's, or the one this session has in the Playground."""
    own: LiveRun | None = st.session_state.get("run")
    ids = [found for found in dict.fromkeys([lab.run, own.id if own else ""]) if found and registry().find(found)]
    st.markdown("##### A trained network")
    if not ids:
        st.caption("Train one in the Playground, then come back: its recorded steps appear here.")
        return
    runs = {found: run for found in ids if (run := registry().find(found)) is not None}
    _control(
        st.selectbox, "run", lab.run if lab.run in ids else "", "Run", ["", *ids], lane=False,
        format_func=lambda found: _run_name(runs[found]) if found else "none",
        help="A run of the Playground, measured on the fixed examples of its task instead of noise.",
    )  # fmt: skip
    if (run := _live_run(lab)) is not None:
        snapshot = run.poll()
        steps = sorted({*snapshot.rewindable_to, snapshot.step, run.checkpoint_at(lab.at).step})
        if len(steps) > 1:
            _control(
                st.select_slider, "at", run.checkpoint_at(lab.at).step, "Training step", steps, lane=False,
                help="The recorded moments of that run whose weights are kept.",
            )  # fmt: skip


def _run_name(run: LiveRun) -> str:
    return f"{CELLS[run.experiment.cell].title}, {TASKS[run.experiment.task].title.lower()}"


# The big plot


def questions(lab: Lab) -> None:
    """Five questions, each a setting of the lab."""
    asked = next((key for key, question in QUESTIONS.items() if question.lanes == lab.lanes), None)
    st.session_state.lab_question = asked
    st.pills(
        "A question", list(QUESTIONS), key="lab_question", label_visibility="collapsed", on_change=_ask,
        format_func=lambda key: QUESTIONS[key].title,
    )  # fmt: skip


def _ask() -> None:
    if (key := st.session_state.lab_question) is not None:
        _become(QUESTIONS[key].lab(st.session_state.lab))


class Measured:
    """What all parts of the page draw from: every lane's measurement, and the trained network's."""

    def __init__(self, lab: Lab):
        self.lab = lab
        self.lanes = [lane_decay(fitting(lane), lab.hidden, lab.T, lab.input, lab.seed) for lane in lab.lanes]
        self.names = [lane_name(lane) for lane in lab.lanes]
        self.trained: Decay | None = None
        self.trouble = ""
        if lab.run:
            self._look_at_run()

    @property
    def edited(self) -> Decay:
        return self.lanes[self.lab.edit - 1]

    @property
    def edited_name(self) -> str:
        return self.names[self.lab.edit - 1]

    def rows(self) -> list[tuple[str, Decay]]:
        """Every line with its name."""
        found = list(zip(self.names, self.lanes, strict=True))
        return found if self.trained is None else [*found, (self.trained_name, self.trained)]

    def _look_at_run(self) -> None:
        run = _live_run(self.lab)
        if run is None:
            self.trouble = "That run is no longer on this server; the untrained lines are all there is."
            return
        checkpoint = run.checkpoint_at(self.lab.at)
        self.trained_name = f"a run: {CELLS[checkpoint.experiment.cell].title}, step {checkpoint.step}"
        try:
            self.trained = _run_decay(_Key(run.id, checkpoint))
        except RnnvizError as error:
            self.trouble = str(error)


class _Key:
    """A checkpoint that a cache can hold by the run and the step it belongs to and the weights themselves."""

    def __init__(self, run: str, checkpoint: Checkpoint):
        self.checkpoint, self._parts = checkpoint, (run, checkpoint.step, checkpoint.parameters.tobytes())

    def __hash__(self) -> int:
        return hash(self._parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self._parts == other._parts


@lru_cache(maxsize=8)
def _run_decay(key: _Key) -> Decay:
    experiment = key.checkpoint.experiment
    batch = probe_batch(experiment)
    T = len(batch.inputs) if batch.lengths is None else int(batch.lengths.min())
    n = experiment.layers * len(CELLS[experiment.cell].carried) * experiment.hidden_size
    if T * n**3 > RUN_WORK:
        raise RnnvizError(
            f"T × n³ must stay below {RUN_WORK:.0e} for an answer at once, n numbers in the state. Got T = {T}, n = {n}."
        )
    return decay(key.checkpoint, batch.inputs[:T, : sample_count(T, n)])


def big_plot(seen: Measured) -> None:
    """Left the unit circle, right the plot that owns the page."""
    st.html(f"<style>{STYLE}</style>")
    if seen.trouble:
        st.warning(literal(seen.trouble), icon=":material/info:")
    lab, look = seen.lab, theme()
    with st.container(key="lab_top"):
        left, right = st.columns([1, 2.1], gap="medium")
    with right:
        names = [name for name, _ in seen.rows()]
        counts = sorted({found.log10_norms.shape[1] for found in seen.lanes})
        sequences = f"{counts[0]}–{counts[-1]}" if len(counts) > 1 else f"{counts[0]}"
        picture(
            figures.decay_curves(
                [_curve(k, name, found, k == lab.edit - 1) for k, (name, found) in enumerate(seen.rows())],
                sequences="one input sequence"
                if sequences == "1"
                else f"median and range of {sequences} input sequences",
                theme=look,
            ),
            key="lab_decay_picture",
            legend=figures.lanes_html(names, look, chosen=lab.edit - 1),
        )
    with left:
        found = seen.edited
        picture(
            figures.eigenvalue_plane(
                found.eigenvalues,
                weights=found.weights[0] if len(found.weights) == 1 else None,
                spectral_norm=found.step_sigma,
                place=lab.edit - 1,
                theme=look,
            ),
            key="lab_plane_picture",
        )


def _curve(k: int, name: str, found: Decay, with_theory: bool) -> Curve:
    low, high = found.log10_norms.min(1), found.log10_norms.max(1)
    theory = [(line.name, line.symbol, line.log10) for line in found.theory] if with_theory else []
    return Curve(name, found.lags, found.median, low, high, theory, k)


def sliders(lab: Lab, seen: Measured) -> None:
    """Four sliders in words: two for the chosen line, two for all."""
    lane, cell = lab.lane, CELLS[lab.lane.cell]
    columns = st.columns(4, gap="medium")
    with columns[0]:
        if len(seen.edited.rho) and lane.initialisation != "zeros":
            options = sorted({*RADII, *([] if lane.rho is None else [lane.rho])})
            drawn = _range(seen.edited.rho) if lane.rho is None else ""
            _control(
                st.select_slider, "rho", DROP if lane.rho is None else lane.rho,
                "How strongly does it feed itself?", [DROP, *options], lane=True,
                format_func=lambda value: (f"ρ as drawn {drawn}").strip() if value == DROP else f"ρ = {value:g}",
                help="ρ, the spectral radius: the largest absolute eigenvalue of each recurrent matrix, to which it is "
                "rescaled. It rules the long run of a linear network; it is not σ₁, the most one step can stretch.",
            )  # fmt: skip
        else:
            st.caption("No recurrent matrix here whose strength could be changed.")
    with columns[1]:
        if cell.bias_fields and lane.initialisation != "chrono":
            field = next(iter(cell.bias_fields))
            words = {
                "forget_bias": "How much does it want to keep?",
                "update_bias": "How much does it want to keep?"
                if cell.keepers.get("update") == 1
                else "How much does it want to overwrite?",
            }
            _control(
                st.select_slider, "bias", lane.bias, words.get(field, field), sorted({*BIASES, lane.bias}), lane=True,
                format_func=lambda value: f"{field.replace('_', ' ')} {value:g}", help=SETTINGS[field].help,
            )  # fmt: skip
        elif "activation" in cell.options:
            st.caption(
                "No gate to bias here. Its activation, in the sidebar, is what stands between W and the Jacobian."
            )
        else:
            st.caption("No bias to set here.")
    with columns[2]:
        _control(
            st.select_slider, "input", lab.input, "How loud is the input? (all lines)", sorted({*LOUDNESS, lab.input}),
            lane=False, format_func=lambda value: f"N(0, {value:g}²)",
            help="The input is normal noise with this standard deviation. Loud input pushes units to where the activation "
            "is flat, and a flat slope shrinks what passes through.",
        )  # fmt: skip
    with columns[3]:
        _control(
            st.select_slider, "T", lab.T, "How far back? (all lines)", sorted({*LENGTHS, lab.T}), lane=False,
            format_func=lambda value: f"T = {value:g} steps", help=SETTINGS["length"].help,
        )  # fmt: skip


def numbers(lab: Lab, seen: Measured) -> None:
    """The answer in a sentence, and a table in which spectral radius, spectral norm and measured decay stand apart."""
    found = [(name, one.per_step, one) for name, one in seen.rows() if np.isfinite(one.per_step)]
    if len(found) > 1:
        fast, slow = min(found, key=lambda row: row[1]), max(found, key=lambda row: row[1])
        st.markdown(
            f"**{literal(fast[0])}** loses the past fastest: × {fast[1]:.3g} with each step back, "
            f"{_ten(fast[2].at(QUOTED))} left after {_at_most(QUOTED, fast[2])} steps. **{literal(slow[0])}** "
            f"{'grows' if slow[1] > GROWS else 'holds it best'}: × {slow[1]:.3g}, {_ten(slow[2].at(QUOTED))} after "
            f"{_at_most(QUOTED, slow[2])}."
        )
    asked = next((question for question in QUESTIONS.values() if question.lanes == lab.lanes), None)
    if asked is not None:
        st.markdown(asked.why)
    over_seeds = st.toggle(
        f"Over {SEEDS} seeds", key="lab_over_seeds",
        help=f"Draw weights and input {SEEDS} times, seeds {lab.seed} to {lab.seed + SEEDS - 1}, and show the smallest and "
        "largest factor. A trend is worth stating only with its spread.",
    )  # fmt: skip
    rows: dict[str, list[Any]] = {"line": [], "× per step": []}
    if over_seeds:
        rows["over seeds"] = []
    rows |= {name: [] for name in ("ρ(W)", "σ₁(W)", "ρ(J)", "σ₁(J)", "gate", f"left after {lab.T}")}
    for k, (name, one) in enumerate(seen.rows()):
        rows["line"].append(name)
        rows["× per step"].append(_digits(one.per_step))
        if over_seeds:
            rows["over seeds"].append(_spread(lab, lab.lanes[k]) if k < len(lab.lanes) else "one run")
        rows["ρ(W)"].append(_range(one.rho))
        rows["σ₁(W)"].append(_range(one.sigma))
        rows["ρ(J)"].append(_digits(one.step_rho))
        rows["σ₁(J)"].append(_digits(one.step_sigma))
        rows["gate"].append("—" if one.kept is None else _digits(one.kept.mean()))
        rows[f"left after {lab.T}"].append(_ten(one.median[-1]))
    helps = {
        "× per step": "Measured: the factor by which the norm of the product changes with each step back, the slope of the "
        "line in the plot.",
        "over seeds": "The smallest and largest such factor over the seeds.",
        "ρ(W)": "Spectral radius of the recurrent matrix, the largest absolute eigenvalue. A range spans the gates.",
        "σ₁(W)": "Spectral norm of the recurrent matrix, the largest singular value: the most one multiplication stretches.",
        "ρ(J)": "Spectral radius of the last step's Jacobian, median over input sequences: activation and gates included.",
        "σ₁(J)": "Spectral norm of the last step's Jacobian. Above 1 it only says that some direction is stretched once.",
        "gate": "Mean of the gate that keeps the old state, f or z. Its power is the direct path.",
        f"left after {lab.T}": "The norm of the whole product over all steps.",
    }
    config = {name: st.column_config.TextColumn(name, help=said) for name, said in helps.items()}
    st.dataframe(rows, hide_index=True, column_config=config, key="lab_numbers")


def _spread(lab: Lab, lane: Lane) -> str:
    found = [lane_decay(fitting(lane), lab.hidden, lab.T, lab.input, lab.seed + k).per_step for k in range(SEEDS)]
    return _range(np.array(found))


# What stands below


def views(lab: Lab, seen: Measured) -> None:
    """One of four, chosen by the visitor or the link; only that one is computed."""
    _control(
        st.segmented_control, "view", lab.view, "Look closer at", list(VIEWS), lane=False, required=True,
        format_func=VIEWS.__getitem__,
    )  # fmt: skip
    {"directions": _directions, "pays": _pays, "cliff": _cliff, "half-life": _half_life}[lab.view](lab, seen)


def _directions(lab: Lab, seen: Measured) -> None:
    found = seen.edited
    picture(
        figures.singular_value_fan(found.lags, found.log10_singular, place=lab.edit - 1, theme=theme()),
        key="lab_fan_picture",
    )
    measured = int(np.isfinite(found.log10_singular[-1]).sum())
    st.markdown(
        f"{literal(seen.edited_name)}: after {lab.T} steps {measured} of {found.log10_singular.shape[1]} directions are "
        "within 15 decades of the largest, as far as float64 can tell."
    )


def _pays(lab: Lab, seen: Measured) -> None:
    T = min(lab.T, PAID_STEPS)
    _control(
        st.select_slider, "window", lab.window, "Truncate backpropagation every", sorted({*WINDOWS, lab.window}),
        lane=False, format_func=lambda value: f"{value:g} steps" if value else "never",
        help=SETTINGS["bptt_window"].help,
    )  # fmt: skip
    try:
        found = lane_payment(fitting(lab.lane), lab.hidden, T, lab.seed, lab.window)
    except RnnvizError as error:
        st.info(literal(str(error).replace("`", "")))
        return
    full = found.full.shares if lab.window else None
    picture(
        figures.step_share_bars(found.cut.shares, full=full, window=lab.window, theme=theme()), key="lab_shares_picture"
    )
    if not np.isfinite(found.cut.shares).all():
        st.markdown("This network's gradient is exactly zero: nobody pays, and nothing is learned.")
        return
    last = min(10, T)
    said = (
        f"{literal(seen.edited_name)}, untrained, adding task, T = {T}: the last {last} of {T} steps carry "
        f"{100 * found.full.shares[-last:].sum():.3g} % of the full gradient of the "
        f"{'recurrent' if found.of == 'W_hh' else 'input'} weights. "
    )
    if lab.window:
        said += (
            f"Truncation leaves {found.size:.3g} times the gradient's length, at an angle of cosine {found.alignment:.3g} "
            "to the full one. What lies left of the last dotted line cannot be learned from this error."
        )
    st.markdown(said)


def _cliff(lab: Lab, seen: Measured) -> None:
    left, right = st.columns(2, gap="medium")
    with left:
        _control(
            st.select_slider, "clip", lab.clip, "Clip the gradient's norm at", sorted({*CLIPS, lab.clip}), lane=False,
            format_func=lambda value: f"{value:g}" if value else "off",
            help="A gradient longer than this is shortened to it; its direction stays (Pascanu, Mikolov & Bengio 2013).",
        )  # fmt: skip
    with right:
        _control(
            st.select_slider, "rate", lab.rate, "Learning rate", sorted({*RATES, lab.rate}), lane=False,
            format_func=lambda value: f"{value:g}", help="How far a step goes: learning rate times gradient.",
        )  # fmt: skip
    surface, norms, said = _walks(lab.clip, lab.rate, theme())
    with left:
        picture(surface, key="lab_surface_picture")
    with right:
        picture(norms, key="lab_norms_picture")
    st.markdown(said)
    st.caption(
        r"$x_t = w\,\sigma(x_{t-1}) + b$, 50 steps from $x_0 = .5$; error $(\sigma(x_{50}) - .7)^2$. One unit, no input: "
        "the smallest network that can explode, after Pascanu, Mikolov & Bengio 2013."
    )
    st.markdown(
        f"A whole network over the edge: [open a run that diverges](/playground?{urlencode(DIVERGES)}), press Train, read "
        "what happened, and let it clip and rewind."
    )


@lru_cache(maxsize=32)
def _walks(clip: float, rate: float, look: Theme) -> tuple[go.Figure, go.Figure, str]:
    w, b = np.linspace(2.5, 7.5, 161), np.linspace(-4, 1, 161)
    error, _ = unit_error(w, b[:, None])
    plain = descend(*CLIFF_START, rate, 0, CLIFF_STEPS)
    cut = descend(*CLIFF_START, rate, clip, CLIFF_STEPS)
    surface = figures.error_surface(w, b, error, (plain.path, cut.path if clip else None), theme=look)
    nothing = np.full(CLIFF_STEPS, np.nan)
    norms = figures.clipped_norms(
        plain.norms, cut.norms if clip else nothing, cut.clipped if clip else nothing, theme=look
    )
    worst = int(plain.norms.argmax())
    jump = float(np.linalg.norm(plain.path[worst + 1] - plain.path[worst]))
    said = (
        f"Without clipping, step {worst + 1} meets a gradient of norm {plain.norms[worst]:.3g} and moves {jump:.3g} "
        f"at once, to an error of {plain.errors[worst + 1]:.3g}; after {CLIFF_STEPS} "
        f"steps the error is {_ten(np.log10(plain.errors[-1]))}."
    )
    if clip:
        touched = int((cut.norms > clip).sum())
        said += (
            f" Clipped at {clip:g}, {touched} of {CLIFF_STEPS} gradients are shortened, the largest from "
            f"{cut.norms.max():.3g}; the error ends at {_ten(np.log10(cut.errors[-1]))}. The "
            f"other {CLIFF_STEPS - touched} are what they were: clipping cures explosion, never vanishing."
        )
    return surface, norms, said


def _half_life(lab: Lab, seen: Measured) -> None:
    found, cell = seen.edited, CELLS[lab.lane.cell]
    if found.kept is None:
        st.info(
            f"{cell.title} has no gate that keeps anything, so no half-life can be read off it. Choose an LSTM or a GRU in "
            "the sidebar."
        )
        return
    f = np.clip(found.kept.mean((0, 1)), 0, 1)
    gate = "forget" if "forget" in cell.keepers else "update"
    symbol = "f" if gate == "forget" else "z" if cell.keepers.get("update") == 1 else "(1 − z)"
    picture(figures.unit_half_lives(f, gate=gate, symbol=symbol, theme=theme()), key="lab_half_life_picture")
    half = half_life(f)
    direct = found.theory[0].log10
    lag = min(QUOTED, lab.T)
    st.markdown(
        f"{literal(seen.edited_name)}: mean {symbol} from {f.min():.3g} to {f.max():.3g}, half-lives {half.min():.3g} to "
        f"{half.max():.3g} steps. Over {lag} steps the direct path alone, ∏{symbol} of the strongest unit, leaves "
        f"{_ten(float(np.interp(lag, found.lags, direct)))}; all paths together leave {_ten(found.at(lag))}. They differ "
        "because a change also travels through h and the gates."
    )


def link(lab: Lab) -> str:
    """An absolute link that opens exactly this lab."""
    parts = urlsplit(st.context.url or "")
    here = f"{parts.scheme}://{parts.netloc}{parts.path}" if parts.netloc else "/gradient_lab"
    return f"{here}?{urlencode(lab.to_query())}"


def share(lab: Lab) -> None:
    """The link to this lab."""
    with st.popover("Share", icon=":material/link:"):
        st.code(link(lab), language=None, wrap_lines=True)
        st.caption("Opens exactly this lab: the same lines, the same sliders, the same seed.")


def _digits(value: float) -> str:
    return f"{value:.3g}" if np.isfinite(value) else "—"


def _range(values: np.ndarray) -> str:
    if not len(values):
        return "—"
    low, high = _digits(float(values.min())), _digits(float(values.max()))
    return low if low == high else f"{low}–{high}"


def _at_most(lag: int, found: Decay) -> int:
    return min(lag, int(found.lags[-1]))


def _ten(log10: float) -> str:
    """A number given by its logarithm, however small: .56, 3.2 × 10⁻¹⁴."""
    if not np.isfinite(log10):
        return "exactly 0" if log10 < 0 else "no number"
    if -2 <= log10 <= 3:
        return f"{10**log10:.3g}"
    power = int(np.floor(log10))
    digits = str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{10 ** (log10 - power):.2g} × 10{digits}"
