"""The sidebar of the Gradient lab: which lines there are, and what the chosen one is."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from rnnviz.analysis.lab import MOST_LANES
from rnnviz.cells import ACTIVATIONS, CELLS
from rnnviz.experiment import INITIALISATIONS, SETTINGS
from rnnviz.ui.lab_session import become, choice_key, chosen, control
from rnnviz.ui.lab_state import NUMBERS, PRESETS, Lab, fitting, lane_name

SIZES = (4, 8, 16, 32, 48, 64)
STARTS = {**INITIALISATIONS, "spectral": "Gaussian, rescaled to ρ"}


def sidebar(lab: Lab) -> None:
    """The lines, what the edited one is, and what they share."""
    with st.sidebar:
        st.markdown("##### Lines")
        names = [lane_name(lane) for lane in lab.lanes]
        control(
            st.radio, "edit", lab.edit, "The sliders move", range(1, len(names) + 1), lane=False,
            format_func=lambda k: names[k - 1],
            help="Up to four networks are compared. The controls here and the sliders under the plot change the chosen one.",
        )  # fmt: skip
        with st.container(horizontal=True):
            st.button(
                "Add", key="lab_add", icon=":material/add:", disabled=len(names) == MOST_LANES,
                on_click=_add,
                help="One more line, a copy of the chosen one to change.",
            )  # fmt: skip
            st.button(
                "Remove", key="lab_remove", icon=":material/remove:", disabled=len(names) == 1,
                on_click=_remove,
                help="Take the chosen line out.",
            )  # fmt: skip
        st.markdown("##### The chosen line")
        _lane_controls(lab)
        st.markdown("##### All lines")
        control(
            st.select_slider, "hidden", lab.hidden, "Hidden size", sorted({*SIZES, lab.hidden}), lane=False,
            help=SETTINGS["hidden_size"].help,
        )  # fmt: skip
        control(
            st.number_input, "seed", lab.seed, "Seed", 0, int(NUMBERS["seed"].highest), lane=False, step=1,
            help="Fixes the weights drawn and the input. Does what you see depend on luck? Try another, or all five below.",
        )  # fmt: skip


def _add() -> None:
    lab: Lab = st.session_state.lab  # not the one that was drawn: a click before may have changed it
    if len(lab.lanes) < MOST_LANES:
        become(replace(lab, lanes=(*lab.lanes, lab.lane), edit=len(lab.lanes) + 1), afresh=True)


def _remove() -> None:
    lab: Lab = st.session_state.lab
    if len(lab.lanes) > 1:
        left = lab.lanes[: lab.edit - 1] + lab.lanes[lab.edit :]
        become(replace(lab, lanes=left, edit=max(1, lab.edit - 1)), afresh=True)


def _lane_controls(lab: Lab) -> None:
    lane, cell = lab.lane, CELLS[lab.lane.cell]
    preset = next((name for name, wanted in PRESETS.items() if fitting(wanted) == lane), None)
    key = choice_key("preset", preset)
    st.selectbox(
        "Preset", list(PRESETS), key=key, placeholder="changed by hand", on_change=_take_preset, args=(key, preset),
        help="A network to start from. Everything about it may be changed afterwards.",
    )  # fmt: skip
    control(
        st.selectbox, "cell", lane.cell, "Cell", list(CELLS), lane=True,
        format_func=lambda name: CELLS[name].title, help=SETTINGS["cell"].help,
    )  # fmt: skip
    control(
        st.selectbox, "initialisation", lane.initialisation, "Initialisation", list(cell.initialisations), lane=True,
        format_func=STARTS.__getitem__, help=SETTINGS["initialisation"].help,
    )  # fmt: skip
    if "activation" in cell.options:
        control(
            st.selectbox, "activation", lane.activation, "Activation", list(ACTIVATIONS), lane=True,
            format_func=dict(SETTINGS["activation"].choices or {}).__getitem__, help=SETTINGS["activation"].help,
        )  # fmt: skip


def _take_preset(key: str, shown: str | None) -> None:
    if (name := chosen(key, shown)) is not None:
        lane = PRESETS[name]
        fields = ("cell", "initialisation", "activation", "rho", "bias")
        wanted = st.session_state.lab.with_lane(**{field: getattr(lane, field) for field in fields})
        become(wanted, afresh=True)
