"""Sweep: the same experiment at many settings and seeds, each run to its verdict, in one picture that fills in."""

import streamlit as st

from rnnviz.ui import look, sweep

look.begin()
plan = sweep.current()
sweep.sidebar(plan)
job = sweep.job(plan)
sweep.write_address(job)

st.title("What decides whether a network learns?", anchor=False)
st.caption(
    "One run can be luck. Here every point is several, from different seeds, each trained until the task is solved or its "
    "step budget is used up. Results are kept, so no run is ever computed twice."
)
sweep.notices(job)
sweep.presets(job)
sweep.transport(job)
sweep.results(job)
