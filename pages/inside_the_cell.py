"""Inside the cell: one network, one sequence, one time step, forwards and backwards."""

import streamlit as st

from rnnviz.ui import controls, inside, inside_state, look, operations, playground, session

look.begin()
run = inside_state.current_run()
snapshot = run.poll()
controls.sidebar(snapshot.experiment)
inside_state.write_address(run)

st.title("What does the cell do with one input?", anchor=False)
st.caption(
    f"{session.headline(snapshot.experiment)}. {session.explanation(snapshot.experiment)} "
    f"[Below, try it](#{operations.ANCHOR}): overrule a gate, change one input."
)
playground.notices()
inside.which(run, snapshot)
inside.step_by_step(run)
operations.operations(inside_state.checkpoint(run), inside_state.view().example)
inside.keep_alive(run, snapshot)
