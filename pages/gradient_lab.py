"""The Gradient lab: what becomes of a small change of the state, step by step back in time. Nothing is trained here."""

import streamlit as st

from rnnviz.ui import gradient_lab, lab_session, lab_sidebar, lab_views, look
from rnnviz.ui.lab_measured import Measured

look.begin()
lab = lab_session.current()
seen = Measured(lab)

st.title("What decays faster, and why?", anchor=False)
st.caption(
    "Untrained networks read noise. How much of a small change of the state s (h, or h and c) is left k steps later? "
    "Learning over k steps can be no stronger than that."
)
lab_session.notices()
gradient_lab.questions(lab)
gradient_lab.big_plot(seen)
gradient_lab.sliders(lab, seen)
gradient_lab.trained(lab)
gradient_lab.numbers(lab, seen)
lab_views.views(lab, seen)
gradient_lab.share(lab)
# Last, though it stands first: the pictures do not wait for it.
lab_sidebar.sidebar(lab)
lab_session.write_address(lab)
