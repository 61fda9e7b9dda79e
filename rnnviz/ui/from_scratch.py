"""The programs of a page: which are shown, what is promised of them, and what can be taken home."""

from __future__ import annotations

from functools import partial

import streamlit as st

from rnnviz.experiment import SETTINGS, Experiment
from rnnviz.runs import LiveRun
from rnnviz.scratch import LIBRARIES, PROGRAMS, Refusal, companions, numbers, numbers_file, refusal
from rnnviz.ui import session

LOOK_FOR = {
    "numpy": "Look at `back`: what `dh_next` is made of is all that an error goes through on its way one step back.",
    "torch": "Look for what is missing: there is no `back`. Autograd notes every operation and walks them in reverse.",
    "keras": "Look at how little is left, and what one must know for it: the order of the gates, which way a matrix lies.",
}
IN_CELL = (
    "Look at `back`: an error goes one step back by `dh_next` and by `dc_next`. Which of the two has no matrix in it?"
)
TESTED = (
    "Programs like this one, with every cell, task and optimizer, are run by the app's tests: in float64 loss, gradient and "
    "trained weights agree with the app's own to ten decimals."
)
PROMISES = {
    "numpy": TESTED,
    "torch": TESTED,
    "keras": "The app's tests do not run this one unless Keras is installed beside them; otherwise they only know that it "
    "is valid Python. Keras multiplies in float32, so some six digits are what to expect.",
}
STYLE = "<style>[data-testid='stCode'] code { font-size: 0.8rem; line-height: 1.5; }</style>"


def programs(run: LiveRun, experiment: Experiment) -> None:
    """One program, or several side by side."""
    st.html(STYLE)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        picked = st.segmented_control(
            "Programs",
            list(LIBRARIES),
            selection_mode="multi",
            default=["numpy"],
            format_func=LIBRARIES.__getitem__,
            key="libraries",
            label_visibility="collapsed",
        )
        st.page_link(
            "pages/playground.py",
            label="Watch it learn in the Playground",
            icon=":material/play_circle:",
            query_params=session.address(run),
        )
    chosen = picked or ["numpy"]
    if refused := refusal(experiment, "numpy"):
        _refused(refused)
        return
    for column, library in zip(st.columns(len(chosen)), chosen, strict=True):
        with column:
            _program(experiment, library)


def _refused(refused: Refusal) -> None:
    st.info(refused.sentence, icon=":material/code_off:")
    for field, value in refused.remedy.items():
        setting = SETTINGS[field]
        shown = (setting.choices or {}).get(str(value)) or ("off" if not value else str(value))
        st.button(
            f"Change to {setting.label.lower()}: {shown}", key="remedy", on_click=session.change, kwargs={field: value}
        )


def _program(experiment: Experiment, library: str) -> None:
    if refused := refusal(experiment, library):
        _refused(refused)
        return
    text = PROGRAMS[library](experiment)
    looks = IN_CELL if library == "numpy" and "dc_next" in text else LOOK_FOR[library]
    st.markdown(f"**{LIBRARIES[library]}, {len(text.splitlines())} lines.** {looks}")
    st.caption(f"{PROMISES[library]}{_first_line(experiment, library)}")
    with st.container(horizontal=True, gap="small"):
        _downloads(experiment, library, text)
    st.code(text, language="python", line_numbers=True)


def _downloads(experiment: Experiment, library: str, text: str) -> None:
    name = f"{experiment.cell}_{experiment.task}_{library}.py"
    st.download_button(
        name, text, name, "text/x-python", key=f"program_{library}", icon=":material/download:", on_click="ignore"
    )
    for file, content in companions(experiment).items():
        st.download_button(
            file, content, file, "text/plain", key=f"{file}_{library}", icon=":material/download:", on_click="ignore",
            help="What the program reads. Keep it in the same folder.",
        )  # fmt: skip
    st.download_button(
        "The app’s numbers",
        partial(numbers_file, experiment),
        f"{experiment.cell}_{experiment.task}.npz",
        "application/octet-stream",
        key=f"numbers_{library}",
        icon=":material/download:",
        on_click="ignore",
        help="For a program of your own, in any language NumPy's format can be read in: the initial weights, the first "
        "batch, and the loss and gradient that the app finds for them in float64.",
    )


def _first_line(experiment: Experiment, library: str) -> str:
    found = numbers(experiment)
    if found is None:
        return ""
    if library == "keras":
        return f" The first loss it prints is {found.loss:.4f}."
    return f" The first line it prints is: step 1, loss {found.loss:.10f}, gradient norm {found.norm:.10f}."
