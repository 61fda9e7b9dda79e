"""rnnviz: an interactive visual explorer of recurrent neural networks. Run with `streamlit run app.py`."""

import streamlit as st

st.set_page_config(page_icon="rnnviz/ui/assets/icon.svg", layout="wide")

playground = st.Page("pages/playground.py", title="Playground", url_path="playground")
gradient_lab = st.Page("pages/gradient_lab.py", title="Gradient lab", url_path="gradient_lab")
inside_the_cell = st.Page("pages/inside_the_cell.py", title="Inside the cell", url_path="inside_the_cell")
state_space = st.Page("pages/state_space.py", title="State space", url_path="state_space")
cell_race = st.Page("pages/cell_race.py", title="Cell race", url_path="cell_race")
sweep = st.Page("pages/sweep.py", title="Sweep", url_path="sweep")
from_scratch = st.Page("pages/from_scratch.py", title="From scratch", url_path="from_scratch")


def front() -> None:
    """The bare address leads to the Playground. A default page has no address of its own, and links name one."""
    st.switch_page(playground, query_params=st.query_params.to_dict())


pages = [playground, cell_race, gradient_lab, inside_the_cell, state_space, sweep, from_scratch]
st.navigation([st.Page(front, title="rnnviz", default=True, visibility="hidden"), *pages]).run()
