"""Inside the cell: one network, one sequence, one time step, forwards and backwards."""

import streamlit as st

from rnnviz.ui import controls, inside, look, operations, playground, session

look.begin()
run = inside.current_run()
snapshot = run.poll()
controls.sidebar(snapshot.experiment)
inside.write_address(run)

st.title("What does the cell do with one input?", anchor=False)
st.caption(f"{session.headline(snapshot.experiment)}. {session.explanation(snapshot.experiment)}")
playground.notices()
inside.which(run, snapshot)
inside.step_by_step(run)
operations.operations(inside.checkpoint(run), inside.view().example)
inside.keep_alive(run, snapshot)
