"""What this session of the Gradient lab looks at, the controls that change it, and how its numbers are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from rnnviz.analysis.lab import Decay
from rnnviz.ui import addresses, keys, look
from rnnviz.ui.lab_state import Lab
from rnnviz.ui.plain import literal
from rnnviz.ui.playground import theme
from rnnviz.ui.server import registry
from rnnviz.ui.stage import slider

DROP = "as drawn"


def current() -> Lab:
    """What this session looks at: what it had, or what its link says if somebody else wrote that."""
    query = st.query_params.to_dict()
    # No query at all: back from another page by the navigation.
    if "lab" in st.session_state and addresses.is_ours("lab", query):
        held: Lab = st.session_state.lab
        return held
    lab, notices = Lab.from_query(query)
    st.session_state.lab, st.session_state.lab_notices = lab, notices
    addresses.wrote("lab", query)
    return lab


def write_address(lab: Lab) -> None:
    """Make the address bar a link to exactly this."""
    wanted = lab.to_query()
    if st.query_params.to_dict() != wanted:
        st.query_params.from_dict(wanted)
    addresses.wrote("lab", wanted)


def notices() -> None:
    """What a link asked for and could not have."""
    for sentence in st.session_state.lab_notices:
        st.warning(literal(sentence.replace("`", "")), icon=":material/info:")


def become(lab: Lab, *, afresh: bool = False) -> None:
    """Look at another lab, `afresh` if not by one widget alone; what a link could not have has been read by now."""
    st.session_state.lab, st.session_state.lab_notices = lab, []
    if afresh:
        keys.afresh("lab")
        keys.afresh("lab_lines")


def put(name: str, value: Any, of_lane: bool) -> None:
    """Give the lab, or its chosen line, another value."""
    lab: Lab = st.session_state.lab
    if of_lane:
        become(lab.with_lane(**{name: None if value == DROP else value}))
    else:
        if name == "run" and (run := registry().find(value)) is not None:
            lab = replace(lab, at=run.poll().step)  # the newest weights
        become(replace(lab, **{name: value}))


def control(make: Callable[..., Any], name: str, value: Any, label: str, *args: Any, lane: bool, **more: Any) -> None:
    """A widget that only shows what the lab is: its key is set before it is drawn, its change changes the lab."""
    page = _page(name)
    key = keys.shown(page, name)
    st.session_state[key] = value
    options = args[0] if args and isinstance(args[0], Sequence | range) else None
    edited = st.session_state.lab.edit if lane else None
    make(label, *args, key=key, on_change=_set, args=(key, name, value, edited, options), **more)


def _set(key: str, name: str, shown: Any, edited: int | None, options: Sequence[Any] | None) -> None:
    if keys.is_echo(_page(name), key, shown) or edited not in (None, st.session_state.lab.edit):
        return
    value = st.session_state[key]
    if options is None or value in options:  # else an echo of options that are no longer there
        put(name, value, edited is not None)
    if name == "edit":
        keys.afresh("lab")


def _page(name: str) -> str:
    """Under which name `keys` counts: which line is chosen stays the same widget while that is all that changes."""
    return "lab_lines" if name == "edit" else "lab"


def choice_key(name: str, shown: str | None) -> str:
    """The key of a choice that sets much at once; it names what is shown, which anything on the page may change."""
    key = keys.shown("lab", f"{name}_{shown}")
    st.session_state[key] = shown
    return key


def chosen(key: str, shown: str | None) -> str | None:
    """What such a choice brings, or None if that is only what it showed."""
    value: str | None = st.session_state[key]
    return None if value == shown or keys.is_echo("lab", key, shown) else value


def sliding(
    name: str,
    value: Any,
    label: str,
    options: Sequence[Any],
    *,
    lane: bool,
    format_func: Callable[[Any], str],
    help: str,
) -> None:
    """A slider whose answers come while it is being moved."""
    slider(
        label, [format_func(option) for option in options], options.index(value), help=help,
        theme=look.variables(theme()), key=f"lab_{name}", on_slide=lambda index: put(name, options[index], lane),
    )  # fmt: skip


def digits(value: float) -> str:
    """Three significant digits, or a dash."""
    return f"{value:.3g}" if np.isfinite(value) else "—"


def span(values: np.ndarray) -> str:
    """From the smallest to the largest, or the one number they all are."""
    if not len(values):
        return "—"
    low, high = digits(float(values.min())), digits(float(values.max()))
    return low if low == high else f"{low}–{high}"


def at_most(lag: int, found: Decay) -> int:
    """The lag, or the last one measured."""
    return min(lag, int(found.lags[-1]))


def ten(log10: float) -> str:
    """A number given by its logarithm, however small: .56, 3.2 × 10⁻¹⁴."""
    if not np.isfinite(log10):
        return "exactly 0" if log10 < 0 else "no number"
    if -2 <= log10 <= 3:
        return f"{10**log10:.3g}"
    power = int(np.floor(log10))
    raised = str(power).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{10 ** (log10 - power):.2g} × 10{raised}"
