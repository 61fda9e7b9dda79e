"""A network that has learned what comes next, writing by itself."""

from __future__ import annotations

import html

import numpy as np
import streamlit as st

from rnnviz.errors import RnnvizError
from rnnviz.experiment import Experiment
from rnnviz.figures import Theme, palette
from rnnviz.rollout import write
from rnnviz.runs import LiveRun, Snapshot
from rnnviz.tasks import TASKS

WRITTEN = 160  # letters
REFRESH = 2.0  # seconds between two texts while it trains
PROMPTS = {"text": "the ", "reber": "BT"}
NEW_LINE = "\n"
SPOKEN = {"␣": " ", "↵": NEW_LINE}


def can_write(experiment: Experiment) -> bool:
    """Whether what it says at one step can be what it reads at the next."""
    task = TASKS[experiment.task]
    says_what_it_reads = task.answers == "every" and task.input_names == task.output_names
    return says_what_it_reads and task.loss == "cross_entropy" and not experiment.bidirectional


def writer(run: LiveRun, shown: Snapshot, theme: Theme) -> None:
    """The panel: how it goes on from a beginning, anew every other second while it trains."""
    if not can_write(shown.experiment):
        return
    # Every text begins with a draw of its own; a rerun for any other reason shows the same text again.
    st.session_state.setdefault("writing", 0)

    @st.fragment(run_every=REFRESH if shown.status == "training" else None)
    def panel() -> None:
        with st.container(border=True, key="writer"):
            columns = st.columns([2, 2, 1], vertical_alignment="bottom", gap="medium")
            prompt = columns[0].text_input(
                "Let it write, beginning with",
                PROMPTS.get(shown.experiment.task, TASKS[shown.experiment.task].input_names[0]),
                max_chars=60,
                key=f"prompt_{shown.experiment.task}",
                help="It reads these letters, then its own: each letter is drawn from what it says comes next, and read as "
                "if it had been there.",
            )
            temperature = columns[1].slider(
                "Temperature",
                0.0,
                1.5,
                0.7,
                0.1,
                key="temperature",
                help="What it says is divided by this before a letter is drawn. 0 always takes the likeliest and soon goes "
                "round in circles; 1 draws as often as it believes; above, it dares more and errs more.",
            )
            columns[2].button("Again", key="write_again", icon=":material/edit:", width="stretch", on_click=_again)
            try:
                text = _written(run, prompt, temperature, st.session_state.writing)
            except RnnvizError as error:
                st.caption(str(error).replace("`", ""))
                return
            muted, ink = palette(theme).muted, palette(theme).ink
            st.html(
                # New lines as signs, and room for the longest text: the page must not jump with every one.
                '<div style="min-height:3em;white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.5">'
                f'<span style="color:{muted}">{html.escape(prompt)}</span>'
                f'<span style="color:{ink}">{html.escape(text.replace(NEW_LINE, " ↵ "))}</span></div>'
            )

    panel()


def _again() -> None:
    st.session_state.writing += 1


def _written(run: LiveRun, prompt: str, temperature: float, drawn: int) -> str:
    """The text that the newest network writes after `prompt`; remembered until it, or what is asked for, changes."""
    checkpoint = run.checkpoint
    asked = (run.id, checkpoint.step, prompt, temperature, drawn)
    if st.session_state.get("written", (None,))[0] == asked:
        text: str = st.session_state.written[1]
        return text
    names = [SPOKEN.get(name, name) for name in TASKS[checkpoint.experiment.task].input_names]
    if unknown := sorted(set(prompt) - set(names)):
        raise RnnvizError(
            f"It knows only the letters {' '.join(sorted(set(names) - set(SPOKEN.values())))}. Got {unknown[0]}."
        )
    if not prompt:
        raise RnnvizError("It needs at least one letter to begin with.")
    start = np.eye(len(names))[[names.index(letter) for letter in prompt]]
    rng = np.random.default_rng((checkpoint.step, drawn))
    text = "".join(names[k] for k in write(checkpoint, start, WRITTEN, temperature, rng))
    st.session_state.written = (asked, text)
    return text
