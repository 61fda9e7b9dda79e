"""The parts of the Gradient lab: the big plot and the plane beside it, the sliders under them, the answer in numbers."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np
import streamlit as st

from rnnviz import figures
from rnnviz.analysis.lab import QUOTED, Decay, Lane, lane_decay
from rnnviz.cells import CELLS
from rnnviz.experiment import SETTINGS
from rnnviz.figures import Curve
from rnnviz.runs import LiveRun
from rnnviz.tasks import TASKS
from rnnviz.ui.lab_measured import Measured, live_run
from rnnviz.ui.lab_session import DROP, at_most, become, choice_key, chosen, control, digits, sliding, span, ten
from rnnviz.ui.lab_state import QUESTIONS, Lab, fitting
from rnnviz.ui.plain import literal
from rnnviz.ui.playground import theme
from rnnviz.ui.resting import picture
from rnnviz.ui.server import registry

LENGTHS = (10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1000)
LOUDNESS = (0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0)
RADII = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.5, 2.0, 3.0)
BIASES = (-2.0, -1.0, 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0)
SEEDS = 5
LEARNABLE = 50  # steps over which adding is learned while somebody watches
NAME_EDGE, NAME_LETTER = 24, 7  # pixels: a name in the table must not be cut, for its end tells it from the next
GROWS = 1.02  # a factor above which a line visibly rises

# On a phone the plot that owns the page comes first.
STYLE = "@media (max-width: 640px) { .st-key-lab_top [data-testid='stHorizontalBlock'] { flex-direction: column-reverse; } }"


def questions(lab: Lab) -> None:
    """Five questions, each a setting of the lab."""
    asked = next((key for key, question in QUESTIONS.items() if question.lanes == lab.lanes), None)
    key = choice_key("question", asked)
    st.pills(
        "A question", list(QUESTIONS), key=key, label_visibility="collapsed", on_change=_ask, args=(key, asked),
        format_func=lambda key: QUESTIONS[key].title,
    )  # fmt: skip


def _ask(key: str, shown: str | None) -> None:
    if (asked := chosen(key, shown)) is not None:
        become(QUESTIONS[asked].lab(st.session_state.lab), afresh=True)


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
            drawn = span(seen.edited.rho) if lane.rho is None else ""
            sliding(
                "rho", DROP if lane.rho is None else lane.rho,
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
            sliding(
                "bias", lane.bias, words.get(field, field), sorted({*BIASES, lane.bias}), lane=True,
                format_func=lambda value: f"{field.replace('_', ' ')} {value:g}", help=SETTINGS[field].help,
            )  # fmt: skip
        elif "activation" in cell.options:
            st.caption(
                "No gate to bias here. Its activation, in the sidebar, is what stands between W and the Jacobian."
            )
        else:
            st.caption("No bias to set here.")
    with columns[2]:
        sliding(
            "input", lab.input, "How loud is the input? (all lines)", sorted({*LOUDNESS, lab.input}),
            lane=False, format_func=lambda value: f"N(0, {value:g}²)",
            help="The input is normal noise with this standard deviation. Loud input pushes units to where the activation "
            "is flat, and a flat slope shrinks what passes through.",
        )  # fmt: skip
    with columns[3]:
        sliding(
            "T", lab.T, "How far back? (all lines)", sorted({*LENGTHS, lab.T}), lane=False,
            format_func=lambda value: f"T = {value:g} steps", help=SETTINGS["length"].help,
        )  # fmt: skip


def trained(lab: Lab) -> None:
    """A trained network to draw beside the lines: the link's, or the one this session has in the Playground."""
    own: LiveRun | None = st.session_state.get("run")
    ids = dict.fromkeys([lab.run, own.id if own is not None and own.trained else ""])
    runs = {found: run for found in ids if found and (run := registry().find(found)) is not None}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        if runs:
            control(
                st.selectbox, "run", lab.run if lab.run in runs else "", "Beside a trained network", ["", *runs],
                lane=False, width=320, format_func=lambda found: _run_name(runs[found]) if found else "none",
                help="A run of the Playground, measured on the fixed examples of its task instead of noise: one more "
                "line, and a picture of its own in the views below.",
            )  # fmt: skip
        if (run := live_run(lab)) is not None:
            steps = sorted({checkpoint.step for checkpoint in run.checkpoints})
            if len(steps) > 1:
                control(
                    st.select_slider, "at", run.checkpoint_at(lab.at).step, "At training step", steps, lane=False,
                    width=420, help="The recorded moments of that run whose weights are kept.",
                )  # fmt: skip
        else:
            st.page_link(
                "pages/playground.py", label="Train the chosen line in the Playground",
                icon=":material/school:", query_params=_as_experiment(lab),
                help="What does training change? Opens it on the adding task: press Train, come back by the list of pages, "
                "and choose it here.",
            )  # fmt: skip


def _as_experiment(lab: Lab) -> dict[str, str]:
    """The chosen line as a link to the Playground, as near as an experiment comes to it."""
    lane = fitting(lab.lane)
    experiment = lane.experiment(lab.hidden, min(lab.T, LEARNABLE), lab.seed)
    if lane.rho is not None and lane.initialisation in ("default", "spectral"):
        experiment = experiment.amend(initialisation="spectral", spectral_radius=lane.rho)
    return experiment.to_query()


def _run_name(run: LiveRun) -> str:
    return f"{CELLS[run.experiment.cell].title}, {TASKS[run.experiment.task].title.lower()}"


def numbers(lab: Lab, seen: Measured) -> None:
    """The answer in a sentence, and a table in which spectral radius, spectral norm and measured decay stand apart."""
    found = [(name, one.per_step, one) for name, one in seen.rows() if np.isfinite(one.per_step)]
    if len(found) > 1:
        fast, slow = min(found, key=lambda row: row[1]), max(found, key=lambda row: row[1])
        st.markdown(
            f"**{literal(fast[0])}** loses the past fastest: × {fast[1]:.3g} with each step back, "
            f"{ten(fast[2].at(QUOTED))} left after {at_most(QUOTED, fast[2])} steps. **{literal(slow[0])}** "
            f"{'grows' if slow[1] > GROWS else 'holds it best'}: × {slow[1]:.3g}, {ten(slow[2].at(QUOTED))} after "
            f"{at_most(QUOTED, slow[2])}."
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
        rows["× per step"].append(digits(one.per_step))
        if over_seeds:
            rows["over seeds"].append(_spread(lab, lab.lanes[k]) if k < len(lab.lanes) else "one run")
        rows["ρ(W)"].append(span(one.rho))
        rows["σ₁(W)"].append(span(one.sigma))
        rows["ρ(J)"].append(digits(one.step_rho))
        rows["σ₁(J)"].append(digits(one.step_sigma))
        rows["gate"].append("—" if one.kept is None else digits(one.kept.mean()))
        rows[f"left after {lab.T}"].append(ten(one.median[-1]))
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
    config["line"] = st.column_config.TextColumn(width=NAME_EDGE + NAME_LETTER * max(map(len, rows["line"])))
    st.dataframe(rows, hide_index=True, column_config=config, key="lab_numbers")


def _spread(lab: Lab, lane: Lane) -> str:
    found = [lane_decay(fitting(lane), lab.hidden, lab.T, lab.input, lab.seed + k).per_step for k in range(SEEDS)]
    return span(np.array(found))


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
