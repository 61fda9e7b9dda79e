"""The Playground: one network, one task, watched while it learns."""

import streamlit as st

from rnnviz.ui import controls, explain, look, playground, session, writer

look.begin()
run = session.current_run()
snapshot = run.poll()
controls.sidebar(snapshot.experiment)
session.write_address(run)

st.title(session.headline(snapshot.experiment), anchor=False)
st.caption(session.explanation(snapshot.experiment))
playground.notices()
explain.warnings(snapshot.experiment)
playground.transport(run, snapshot)
playground.trouble(run, snapshot)
writer.writer(run, snapshot, playground.theme())
playground.pictures(run, snapshot)
explain.equations(snapshot.experiment)
explain.to_program(run)
playground.live_feed(run, snapshot)
