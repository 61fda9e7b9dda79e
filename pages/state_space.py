"""The State space: where the state goes while a network reads, where it would rest, and what its units follow."""

import streamlit as st

from rnnviz.ui import controls, look, playground, session, state_space

look.begin()
run = state_space.current()
snapshot = run.poll()
controls.sidebar(snapshot.experiment)
session.write_address(run)

st.title(state_space.headline(snapshot.experiment), anchor=False)
st.caption(session.explanation(snapshot.experiment))
playground.notices()
state_space.presets(snapshot.experiment)
playground.transport(run, snapshot)
playground.trouble(run, snapshot)
state_space.progress(run, snapshot)
state_space.pictures(run, snapshot)
