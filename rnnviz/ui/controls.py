"""The sidebar, made from the declarations in `Experiment`: nothing about a field is written here."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import streamlit as st

from rnnviz.cells import CELLS
from rnnviz.experiment import SETTINGS, Experiment, Setting
from rnnviz.tasks import TASKS
from rnnviz.ui import keys, session

GROUPS = ("Network", "Task", "Training")
WIDEST_ROW = 30  # characters that fit side by side in the sidebar, also inside an expander
PADDING = 5  # the space round one choice, in characters


def sidebar(experiment: Experiment) -> None:
    """Every field that applies, essentials first, the rest behind one step; each change goes to the session's run."""
    with st.sidebar:
        fields(experiment, _changed)
        live = [f"“{setting.label}”" for setting in SETTINGS.values() if setting.live]
        st.caption(
            f"{', '.join(live[:-1])} and {live[-1]} may change mid-run. Anything else starts a fresh, untrained network."
        )


def fields(experiment: Experiment, changed: Callable[[str, str], None], without: Collection[str] = ()) -> None:
    """The controls of an experiment but for the fields `without`; `changed` is that of `control`."""
    for group in GROUPS:
        offered = {
            name: setting
            for name, setting in SETTINGS.items()
            if setting.group == group and setting.applies(experiment) and name not in without
        }
        st.markdown(f"##### {group}")
        for name, setting in offered.items():
            if setting.essential:
                control(name, setting, experiment, changed)
        rest = {name: setting for name, setting in offered.items() if not setting.essential}
        if rest:
            with st.expander(f"More {group.lower()} settings"):
                for name, setting in rest.items():
                    control(name, setting, experiment, changed)


def control(
    name: str, setting: Setting, experiment: Experiment, changed: Callable[[str, str], None], page: str = "control"
) -> None:
    """The widget of one field. `changed` is called with the field's name and the key of the value that was chosen.

    `page` is that of `keys`; what comes from a widget that is gone does not reach `changed`.
    """
    key = keys.shown(page, name)
    value = getattr(experiment, name)
    # The run is the truth, the widget only shows it: another tab may have changed it, or a refused value is taken back.
    st.session_state[key] = value
    label = f"{setting.label} ({setting.unit})" if setting.unit else setting.label
    common: dict[str, Any] = {"key": key, "help": setting.help, "on_change": _heard, "args": (changed, page, name, key)}
    if isinstance(value, bool):
        st.toggle(label, **common)
    elif setting.choices is not None:
        titles = {choice: title for choice, title in setting.choices.items() if _offered(name, choice, experiment)}
        if len(titles) <= 3 and sum(len(title) + PADDING for title in titles.values()) <= WIDEST_ROW:
            st.segmented_control(
                label, list(titles), format_func=titles.__getitem__, required=True, width="stretch", **common
            )
        else:
            st.selectbox(label, list(titles), format_func=titles.__getitem__, **common)
    elif setting.ticks:
        # A link may bring a value between the ticks; it stays on offer as long as it is in use.
        ticks = [tick for tick in setting.ticks if _offered(name, tick, experiment)]
        st.select_slider(label, sorted({*ticks, value}), format_func=partial(_tick, setting), **common)
    elif setting.highest - setting.lowest <= 100 * setting.step:
        kind = type(value)
        st.slider(label, kind(setting.lowest), kind(setting.highest), step=kind(setting.step), **common)
    else:
        st.number_input(label, int(setting.lowest), int(setting.highest), step=1, **common)


def _heard(changed: Callable[[str, str], None], page: str, name: str, key: str) -> None:
    if not keys.is_old(page, key):
        changed(name, key)


def _offered(name: str, value: Any, experiment: Experiment) -> bool:
    """Whether a control offers `value`: not where the cell or the task cannot take it at all."""
    if name == "initialisation":
        return value in CELLS[experiment.cell].initialisations
    if name == "length":
        task = TASKS[experiment.task]
        return task.shortest <= value <= task.longest
    return True


def _tick(setting: Setting, value: float) -> str:
    return setting.zero if setting.zero and not value else f"{value:,.6g}".replace(",", " ")


def _changed(name: str, key: str) -> None:
    session.change(**{name: st.session_state[key]})
