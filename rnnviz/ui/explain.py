"""What stands beside the pictures in words and formulas: warnings, and the equations of the cell."""

from __future__ import annotations

import streamlit as st

from rnnviz.cells import CELLS
from rnnviz.experiment import SETTINGS, Experiment
from rnnviz.runs import LiveRun
from rnnviz.ui import session


def warnings(experiment: Experiment) -> None:
    """What one should know before training this."""
    for sentence in experiment.warnings:
        st.warning(sentence, icon=":material/warning:")


def equations(experiment: Experiment) -> None:
    """The equations of the cell, what they teach and where they are from, behind one step."""
    cell = CELLS[experiment.cell]
    with st.expander(f"The equations of this cell: {cell.title}", icon=":material/function:"):
        st.markdown(f"**{cell.teaches}**")
        if cell.definitions:
            st.latex(_aligned(cell.definitions))
        st.latex(_aligned(tuple(cell.equations.values())))
        said = [cell.citation, "σ is the logistic function, ⊙ the product of each component with its partner"]
        if "activation" in cell.options:
            said.append(f"φ is {dict(SETTINGS['activation'].choices or {})[experiment.activation]}, as chosen")
        st.caption(f"{'. '.join(said)}.")


def to_program(run: LiveRun) -> None:
    """The way to this network as a program."""
    st.page_link(
        "pages/from_scratch.py",
        label="The same network as a program: NumPy, PyTorch, Keras",
        icon=":material/code:",
        query_params=session.address(run),
    )


def _aligned(lines: tuple[str, ...]) -> str:
    """One block of LaTeX, aligned at the first equals sign of each line."""
    body = r" \\[0.3em] ".join(line.replace("=", "&=", 1) for line in lines)
    return rf"\begin{{aligned}} {body} \end{{aligned}}"
