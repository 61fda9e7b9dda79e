"""The Gradient lab: what becomes of a small change of the state, step by step back in time. Nothing is trained here."""

import streamlit as st

from rnnviz.ui import gradient_lab, look

look.begin()
lab = gradient_lab.current()
seen = gradient_lab.Measured(lab)

st.title("What decays faster, and why?", anchor=False)
st.caption(
    "Untrained networks read noise. How much of a small change of the state s (h, or h and c) is left k steps later? "
    "Learning over k steps can be no stronger than that."
)
gradient_lab.notices()
gradient_lab.questions(lab)
gradient_lab.big_plot(seen)
gradient_lab.sliders(lab, seen)
gradient_lab.numbers(lab, seen)
gradient_lab.views(lab, seen)
gradient_lab.share(lab)
# Last, though it stands first: the pictures do not wait for it.
gradient_lab.sidebar(lab)
gradient_lab.write_address(lab)
