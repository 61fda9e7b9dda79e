"""The Playground: one network, one task, watched while it learns."""

import streamlit as st

from rnnviz.ui import controls, look, playground, session

look.begin()
run = session.current_run()
snapshot = run.poll()
controls.sidebar(snapshot.experiment)
session.write_address(run)

st.title(session.headline(snapshot.experiment), anchor=False)
st.caption(session.explanation(snapshot.experiment))
playground.notices()
playground.transport(run, snapshot)
playground.trouble(run, snapshot)
playground.pictures(run, snapshot)
playground.live_feed(run, snapshot)
