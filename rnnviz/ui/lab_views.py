"""What stands below the big plot of the Gradient lab: one of four views."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import urlencode

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from rnnviz import figures
from rnnviz.analysis import half_life
from rnnviz.analysis.cliff import descend, unit_error
from rnnviz.analysis.lab import QUOTED
from rnnviz.errors import RnnvizError
from rnnviz.experiment import SETTINGS
from rnnviz.figures import Theme
from rnnviz.ui.lab_measured import Measured, Subject
from rnnviz.ui.lab_session import control, ten
from rnnviz.ui.lab_state import VIEWS, Lab
from rnnviz.ui.plain import literal
from rnnviz.ui.playground import theme
from rnnviz.ui.resting import picture

WINDOWS = (0, 1, 2, 5, 10, 20, 25, 50)
RATES, CLIPS = (0.5, 1.0, 2.0, 3.0, 5.0), (0.0, 0.05, 0.1, 0.2, 0.5, 1.0)
CLIFF_START, CLIFF_STEPS = (6.0, -2.5), 60
DIVERGES = {"cell": "rnn", "activation": "linear", "optimizer": "sgd", "learning_rate": "1", "clip_norm": "0"}


def views(lab: Lab, seen: Measured) -> None:
    """One of four, chosen by the visitor or the link; only that one is computed. A trained network stands beside."""
    control(
        st.segmented_control, "view", lab.view, "Look closer at", list(VIEWS), lane=False, required=True,
        format_func=VIEWS.__getitem__,
    )  # fmt: skip
    if lab.view == "cliff":
        _cliff(lab)
        return
    if lab.view == "pays":
        control(
            st.select_slider, "window", lab.window, "Truncate backpropagation every", sorted({*WINDOWS, lab.window}),
            lane=False, format_func=lambda value: f"{value:g} steps" if value else "never",
            help=SETTINGS["bptt_window"].help,
        )  # fmt: skip
    subjects = seen.subjects()
    for k, (subject, column) in enumerate(zip(subjects, st.columns(len(subjects), gap="medium"), strict=True)):
        with column:
            said = subject.learns if lab.view == "pays" else subject.reads
            st.markdown(f"**{literal(subject.name)}**, {literal(said)}")
            if lab.view == "directions":
                _directions(subject, k)
            elif lab.view == "pays":
                _pays(lab.window, subject, k)
            else:
                _half_life(subject, k)


def _directions(subject: Subject, k: int) -> None:
    found = subject.decay
    figure = figures.singular_value_fan(found.lags, found.log10_singular, place=subject.place, theme=theme())
    picture(figure, key=f"lab_fan_{k}")
    measured = int(np.isfinite(found.log10_singular[-1]).sum())
    st.markdown(
        f"After {found.lags[-1]} steps {measured} of {found.log10_singular.shape[1]} directions are within 15 decades of "
        "the largest, as far as float64 can tell."
    )


def _pays(window: int, subject: Subject, k: int) -> None:
    try:
        found = subject.payment(window)
    except RnnvizError as error:
        st.info(literal(str(error).replace("`", "")))
        return
    full = found.full.shares if window else None
    picture(figures.step_share_bars(found.cut.shares, full=full, window=window, theme=theme()), key=f"lab_shares_{k}")
    if not np.isfinite(found.cut.shares).all():
        st.markdown("This network's gradient is exactly zero: nobody pays, and nothing is learned.")
        return
    T = len(found.full.shares)
    last = min(10, T)
    said = (
        f"The last {last} of {T} steps carry {100 * found.full.shares[-last:].sum():.3g} % of the full gradient of the "
        f"{'recurrent' if found.of == 'W_hh' else 'input'} weights. "
    )
    if window:
        said += (
            f"Truncation leaves {found.size:.3g} times the gradient's length, at an angle of cosine {found.alignment:.3g} "
            "to the full one. What lies left of the last dotted line cannot be learned from this error."
        )
    st.markdown(said)


def _half_life(subject: Subject, k: int) -> None:
    found, cell = subject.decay, subject.cell
    if found.kept is None:
        st.info(
            f"{cell.title} has no gate that keeps anything, so no half-life can be read off it. An LSTM or a GRU has."
        )
        return
    f = np.clip(found.kept.mean((0, 1)), 0, 1)
    gate = "forget" if "forget" in cell.keepers else "update"
    symbol = "f" if gate == "forget" else "z" if cell.keepers.get("update") == 1 else "(1 − z)"
    picture(figures.unit_half_lives(f, gate=gate, symbol=symbol, theme=theme()), key=f"lab_half_life_{k}")
    half = half_life(f)
    direct = found.theory[0].log10
    lag = min(QUOTED, int(found.lags[-1]))
    st.markdown(
        f"Mean {symbol} from {f.min():.3g} to {f.max():.3g}, half-lives {half.min():.3g} to {half.max():.3g} steps. Over "
        f"{lag} steps the direct path alone, ∏{symbol} of the strongest unit, leaves "
        f"{ten(float(np.interp(lag, found.lags, direct)))}; all paths together leave {ten(found.at(lag))}. They differ "
        "because a change also travels through h and the gates."
    )


def _cliff(lab: Lab) -> None:
    left, right = st.columns(2, gap="medium")
    with left:
        control(
            st.select_slider, "clip", lab.clip, "Clip the gradient's norm at", sorted({*CLIPS, lab.clip}), lane=False,
            format_func=lambda value: f"{value:g}" if value else "off",
            help="A gradient longer than this is shortened to it; its direction stays (Pascanu, Mikolov & Bengio 2013).",
        )  # fmt: skip
    with right:
        control(
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
        f"steps the error is {ten(np.log10(plain.errors[-1]))}."
    )
    if clip:
        touched = int((cut.norms > clip).sum())
        said += (
            f" Clipped at {clip:g}, {touched} of {CLIFF_STEPS} gradients are shortened, the largest from "
            f"{cut.norms.max():.3g}; the error ends at {ten(np.log10(cut.errors[-1]))}. The "
            f"other {CLIFF_STEPS - touched} are what they were: clipping cures explosion, never vanishing."
        )
    return surface, norms, said
