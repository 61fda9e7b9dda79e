"""One visitor's session: which run they look at, and how that run and the address bar stay in step."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode, urlsplit

import numpy as np
import streamlit as st

from rnnviz.analysis import spectral_norm, spectral_radius
from rnnviz.cells import CELLS
from rnnviz.errors import RnnvizError
from rnnviz.experiment import SETTINGS, Experiment
from rnnviz.model import decoder_layers, encoder_layers
from rnnviz.runs import LiveRun
from rnnviz.tasks import TASKS
from rnnviz.training import start
from rnnviz.ui import addresses, keys
from rnnviz.ui.server import registry


def current_run(own: Collection[str] = ()) -> LiveRun:
    """The run this session watches: the one it had, else the one its link names, else a new one from the link's fields.

    When the address is no longer the one this session wrote, the visitor went back or forward: it is read afresh. An empty
    one comes from the list of pages, and the visitor's run goes along to the next page. Names in `own` are the page's.
    """
    query = {name: st.query_params[name] for name in st.query_params if name not in own}
    if "run" in st.session_state and addresses.is_ours("run", query):
        held: LiveRun = st.session_state.run
        return held
    wanted, notices = Experiment.from_query(query)
    run = registry().find(query["run"]) if "run" in query else None
    asked = {name for name in query if name in SETTINGS}
    if run is not None and asked & wanted.differs_in(run.experiment) - _live_fields():
        run = None  # somebody edited the link: the fields they can read win over the id they cannot
    elif run is None and "run" in query:
        notices.append(
            "That run is no longer on this server. This one starts afresh, with the settings the link names."
        )
    notices += [idle(name, wanted) for name in query if name in SETTINGS and not SETTINGS[name].applies(wanted)]
    notices += [
        f"{name} is no setting of an experiment; ignored."
        for name in query
        if name not in SETTINGS and name != "run" and not name.startswith("embed")
    ]
    st.session_state.notices = notices
    run = run or registry().create(wanted)
    watch(run)
    addresses.wrote("run", query)
    return run


def idle(name: str, experiment: Experiment) -> str:
    """Why a field that somebody names does nothing: the chosen settings of which any other would give it a meaning."""
    why = [
        f"`{other}` is {getattr(experiment, other)}"
        for other, setting in SETTINGS.items()
        if any(SETTINGS[name].applies(experiment.model_copy(update={other: c})) for c in setting.choices or ())
    ]
    return f"`{name}` has no effect while {' and '.join(why) or 'the other settings are as they are'}."


def steer(act: Callable[..., None], *args: Any) -> None:
    """Let a visitor's click act on the run that is current when it arrives: the click before may have replaced it."""
    heard()
    act(current_run(), *args)


def heard() -> None:
    """The visitor goes on: what could not be honoured before has been read. Called first by everything they do.

    Not by the script run that shows the sentences: that page may be thrown away half-drawn, when the run moves meanwhile.
    """
    st.session_state.notices = []


def watch(run: LiveRun) -> None:
    """Let this session look at `run` from now on."""
    if "run" in st.session_state:
        st.session_state.run.release()
    st.session_state.run = run


def change(**fields: Any) -> None:
    """Apply a change of the experiment: mid-run where that is possible, as a new run where it is not.

    A change that breaks a rule is refused with its sentence and changes nothing. But to another cell or task other fields
    give way, each with its sentence: a list of choices that refuses most of them would be of no use.
    """
    heard()
    run = current_run()
    try:
        if fields.keys() & {"cell", "task"}:
            wanted, st.session_state.notices = run.experiment.switch(**fields)
        else:
            wanted = run.experiment.amend(**fields)
        differs = wanted.differs_in(run.experiment)
        if differs - _live_fields():
            _replace(run, wanted, differs)
        elif differs:
            run.amend(**{name: getattr(wanted, name) for name in differs})
    except RnnvizError as error:
        st.session_state.notices = str(error).splitlines()


def open_experiment(wanted: Experiment) -> None:
    """A fresh run of `wanted` takes the place of the current one, which one click brings back."""
    heard()
    run = current_run()
    if differs := wanted.differs_in(run.experiment):
        keys.afresh("control")
        _replace(run, wanted, differs)


def _replace(old: LiveRun, wanted: Experiment, differs: set[str]) -> None:
    step = old.poll().step
    watch(registry().create(wanted))
    if step:
        what = ", ".join(SETTINGS[name].label.lower() for name in SETTINGS if name in differs)
        st.session_state.replaced = (what, step, old)
    elif "replaced" in st.session_state:  # changed again before anything was trained
        st.session_state.replaced = ("settings", *st.session_state.replaced[1:])


def address(run: LiveRun) -> dict[str, str]:
    """What a link says of a run: its experiment, and which run it is."""
    return run.experiment.to_query() | {"run": run.id}


def write_address(run: LiveRun, own: Mapping[str, str] | None = None) -> None:
    """Make the address bar a link to what is on the page: the experiment, the live run, and what is the page's `own`."""
    wanted = address(run)
    whole = wanted | dict(own or {})
    if st.query_params.to_dict() != whole:
        st.query_params.from_dict(whole)
    addresses.wrote("run", wanted)


def link(experiment: Experiment) -> str:
    """An absolute link that opens this experiment, fresh, on this server's Playground."""
    parts = urlsplit(st.context.url or "")
    here = f"{parts.scheme}://{parts.netloc}{parts.path}" if parts.netloc else "/playground"
    return f"{here}?{urlencode(experiment.to_query())}"


def headline(experiment: Experiment) -> str:
    """What is going on, in one line."""
    return f"{CELLS[experiment.cell].title} learns to {TASKS[experiment.task].verb}"


def explanation(experiment: Experiment) -> str:
    """What the task is, for somebody who has never seen it."""
    return TASKS[experiment.task].explanation


PARTICULARS_HELP = (
    "Measured from the initial weights. ρ, the spectral radius: the largest absolute eigenvalue of a recurrent matrix, what "
    "multiplying by it again and again does in the long run. σ₁, its spectral norm: the most that one multiplication can "
    "stretch a vector. |λ| and |u| are what a cell without that matrix multiplies each unit's past by. A range spans gates, "
    "layers or units."
)


@lru_cache(maxsize=64)
def particulars(experiment: Experiment) -> str:
    """What this network starts with, measured from its initial weights rather than read off the settings."""
    cell, H = CELLS[experiment.cell], experiment.hidden_size
    first = start(experiment)
    layers = encoder_layers(experiment) + decoder_layers(experiment)
    names = {"W_hh", "nu_log", "u"} & set(cell.shapes(1, 1))
    start_of = {name: np.concatenate([first.weights[f"{k}.{name}"] for k in layers]) for name in names}
    said = []
    if "W_hh" in start_of:
        blocks = start_of["W_hh"].reshape(-1, H, H)
        rho, sigma = [spectral_radius(W) for W in blocks], [spectral_norm(W) for W in blocks]
        said += [f"ρ = {_range(rho)}", f"σ₁ = {_range(sigma)}"]
    elif "nu_log" in start_of:
        said.append(f"|λ| = {_range(list(np.exp(-np.exp(start_of['nu_log']))))}")
    elif "u" in start_of:
        said.append(f"|u| = {_range(list(np.abs(start_of['u'])))}")
    for field, block in cell.bias_fields.items():
        row = cell.blocks.index(block) * H
        bias = np.mean([first.weights[f"{k}.b"][row : row + H] for k in layers])
        said.append(f"mean {field.replace('_', ' ')} = {bias:.3g}")
    return f"{len(first.parameters):,} parameters · at the start ".replace(",", " ") + ", ".join(said)


def _range(values: list[float]) -> str:
    low, high = f"{min(values):.3g}", f"{max(values):.3g}"
    return low if low == high else f"{low}–{high}"


def _live_fields() -> set[str]:
    return {name for name, setting in SETTINGS.items() if setting.live}
