"""From scratch: the network of this experiment as a program, in NumPy, PyTorch and Keras."""

import streamlit as st

from rnnviz.ui import controls, from_scratch, look, playground, session

look.begin()
run = session.current_run()
experiment = run.poll().experiment
controls.sidebar(experiment)
session.write_address(run)

st.title("How would you write this network yourself?", anchor=False)
st.caption(
    f"{session.headline(experiment)}, from the same weights and on the same examples as in the app. One file, to copy or to "
    "download; pick several to see them side by side."
)
playground.notices()
from_scratch.programs(run, experiment)
